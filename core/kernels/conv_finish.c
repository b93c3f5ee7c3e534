#include "kernels/conv_finish.h"

static void finish_piece(const struct conv_finish *f, int64_t count, char *y, const char *other)
{
    const int64_t n[2] = {1, count}, dense[2] = {0, 1};
    if (f->unary) f->unary(n, y, dense, y);
    if (f->binary && f->second)
        f->binary(n, other, dense, y, dense, y);
    else if (f->binary)
        f->binary(n, y, dense, other, dense, y);
}

void conv_finish_rows(const struct conv *s, const struct conv_pass *c, void *out, int64_t image,
                      int64_t first, int64_t rows)
{
    const struct conv_finish *f = s->finish;
    if (!f) return;
    size_t size = dtype_size(s->dtype);
    int whole = rows == c->oh; /* planes follow each other */
    int64_t pieces = whole ? 1 : c->to, planes = whole ? c->to : 1, pixels = rows * c->ow;
    const int64_t one[2] = {1, 0}, bias_n[2] = {planes, pixels}, pitch[2] = {c->oh * c->ow, 1};
    for (int64_t i = 0; i < pieces; i++) {
        size_t at = (size_t)(((image * c->to + i) * c->oh + first) * c->ow) * size;
        char *y = (char *)out + at;
        if (f->bias)
            loops->binary[BINARY_ADD][s->dtype](bias_n, y, pitch, (const char *)f->bias + (size_t)i * size,
                                                one, y);
        finish_piece(f, planes * pixels, y, f->other ? (const char *)f->other + at : NULL);
    }
}
