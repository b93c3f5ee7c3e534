/* Products of one type, for product_loops.c; see paste.h. */

/* `rows` and `wide` (two vectors of columns rather than one) are constants where this is inlined, so the
 * accumulators live in registers. start: added at the end, rows `pitch` apart (0: one row for all), or
 * NULL. */
__attribute__((always_inline)) static inline void TYPED(block)(int rows, int wide, int64_t count, const T *a,
                                                               int64_t rs, int64_t ks, const T *b,
                                                               const int64_t *offset, int64_t ldb, T *c,
                                                               int64_t ldc, const T *start, int64_t pitch)
{
    enum { W = VECTOR_BYTES / sizeof(T) };
    TYPED(vector) sum[MR][2];
    const T *third[(MR + 2) / 3]; /* of many rows every third one's place in A; the next two are rs apart */
    int many = rows > 6;          /* than there are registers for addresses; the compiler would spill them */
    UNROLLED for (int i = 0; i < rows; i++) sum[i][0] = sum[i][1] = (TYPED(vector)){0};
    UNROLLED for (int i = 0; i < rows && many; i += 3) third[i / 3] = a + i * rs;
    for (int64_t k = 0; k < count; k++) {
        const T *row = b + (offset ? offset[k] : k * ldb), *ak = a + k * ks;
        TYPED(vector) b0 = *(const TYPED(vector) *)row, b1 = wide ? *(const TYPED(vector) *)(row + W) : b0;
        UNROLLED for (int i = 0; i < rows; i++)
        {
            TYPED(vector) x = (many ? third[i / 3][i % 3 * rs] : ak[i * rs]) - (TYPED(vector)){0};
            sum[i][0] += x * b0;
            if (wide) sum[i][1] += x * b1;
        }
        UNROLLED for (int i = 0; i < rows && many; i += 3)
        {
            third[i / 3] += ks;
            __asm__("" : "+r"(third[i / 3])); /* not to be made an address for each row again */
        }
    }
    UNROLLED for (int i = 0; i < rows; i++)
    {
        TYPED(vector) *out = (TYPED(vector) *)(c + i * ldc),
                      *from = (TYPED(vector) *)(uintptr_t)(start + i * pitch);
        if (start) sum[i][0] += from[0];
        out[0] = sum[i][0];
        if (!wide) continue;
        if (start) sum[i][1] += from[1];
        out[1] = sum[i][1];
    }
}

static void TYPED(rows)(int rows, int64_t count, const T *a, int64_t rs, int64_t ks, const T *b,
                        const int64_t *offset, int64_t ldb, T *c, int64_t ldc, const T *start, int64_t pitch)
{
    switch (rows) {
        PRODUCT_CASES(1)
    }
}

static void TYPED(narrow_rows)(int rows, int64_t count, const T *a, int64_t rs, int64_t ks, const T *b,
                               const int64_t *offset, int64_t ldb, T *c, int64_t ldc, const T *start,
                               int64_t pitch)
{
    switch (rows) {
        PRODUCT_CASES(0)
    }
}

static void TYPED(product_from)(int64_t m, int64_t n, int64_t count, const T *av, int64_t rs, int64_t ks,
                                const T *b, const int64_t *offset, int64_t ldb, T *cv, int64_t ldc,
                                const T *from, int64_t pitch)
{
    enum { W = VECTOR_BYTES / sizeof(T) };
    T edge[MR * 2 * W];
    int64_t blocks = (m + MR - 1) / MR; /* of about the same number of rows */
    for (int64_t block = 0; block < blocks; block++) {
        int64_t i = block * m / blocks;
        int rows = (int)((block + 1) * m / blocks - i);
        const T *a = av + i * rs, *start = from ? from + i * pitch : NULL;
        T *c = cv + i * ldc;
        int64_t j = 0;
        for (; j + 2 * W <= n; j += 2 * W) TYPED(rows)
        (rows, count, a, rs, ks, b + j, offset, ldb, c + j, ldc, start ? start + j : NULL, pitch);
        if (j + W <= n) {
            TYPED(narrow_rows)
            (rows, count, a, rs, ks, b + j, offset, ldb, c + j, ldc, start ? start + j : NULL, pitch);
            j += W;
        }
        if (j == n) continue;
        TYPED(narrow_rows)(rows, count, a, rs, ks, b + j, offset, ldb, edge, W, NULL, 0);
        for (int r = 0; r < rows; r++)
            for (int64_t q = 0; q < n - j; q++)
                c[r * ldc + j + q] = edge[r * W + q] + (start ? start[r * pitch + j + q] : 0);
    }
}

