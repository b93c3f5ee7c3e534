/* Sums and recurrences of a few columns of type T, carried in type CARRIED, for scan.c; see paste.h. */
static void TYPED(sums_of_one)(const struct scan_job *j, int64_t first)
{
    const T *b = (const T *)j->b + first;
    T *out = (T *)j->out + first;
    CARRIED carried = 0;
    int64_t n = j->n, step = j->backwards ? -j->inner : j->inner, at = j->backwards ? (n - 1) * j->inner : 0;
    for (int64_t i = 0, end; i < n && !interrupt_stop(); i = end) {
        end = n - i < SCAN_PIECE ? n : i + SCAN_PIECE;
        _Pragma("GCC unroll 8") for (int64_t k = i; k < end; k++, at += step)
        {
            carried += (CARRIED)b[at];
            out[at] = (T)carried;
        }
    }
}

static void TYPED(sums)(const struct scan_job *j, int64_t first, int64_t columns)
{
    const T *b = (const T *)j->b + first;
    T *out = (T *)j->out + first;
    CARRIED carried[SCAN_COLUMNS] = {0};
    int64_t step = j->backwards ? -j->inner : j->inner;
    if (columns == 1) {
        TYPED(sums_of_one)(j, first);
        return;
    }
    for (int64_t i = 0, at = j->backwards ? (j->n - 1) * j->inner : 0; i < j->n; i++, at += step) {
        if (i % SCAN_PIECE == 0 && interrupt_stop()) return;
        for (int64_t c = 0; c < columns; c++) {
            carried[c] += (CARRIED)b[at + c];
            out[at + c] = (T)carried[c];
        }
    }
}

static void TYPED(recurrence)(const struct scan_job *j, int64_t first, int64_t columns)
{
    const T *a = (const T *)j->a + first, *b = (const T *)j->b + first;
    T *out = (T *)j->out + first;
    CARRIED carried[SCAN_COLUMNS] = {0};
    int64_t step = j->backwards ? -j->inner : j->inner;
    for (int64_t i = 0, at = j->backwards ? (j->n - 1) * j->inner : 0; i < j->n; i++, at += step) {
        if (i % SCAN_PIECE == 0 && interrupt_stop()) return;
        for (int64_t c = 0; c < columns; c++) { /* of the first, a is not read: it may be anything */
            carried[c] = i > 0 ? (CARRIED)a[at + c] * carried[c] + (CARRIED)b[at + c] : (CARRIED)b[at + c];
            out[at + c] = (T)carried[c];
        }
    }
}

#undef T
#undef CARRIED
#undef SUFFIX
