/* Copies of rows and columns, of one type, for loops.c; see paste.h. */

/* The steps that are worth a loop of their own: neighbours, and every second number. */
#define COPY(from, to)                                                                                       \
    for (int64_t i = 0; i < rows; i++)                                                                       \
    INDEPENDENT for (int64_t j = 0; j < columns; j++) out[i * out_row + j * (to)] = x[i * x_row + j * (from)]

static void TYPED(copy)(int64_t rows, int64_t columns, const void *xv, int64_t x_row, int64_t x_step,
                        void *outv, int64_t out_row, int64_t out_step)
{
    const T *x = xv;
    T *out = outv;
    if (x_step == 1 && out_step == 1)
        COPY(1, 1);
    else if (x_step == 2 && out_step == 1)
        COPY(2, 1);
    else
        COPY(x_step, out_step);
}

#undef COPY
#undef T
#undef SUFFIX
