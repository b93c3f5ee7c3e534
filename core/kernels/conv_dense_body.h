/* Between the weights and the matrix that they fill, for conv_dense.c; see paste.h. Entry ((c, pixel in),
 * (o, pixel out)) is at (c, pixel in) rows + (o, pixel out) columns. */
static void TYPED(spread)(const struct conv *s, const T *w, int64_t rows, int64_t columns, T *matrix)
{
    int64_t taps = s->kh * s->kw, in = s->h * s->w, out = s->oh * s->ow;
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t pixel = 0; pixel < out; pixel++) {
            int64_t from = pixel_under(s, tap, pixel);
            for (int64_t o = 0; from >= 0 && o < s->o; o++)
                for (int64_t c = 0; c < s->c; c++)
                    matrix[(c * in + from) * rows + (o * out + pixel) * columns] =
                        w[(o * s->c + c) * taps + tap];
        }
}

static void TYPED(gather)(const struct conv *s, const T *matrix, T *dw)
{
    int64_t taps = s->kh * s->kw, in = s->h * s->w, out = s->oh * s->ow;
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t pixel = 0; pixel < out; pixel++) {
            int64_t from = pixel_under(s, tap, pixel);
            for (int64_t o = 0; from >= 0 && o < s->o; o++)
                for (int64_t c = 0; c < s->c; c++)
                    dw[(o * s->c + c) * taps + tap] += matrix[((c * in + from) * s->o + o) * out + pixel];
        }
}

#undef T
#undef SUFFIX