/* Few columns and A by columns: the transpose of the result has long rows. */
static void TYPED(turned)(int64_t m, int64_t n, int64_t count, const T *a, int64_t ks, const T *b,
                          int64_t ldb, T *c, int64_t ldc, const T *start, int64_t pitch)
{
    T turned[PRODUCT_FEW_COLUMNS * PRODUCT_FEW_ROWS];
    for (int64_t first = 0; first < m; first += PRODUCT_FEW_ROWS) {
        int64_t rows = m - first < PRODUCT_FEW_ROWS ? m - first : PRODUCT_FEW_ROWS;
        TYPED(product_from)(n, rows, count, b, 1, ldb, a + first, NULL, ks, turned, rows, NULL, 0);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < n; j++)
                c[(first + i) * ldc + j] =
                    turned[j * rows + i] + (start ? start[(first + i) * pitch + j] : 0);
    }
}

/* Few columns and A by rows: dot products, as many rows at once as a vector has lanes. */
static void TYPED(dots)(int64_t m, int64_t n, int64_t count, const T *a, int64_t rs, const T *b, int64_t ldb,
                        T *c, int64_t ldc, const T *start, int64_t pitch)
{
    enum { W = VECTOR_BYTES / sizeof(T) };
    T columns[PRODUCT_FEW_COLUMNS][PRODUCT_FEW_DEPTH + W], tail[W][W];
    int64_t whole = count / W * W;
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < count + W; k++) columns[j][k] = k < count ? b[k * ldb + j] : 0;
    for (int r = 0; r < W; r++)
        for (int l = 0; l < W; l++) tail[r][l] = 0;
    for (int64_t i = 0; i < m; i += W) {
        const T *row[W];
        for (int r = 0; r < W; r++) row[r] = a + (i + r < m ? i + r : m - 1) * rs;
        for (int r = 0; r < W; r++)
            for (int64_t k = whole; k < count; k++) tail[r][k - whole] = row[r][k];
        for (int64_t j = 0; j < n; j++) {
            TYPED(vector) s[W];
            UNROLLED for (int r = 0; r < W; r++) s[r] = (TYPED(vector)){0};
            for (int64_t k = 0; k < whole; k += W) {
                TYPED(vector) x = *(const TYPED(vector) *)(columns[j] + k);
                UNROLLED for (int r = 0; r < W; r++) s[r] += x * *(const TYPED(vector) *)(row[r] + k);
            }
            if (whole < count) {
                TYPED(vector) x = *(const TYPED(vector) *)(columns[j] + whole);
                UNROLLED for (int r = 0; r < W; r++) s[r] += x * *(const TYPED(vector) *)tail[r];
            }
            PASTE(FOLD, SUFFIX)
            for (int r = 0; r < W && i + r < m; r++)
                c[(i + r) * ldc + j] = s[0][r] + (start ? start[(i + r) * pitch + j] : 0);
        }
    }
}

static void TYPED(start_product)(int64_t m, int64_t n, int64_t count, const void *a, int64_t rs, int64_t ks,
                                 const void *b, const int64_t *offset, int64_t ldb, void *c, int64_t ldc,
                                 const void *start, int64_t pitch)
{
    enum { W = VECTOR_BYTES / sizeof(T) };
    if (n <= PRODUCT_FEW_COLUMNS && !offset && rs == 1 && m >= W)
        TYPED(turned)(m, n, count, a, ks, b, ldb, c, ldc, start, pitch);
    else if (n <= PRODUCT_FEW_COLUMNS && !offset && ks == 1 && m >= W && count >= W &&
             count <= PRODUCT_FEW_DEPTH)
        TYPED(dots)(m, n, count, a, rs, b, ldb, c, ldc, start, pitch);
    else
        TYPED(product_from)(m, n, count, a, rs, ks, b, offset, ldb, c, ldc, start, pitch);
}

product_loop LOOPED(TYPED(product));
void LOOPED(TYPED(product))(int64_t m, int64_t n, int64_t count, const void *a, int64_t rs, int64_t ks,
                            const void *b, const int64_t *offset, int64_t ldb, void *c, int64_t ldc,
                            int accumulate)
{
    TYPED(start_product)(m, n, count, a, rs, ks, b, offset, ldb, c, ldc, accumulate ? c : NULL, ldc);
}

product_row_loop LOOPED(TYPED(product_row));
void LOOPED(TYPED(product_row))(int64_t m, int64_t n, int64_t count, const void *a, int64_t rs, int64_t ks,
                                const void *b, int64_t ldb, void *c, int64_t ldc, const void *row)
{
    TYPED(start_product)(m, n, count, a, rs, ks, b, NULL, ldb, c, ldc, row, 0);
}

product_row_loop LOOPED(TYPED(product_alike));
void LOOPED(TYPED(product_alike))(int64_t m, int64_t n, int64_t count, const void *a, int64_t rs, int64_t ks,
                                  const void *b, int64_t ldb, void *c, int64_t ldc, const void *row)
{
    TYPED(product_from)(m, n, count, a, rs, ks, b, NULL, ldb, c, ldc, row, 0);
}

#undef T
#undef SUFFIX
