/* Sorting of items of type T by KEY(item), of the unsigned KEY_TYPE with KEY_BITS bits, for sort.c; see
 * paste.h. */

static void TYPED(insert)(T *a, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        T item = a[i];
        int64_t j = i;
        for (; j > 0 && KEY(a[j - 1]) > KEY(item); j--) a[j] = a[j - 1];
        a[j] = item;
    }
}

/* The least key, and how much larger the largest one is. */
static KEY_TYPE TYPED(range)(const T *a, int64_t n, KEY_TYPE *range)
{
    KEY_TYPE least = KEY(a[0]), most = least;
    for (int64_t i = 1; i < n && !(i % SORT_PIECE == 0 && interrupt_stop()); i++) {
        least = KEY(a[i]) < least ? KEY(a[i]) : least;
        most = KEY(a[i]) > most ? KEY(a[i]) : most;
    }
    *range = most - least;
    return least;
}

/* Counts of three digits, the lowest one at `low`; of neighbours in two tables, since a count that has just
 * been written is slow to be read. */
static void TYPED(count)(const T *a, int64_t n, KEY_TYPE least, int low, int bits,
                         uint32_t count[3][1 << SORT_DIGIT])
{
    uint32_t mask = (1u << bits) - 1;
    uint32_t other[3][1 << SORT_DIGIT];
    memset(count, 0, 3 * sizeof *count);
    memset(other, 0, sizeof other);
    for (int64_t i = 0; i < n && !(i % SORT_PIECE == 0 && interrupt_stop()); i++) {
        uint64_t key = (uint64_t)(KEY(a[i]) - least) >> low;
        uint32_t(*table)[1 << SORT_DIGIT] = i % 2 == 0 ? count : other;
        table[0][key & mask]++;
        table[1][key >> bits & mask]++;
        table[2][key >> 2 * bits & mask]++;
    }
    for (int digit = 0; digit < 3; digit++)
        for (uint32_t d = 0; d <= mask; d++) count[digit][d] += other[digit][d];
}

/* By one digit, from a to b; 0 where all have the same and nothing was moved. */
static int TYPED(pass)(const T *a, T *b, int64_t n, KEY_TYPE least, int low, int bits, uint32_t *place)
{
    uint32_t mask = (1u << bits) - 1, sum = 0;
    if (interrupt_stop() || place[(KEY(a[0]) - least) >> low & mask] == n) return 0;
    for (uint32_t d = 0; d <= mask; d++) {
        uint32_t count = place[d];
        place[d] = sum;
        sum += count;
    }
    for (int64_t first = 0, end; first < n && !interrupt_stop(); first = end) {
        end = n - first < SORT_PIECE ? n : first + SORT_PIECE;
        for (int64_t i = first; i < end; i++) b[place[(KEY(a[i]) - least) >> low & mask]++] = a[i];
    }
    return 1;
}

static T *TYPED(sorted)(T *a, T *b, int64_t n);

/* a, which is in order but for the bits below `low`. */
static void TYPED(finish)(T *a, T *b, int64_t n, KEY_TYPE least, int low) // NOLINT(misc-no-recursion)
{
    for (int64_t i = 1; i < n; i++) {
        if (i % SORT_PIECE == 0 && interrupt_stop()) return;
        if (KEY(a[i - 1]) <= KEY(a[i])) continue;
        KEY_TYPE top = (KEY(a[i]) - least) >> low;
        int64_t first = i - 1, end = i + 1;
        while (first > 0 && (KEY(a[first - 1]) - least) >> low == top) first--;
        while (end < n && (KEY(a[end]) - least) >> low == top) end++;
        T *part = TYPED(sorted)(a + first, b + first, end - first);
        if (part != a + first) memcpy(a + first, part, (size_t)(end - first) * sizeof *a);
        i = end - 1;
    }
}

/* Move to the front, in their order, those of the n items that the first `wanted` are among: how many. Of one
 * digit, as long as that leaves less than half of them. */
static int64_t TYPED(filtered)(T *a, int64_t n, int64_t wanted)
{
    uint32_t count[1 << SORT_DIGIT];
    for (int64_t left; n > SORT_MANY && wanted < n / 4 && !interrupt_stop(); n = left) {
        KEY_TYPE range, least = TYPED(range)(a, n, &range), most;
        int low = 0;
        while (low < KEY_BITS - 1 && range >> low >= (KEY_TYPE)1 << SORT_DIGIT) low++;
        memset(count, 0, sizeof count);
        for (int64_t i = 0; i < n; i++) count[(KEY(a[i]) - least) >> low]++;
        for (left = 0, most = 0; (left += count[most]) < wanted;) most++;
        if (left > n / 2) break;
        left = 0;
        for (int64_t i = 0; i < n; i++)
            if ((KEY(a[i]) - least) >> low <= most) a[left++] = a[i];
    }
    return n;
}

/* Sort a; b is as large. The result lies in the one that is returned. Three passes from the highest bits of
 * what keys differ by leave few that agree in all of these; neighbours that do are sorted by the rest. */
static T *TYPED(sorted)(T *a, T *b, int64_t n) // NOLINT(misc-no-recursion)
{
    if (n <= SORT_FEW) {
        TYPED(insert)(a, n);
        return a;
    }
    uint32_t count[3][1 << SORT_DIGIT];
    KEY_TYPE range, least = TYPED(range)(a, n, &range);
    int digit = n < SORT_MANY ? SORT_SMALL_DIGIT : SORT_DIGIT_OF(KEY_BITS), low = 0, high = 0;
    while (high < KEY_BITS && range >> high != 0) high++;
    if (high > 3 * digit) low = high - 3 * digit;
    TYPED(count)(a, n, least, low, digit, count);
    for (int i = 0; i < 3 && low + i * digit < high; i++)
        if (TYPED(pass)(a, b, n, least, low + i * digit, digit, count[i])) {
            T *other = a;
            a = b;
            b = other;
        }
    if (low > 0 && !interrupt_stop()) TYPED(finish)(a, b, n, least, low);
    return a;
}

#undef T
#undef KEY
#undef KEY_TYPE
#undef KEY_BITS
#undef SUFFIX
