#include "kernels/conv_shape.h"

struct conv_pass conv_pass_of(const struct conv *s, enum conv_kind kind)
{
    if (kind != CONV_INPUT_GRADIENT)
        return (struct conv_pass){s->c, s->o, s->h, s->w, s->oh, s->ow, s->ph, s->pw};
    return (struct conv_pass){
        s->o, s->c, s->oh, s->ow, s->h, s->w, s->dh * (s->kh - 1) - s->ph, s->dw * (s->kw - 1) - s->pw};
}
