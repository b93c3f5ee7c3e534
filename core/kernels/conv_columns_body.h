/* Between an image and its columns, for conv_columns.c; see paste.h. `image` is one group of the first of so
 * many images. */
static void TYPED(to_columns)(const struct columns_plan *p, int64_t images, const T *image, T *columns)
{
    const struct conv *s = p->s;
    for (int64_t c = 0; c < p->cg; c++)
        for (int64_t tap = 0; tap < p->taps; tap++)
            for (int64_t m = 0; m < images; m++)
                for (int64_t i = 0; i < s->oh && !interrupt_stop(); i++) {
                    struct columns_row r = row_of(p, images, c, tap, m, i);
                    const T *x = image + r.x;
                    T *column = columns + r.column;
                    for (int64_t j = 0; j < s->ow; j++) {
                        int64_t at = j * s->sw + r.left;
                        column[j] = r.inside && at >= 0 && at < s->w ? x[at] : 0;
                    }
                }
}

static void TYPED(add_columns)(const struct columns_plan *p, int64_t images, const T *columns, T *image)
{
    const struct conv *s = p->s;
    for (int64_t c = 0; c < p->cg; c++)
        for (int64_t tap = 0; tap < p->taps; tap++)
            for (int64_t m = 0; m < images; m++)
                for (int64_t i = 0; i < s->oh && !interrupt_stop(); i++) {
                    struct columns_row r = row_of(p, images, c, tap, m, i);
                    const T *column = columns + r.column;
                    T *x = image + r.x;
                    for (int64_t j = 0; j < s->ow; j++) {
                        int64_t at = j * s->sw + r.left;
                        if (r.inside && at >= 0 && at < s->w) x[at] += column[j];
                    }
                }
}

#undef T
#undef SUFFIX
