#include "solver/defect.h"

#include <string.h>

#include "kernels/loops.h"
#include "solver/family.h"

char *defect_begin(struct defect *d, char *memory, size_t vector)
{
    *d = (struct defect){.slope = memory, .start = memory + vector, .work = memory + 2 * vector};
    return memory + DEFECT_VECTORS * vector;
}

static int is_euler(const struct tableau *t) { return !t->adaptive; }

/* Does the error need f at the end of the step? */
static int needs_end(const struct tableau *t) { return t->fsal && t->e[t->stages - 1] != 0; }

/* Does it need stages that the next y does not? */
static int needs_more(const struct tableau *t)
{
    for (int j = t->weighted; j < t->stages - needs_end(t); j++)
        if (t->e[j] != 0) return 1;
    return 0;
}

/* Does the step behind start where this one ends, with the same f? */
static int goes_on(const struct backward *b, int64_t step)
{
    return step + 1 < b->r->n && record_time(b->r, step + 1) == b->p.end;
}

/* f at the start of a step of Euler's method is seen from where the step ended. */
static enum status euler_basis(struct backward *b, int64_t step)
{
    const struct method *m = &b->o->method;
    const struct step *p = &b->p;
    struct solver *s = b->s;
    b->defect->end = b->defect->slope;
    if (goes_on(b, step)) {
        const void *ends[] = {b->defect->start, s->carry[0]};
        loops->combine[s->dtype](s->n, NULL, 2, (double[]){1 / p->h, -1 / p->h}, ends, s->k[0].v);
        return STATUS_OK;
    }
    TRY(m->family->again(s, b->f, m, p, AGAIN_NEXT, 0));
    b->defect->end = s->k[1].v;
    return solver_eval(s, b->f, p->end, s->next[0], 1);
}

enum status defect_basis(struct backward *b, int64_t step, int have)
{
    const struct method *m = &b->o->method;
    const struct tableau *t = &m->rk;
    const struct step *p = &b->p;
    struct solver *s = b->s;
    if (is_euler(t)) return euler_basis(b, step);
    int known = !needs_end(t) || goes_on(b, step);
    b->defect->end = needs_end(t) && known ? b->defect->slope : s->k[t->stages - 1].v;
    s->slope_ready = 0;
    if (needs_more(t)) return m->family->step(s, b->f, m, p);
    return m->family->again(s, b->f, m, p, known ? AGAIN_BACK : AGAIN_ALL, have);
}

static double dot(enum dtype dtype, int64_t n, const void *a, const void *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += dtype == FLOAT32 ? (double)((const float *)a)[i] * (double)((const float *)x)[i]
                                : ((const double *)a)[i] * ((const double *)x)[i];
    return sum;
}

void defect_add(struct backward *b)
{
    const struct method *m = &b->o->method;
    const struct step *p = &b->p;
    struct defect *d = b->defect;
    struct solver *s = b->s;
    double w[MAX_K] = {-p->h / 2, p->h / 2};
    const void *k[MAX_K];
    int n = is_euler(&m->rk) ? 2 : m->family->error(m, p, w), count = 0;
    for (int j = 0; j < n; j++) {
        if (w[j] == 0) continue;
        k[count] = j < n - 1 ? s->k[j].v : d->end;
        w[count++] = w[j];
    }
    loops->combine[s->dtype](s->n, NULL, count, w, k, d->work);
    d->sum += dot(s->dtype, s->n, b->carry_bar[0], d->work);
    memcpy(d->slope, s->k[0].v, b->bytes);
    memcpy(d->start, s->carry[0], b->bytes);
}
