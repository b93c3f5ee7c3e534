#include "solver/output.h"

#include <math.h>
#include <string.h>

#include "solver/march.h"

/* An output time within rounding of the end is the end, so that grids written as 0.1 + 0.2 hit their
 * points. */
static double position(const struct clock *c, const struct step *p, double at, double rounding)
{
    return fabs(at - c->goal) <= rounding ? 1 : (at - c->t) / p->h;
}

static enum status write(struct march *m, const struct step *p, double theta, char *out)
{
    if (theta != 1) return solver_interpolate(m->s, m->f, &m->o->method, p, theta, out);
    memcpy(out, m->s->next[0], solver_bytes(m->s));
    return STATUS_OK;
}

/* The outputs that lie in the step, as far as it goes. */
static enum status output_accepted(struct observer *self, struct march *m, const struct step *p,
                                   double *theta)
{
    struct output *o = (struct output *)self;
    const struct clock *c = &m->clock;
    double end = *theta < 1 ? clock_time(c, p, *theta) : c->goal;
    double rounding = 4 * DBL_EPSILON * fmax(fabs(c->goal), fabs(c->t));
    for (; o->next < o->n && (o->times[o->next] - end) * c->direction <= rounding; o->next++) {
        double at = position(c, p, o->times[o->next], rounding);
        if (*theta < 1 && at > *theta) at = *theta;
        TRY(write(m, p, at, o->out + (size_t)o->next * solver_pitch(m->s)));
        if (o->record) record_output(o->record, o->next, c->accepted, at);
    }
    return STATUS_OK;
}

void output_lacks_rest(struct output *o, const struct solver *s)
{
    for (; o->next < o->n; o->next++) {
        char *out = o->out + (size_t)o->next * solver_pitch(s);
        for (int64_t i = 0; i < s->n; i++)
            if (s->dtype == FLOAT32)
                ((float *)out)[i] = NAN;
            else
                ((double *)out)[i] = NAN;
    }
}

void output_begin(struct output *o, struct solver *s, const double *times, int64_t n, void *out,
                  struct solve_record *record)
{
    *o = (struct output){.base = {.accepted = output_accepted},
                         .times = times,
                         .n = n,
                         .next = 1,
                         .out = out,
                         .record = record};
    memcpy(out, s->carry[0], solver_bytes(s));
    if (record) record_output(record, 0, -1, 0);
}
