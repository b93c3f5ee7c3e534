#include "solver/output.h"

#include <math.h>
#include <string.h>

#include "solver/march.h"

/* y with which the next step begins, theta of this one having been made. */
static enum status write_end(struct march *m, double theta, char *out)
{
    if (theta < 1 && !m->after) return march_inside(m, theta, out);
    memcpy(out, m->after ? m->after : m->s->next[0], solver_bytes(m->s));
    return STATUS_OK;
}

/* The outputs that lie in the step, as far as it goes; all that are left, where it is the last. An output
 * time within rounding of the end is the end, so that grids written as 0.1 + 0.2 hit their points; the record
 * knows that as 1, also of a step that was cut. */
static enum status output_accepted(struct observer *self, struct march *m, const struct step *p,
                                   double *theta)
{
    struct output *o = (struct output *)self;
    const struct clock *c = &m->clock;
    double end = *theta < 1 ? clock_time(c, p, *theta) : c->goal;
    double rounding = clock_rounding(c);
    /* at the end of the step before, by rounding, and so at an event that comes at once */
    while ((m->after || m->ended) && o->next > 1 && (end - o->times[o->next - 1]) * c->direction <= rounding)
        o->next--;
    for (; o->next < o->n; o->next++) {
        double t = o->times[o->next];
        if ((t - end) * c->direction > rounding && !m->ended) return STATUS_OK;
        int at_end = (end - t) * c->direction <= rounding;
        double at = at_end ? 1 : (t - c->t) / p->h;
        char *out = o->out + (size_t)o->next * solver_pitch(m->s);
        TRY(at_end ? write_end(m, *theta, out) : march_inside(m, at, out));
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
