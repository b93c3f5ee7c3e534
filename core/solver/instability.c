#include "solver/instability.h"

#include <math.h>

#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/family.h"
#include "solver/march.h"

static double square(const struct solver *s, const void *x)
{
    return loops->scaled_sum[s->dtype](s->n, x, x, 0, 1);
}

/* Of y at the beginning of the step, with f there. */
static int pulled_back(const struct solver *s, double h)
{
    const void *parts[] = {s->carry[0], s->k[0].v};
    loops->combine[s->dtype](s->n, NULL, 2, (double[]){1, h}, parts, s->spare);
    return square(s, s->spare) - h * h * square(s, parts[1]) < 0; /* |y|^2 + 2 h y.f */
}

static enum status instability_accepted(struct observer *self, struct march *m, const struct step *p,
                                        double *theta)
{
    struct instability *d = (struct instability *)self;
    double before = d->size;
    (void)theta;
    d->size = sqrt(square(m->s, m->s->carry[0]));
    if (p->past == 0 || d->size <= before || !pulled_back(m->s, p->h)) {
        d->steps = 0;
        return STATUS_OK;
    }
    if (d->steps++ == 0) d->calm = before + m->o->atol * sqrt((double)m->s->n);
    return d->steps >= INSTABILITY_STEPS && d->size > INSTABILITY_GROWTH * d->calm ? failure_unstable(m)
                                                                                   : STATUS_OK;
}

int instability_looks(const struct solve_options *o)
{
    double most = 0;
    for (int i = 0; i < o->method.rk.stages; i++) most = fmax(most, fabs(o->method.rk.e[i]));
    return o->adaptive && o->method.family == &family_explicit && most < INSTABILITY_WEIGHT;
}

void instability_begin(struct instability *d)
{
    *d = (struct instability){.base = {.accepted = instability_accepted}};
}
