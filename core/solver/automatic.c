#include "solver/automatic.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/backward.h"
#include "solver/family.h"
#include "solver/linear.h"
#include "solver/march.h"
#include "solver/newton.h"

/* ---- the methods ---- */

/* Nonstiff ones are explicit and notice stiffness; the carry of stiff ones begins with y, and of the rest
 * they use nothing that they have not made since the last change. A record keeps as many k of all steps: of
 * stiff ones no more than of nonstiff ones, whose last stage goes on to the next step. The first of each list
 * is taken where none is asked for. */
const char *const automatic_nonstiff[] = {"tsit5", "dopri5", "bosh3", "vern7", "dopri8", "dop853", NULL};
const char *const automatic_stiff[] = {"radau5", "radau3", "trbdf2", "bdf", NULL};

enum {
    NONSTIFF = sizeof automatic_nonstiff / sizeof *automatic_nonstiff - 1,
    STIFF = sizeof automatic_stiff / sizeof *automatic_stiff - 1
};

static struct method nonstiff_halves[NONSTIFF], stiff_halves[STIFF];

static void make_halves(void)
{
    for (int i = 0; i < NONSTIFF; i++) method_find(automatic_nonstiff[i], &nonstiff_halves[i]);
    for (int i = 0; i < STIFF; i++) {
        method_find(automatic_stiff[i], &stiff_halves[i]);
        method_vary(&stiff_halves[i]);
        stiff_halves[i].loose = 1; /* its steps adapt */
    }
}

int automatic_count(void) { return 1; }
const char *automatic_name(int i) { return i == 0 ? "auto" : NULL; }

/* What stands in a list of methods is that of the nonstiff one, but for what the stiff one has less of. */
void automatic_choose(int nonstiff, int stiff, struct method *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_halves);
    *out = nonstiff_halves[nonstiff];
    out->family = &family_automatic;
    strcpy(out->rk.name, automatic_name(0));
    out->pair[0] = &nonstiff_halves[nonstiff];
    out->pair[1] = &stiff_halves[stiff];
    int dense = out->pair[1]->rk.dense_order;
    if (out->rk.dense_order > dense) out->rk.dense_order = dense;
}

void automatic_get(int i, struct method *out)
{
    (void)i;
    automatic_choose(0, 0, out);
}

/* ---- changing ---- */

void turns_release(struct turns *t)
{
    memory_free(t->at);
    *t = (struct turns){0};
}

static enum status note(struct turns *t, const struct turn *turn)
{
    if (t->n == t->capacity) {
        int64_t next = 2 * t->capacity + 8;
        struct turn *at = memory_realloc(t->at, (size_t)next * sizeof *at);
        if (!at) return memory_status();
        t->at = at;
        t->capacity = next;
    }
    t->at[t->n++] = *turn;
    return STATUS_OK;
}

static enum status turn(struct automatic *a, struct march *m, double t)
{
    int64_t stay = m->clock.accepted - a->began, n = m->clock.accepted + 1;
    int stiff = !m->clock.stiff;
    if (stiff && a->began > 0) a->patience = stay < AUTOMATIC_SHORT ? 2 * a->patience : AUTOMATIC_PATIENCE;
    a->began = n;
    a->products = a->calm = 0;
    m->turns = 1;
    m->s->linear_g = 0; /* no matrix outlasts the steps of the other method */
    stiffness_forget(&m->stiffness);
    return note(&m->s->turns, &(struct turn){.t = t, .step = n, .to = m->o->method.pair[stiff]->rk.name});
}

/* A vector that no symmetry of a problem knows. */
static void begin_power(struct solver *s, char *v)
{
    for (int64_t i = 0; i < s->n; i++) {
        double x = fmod(0.5 + 0.6180339887498949 * (double)(i + 1), 1) + 0.25;
        if (s->dtype == FLOAT32)
            ((float *)v)[i] = (float)x;
        else
            ((double *)v)[i] = x;
    }
}

static double length(const struct march *m, const void *x)
{
    return sqrt(
        loops->scaled_sum[m->s->dtype](stiffness_elements(m), x, m->s->carry[0], m->o->rtol, m->o->atol));
}

