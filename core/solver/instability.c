#include "solver/instability.h"

#include <math.h>

#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/family.h"
#include "solver/gradient.h"
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

/* ---- derivatives ---- */

int derivative_suspect(struct derivative_growth *g, double before, double after)
{
    double came = fmax(before - g->size, 0); /* from an output, or through an event */
    g->first = g->steps > 0 ? g->first + came : before;
    g->most = fmax(g->most, g->steps > 0 ? came : before);
    g->size = after;
    if (after >= g->first) return 1;
    g->steps = 0;
    return 0;
}

int derivative_unstable(struct derivative_growth *g, double pull)
{
    g->steps = pull < -0.5 ? g->steps + 1 : 0;
    return g->steps >= INSTABILITY_RUN && g->size > INSTABILITY_DERIVATIVE * g->first && g->size > g->most;
}

static double dot(enum dtype dtype, int64_t n, const void *x, const void *y)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += dtype == FLOAT32 ? (double)((const float *)x)[i] * (double)((const float *)y)[i]
                                : ((const double *)x)[i] * ((const double *)y)[i];
    return sum;
}

double derivative_pull(enum dtype dtype, int64_t n, double h, const void *v, const void *slope)
{
    return h * dot(dtype, n, v, slope) / dot(dtype, n, v, v);
}

/* Few numbers are not worth finding a loop. */
double derivative_size(enum dtype dtype, int64_t n, const void *v)
{
    return sqrt(n < 32 ? dot(dtype, n, v, v) : loops->scaled_sum[dtype](n, v, v, 0, 1));
}

int tangent_unstable(struct derivative_growth *g, enum dtype dtype, int64_t n, double h, const void *y,
                     const void *slope, const void *next)
{
    return derivative_suspect(g, derivative_size(dtype, n, y), derivative_size(dtype, n, next)) &&
           derivative_unstable(g, derivative_pull(dtype, n, h, y, slope));
}

static enum status tangent_accepted(struct observer *self, struct march *m, const struct step *p,
                                    double *theta)
{
    const struct solver *s = m->s;
    int64_t n = m->layout->tangents;
    size_t at = (size_t)(s->n - n) * dtype_size(s->dtype);
    if (p->stiff || *theta < 1) return STATUS_OK;
    if (!tangent_unstable(&((struct tangent_watch *)self)->growth, s->dtype, n, p->h, s->carry[0] + at,
                          s->k[0].v + at, s->next[0] + at))
        return STATUS_OK;
    return gradient_unstable(m->clock.t, p->h);
}

int tangent_watch_looks(const struct march *m)
{
    return m->o->adaptive && m->layout->tangents > 0 && m->layout->copies <= 1 &&
           (m->o->method.family == &family_explicit || m->o->method.family == &family_automatic);
}

void tangent_watch_begin(struct tangent_watch *w)
{
    *w = (struct tangent_watch){.base = {.accepted = tangent_accepted}};
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
