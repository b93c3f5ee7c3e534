/* Sums over rows of one type, for loops_reduce.h; see paste.h. ACCUMULATOR is the type they are carried in.
 */

/* Up to 128 rows, sixteen columns at a time in registers. */
static void TYPED(sum_rows_block)(int64_t rows, int64_t width, const T *x, int64_t pitch, ACCUMULATOR *sum)
{
    int64_t j = 0;
    for (; j + LANES <= width; j += LANES) {
        ACCUMULATOR lane[LANES] = {0};
        for (int64_t i = 0; i < rows; i++)
            for (int l = 0; l < LANES; l++) lane[l] += (ACCUMULATOR)x[i * pitch + j + l];
        for (int l = 0; l < LANES; l++) sum[j + l] = lane[l];
    }
    for (; j < width; j++) {
        sum[j] = 0;
        for (int64_t i = 0; i < rows; i++) sum[j] += (ACCUMULATOR)x[i * pitch + j];
    }
}

static void TYPED(sum_rows_part)(int64_t rows, int64_t width, const T *x, int64_t pitch, ACCUMULATOR *sum)
{
    if (rows > 16384 && interrupt_stop()) return;
    if (rows <= 128) {
        TYPED(sum_rows_block)(rows, width, x, pitch, sum);
        return;
    }
    ACCUMULATOR right[SUM_ROWS_WIDTH];
    TYPED(sum_rows_part)(rows / 2, width, x, pitch, sum);
    TYPED(sum_rows_part)(rows - rows / 2, width, x + rows / 2 * pitch, pitch, right);
    for (int64_t j = 0; j < width; j++) sum[j] += right[j];
}

static void TYPED(sum_rows)(int64_t rows, int64_t width, const void *x, int64_t pitch, void *outv)
{
    ACCUMULATOR sum[SUM_ROWS_WIDTH];
    T *out = outv;
    TYPED(sum_rows_part)(rows, width, x, pitch, sum);
    for (int64_t j = 0; j < width; j++) out[j] = (T)sum[j];
}

#undef T
#undef SUFFIX
#undef ACCUMULATOR