/* Another product of the power method; what it says of the spectral radius. */
static enum status spectral_radius(struct automatic *a, struct march *m, double *rho)
{
    struct solver *s = m->s;
    size_t bytes = solver_bytes(s);
    if (!solver_held(s, 2 * bytes)) return memory_status();
    char *v = s->held, *product = s->held + bytes;
    if (a->products++ == 0) begin_power(s, v);
    TRY(linear_product(s->linear, m->f, v, product));
    const void *from = product;
    double before = length(m, v), after = length(m, product), scale = 1 / after;
    *rho = after / before;
    if (!(isfinite(scale) && isfinite(*rho))) {
        a->products = 0;
        return STATUS_OK;
    }
    loops->combine[s->dtype](s->n, NULL, 1, &scale, &from, v);
    return STATUS_OK;
}

static enum status automatic_accepted(struct observer *self, struct march *m, const struct step *p,
                                      double *theta)
{
    struct automatic *a = (struct automatic *)self;
    double rho = 0, end = clock_time(&m->clock, p, *theta);
    if (!p->stiff) return m->stiffness.stiff ? turn(a, m, end) : STATUS_OK;
    TRY(spectral_radius(a, m, &rho));
    int calm = fabs(p->h) * rho < AUTOMATIC_CALM * m->stiffness.boundary;
    a->calm = calm && a->products > AUTOMATIC_PRODUCTS ? a->calm + 1 : 0;
    return a->calm >= a->patience ? turn(a, m, end) : STATUS_OK;
}

int automatic_begin(struct automatic *a, const struct solve_options *o)
{
    *a = (struct automatic){.base = {.accepted = automatic_accepted}, .patience = AUTOMATIC_PATIENCE};
    return o->method.family == &family_automatic;
}

/* ---- steps: those of the method that makes them ---- */

static void automatic_sizes(const struct method *m, int *n_carry, int *n_k)
{
    int least;
    m->pair[0]->family->sizes(m->pair[0], n_carry, &least);
    m->pair[1]->family->sizes(m->pair[1], n_carry, n_k);
    if (*n_k < least) *n_k = least;
}

static unsigned automatic_history(const struct method *m)
{
    const struct family *stiff = m->pair[1]->family;
    return stiff->history ? stiff->history(m->pair[1]) : 0;
}

static int automatic_memory(const struct method *m) { return m->pair[1]->family->memory(m->pair[1]); }

static int automatic_kept(const struct method *m)
{
    int nonstiff = m->pair[0]->family->kept(m->pair[0]), stiff = m->pair[1]->family->kept(m->pair[1]);
    return nonstiff > stiff ? nonstiff : stiff;
}

static enum status automatic_step(struct solver *s, struct field *f, const struct method *m,
                                  const struct step *p)
{
    return made_by(m, p)->family->step(s, f, made_by(m, p), p);
}

static enum status automatic_again(struct solver *s, struct field *f, const struct method *m,
                                   const struct step *p, enum again what, int have)
{
    return made_by(m, p)->family->again(s, f, made_by(m, p), p, what, have);
}

/* The nonstiff one knows a carry of y alone. */
static enum status automatic_dense(struct solver *s, struct field *f, const struct method *m,
                                   const struct step *p, double theta, int evaluate, double *w, int *n)
{
    TRY(made_by(m, p)->family->dense(s, f, made_by(m, p), p, theta, evaluate, w, n));
    if (p->stiff) return STATUS_OK;
    int others = s->n_carry - 1;
    memmove(w + 1 + others, w + 1, (size_t)(*n - 1) * sizeof *w);
    memset(w + 1, 0, (size_t)others * sizeof *w);
    *n += others;
    return STATUS_OK;
}

static void automatic_moved(struct solver *s, const struct method *m, const struct step *p)
{
    made_by(m, p)->family->moved(s, made_by(m, p), p);
}

static enum status automatic_back(struct backward *b, const struct step *p)
{
    const struct method *both = b->m;
    b->m = made_by(both, p);
    enum status status = b->m->family->back(b, p);
    b->m = both;
    return status;
}

const struct family family_automatic = {.name = "automatic",
                                        .stability = "L",
                                        .slope = 1,
                                        .implicit = 1,
                                        .by_times = 2,
                                        .sizes = automatic_sizes,
                                        .history = automatic_history,
                                        .memory = automatic_memory,
                                        .begin = newton_reserve,
                                        .step = automatic_step,
                                        .again = automatic_again,
                                        .kept = automatic_kept,
                                        .dense = automatic_dense,
                                        .moved = automatic_moved,
                                        .back = automatic_back};
