/* Symplectic methods for H(q, p) = T(p) + V(q): the state is {p, q}, dq = dT/dp and dp = -dV/dq. Each stage
 * of an explicit tableau moves one of the two and leaves the other where it is, so its k has zeros there;
 * weights, interpolant and gradients are those of the explicit family.
 *
 *   leapfrog_verlet   p_half = p + h/2 dp(t, q)
 *                     q' = q + h dq(t + h/2, p_half)
 *                     p' = p_half + h/2 dp(t + h, q')          which is the next step's first dp
 *
 * (Hairer, Lubich, Wanner, Geometric Numerical Integration, I.1.4: kick, drift, kick. Between the steps: the
 * quadratics with those slopes, for q with dq at the end.) A step costs two evaluations of f; whether dq
 * looks at q, or dp at p, two more find out at the beginning, since the steps would be wrong without a word.
 */
#include <float.h>
#include <string.h>

#include "kernels/loops.h"
#include "solver/explicit.h"

static const struct tableau tableaus[] = {
    {.name = "leapfrog_verlet",
     .order = 2,
     .stages = 3,
     .interpolation = INTERPOLATE_ROWS,
     .dense_order = 2,
     .c = {0, 0.5, 1},
     .a = {{0}, {0.5}, {0.5, 1}},
     .b = {0.5, 1, 0.5},
     .part = {PART_FIRST, PART_SECOND, PART_FIRST, PART_SECOND},
     .extra = 1,
     .power = {{1, 2, 0, -1}, {-0.5, -1, 0.5, 1}}},
};

const struct tableau_list tableaus_symplectic = {tableaus, sizeof tableaus / sizeof *tableaus,
                                                 &family_symplectic};

/* The last dp, for the next step: a record may have taken the stage itself. */
static int last_dp(const struct method *m) { return m->rk.stages + m->rk.extra; }

static void symplectic_sizes(const struct method *m, int *n_carry, int *n_k)
{
    *n_carry = 1;
    *n_k = last_dp(m) + 1;
}

static double size_of(const struct solver *s, const void *v)
{
    return sqrt(loops->scaled_sum[s->dtype](s->n, v, v, 0, 1));
}

/* Does f in one part change when that part of the state does? k[0] is f(t, y), whole; k[1], k[2] and the
 * stage's input are written over. */
static enum status check_part(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                              enum part part)
{
    const void *f_there = s->k[2].v;
    memcpy(s->k[1].v, s->k[0].v, solver_bytes(s));
    explicit_mask(s, m, part, s->k[1].v);
    solver_combine(s, s->carry[0], p->h, (double[]){0, 1}, 2, s->stage_input);
    TRY(field_eval(f, p->t, s->stage_input, s->k[2].v));
    explicit_mask(s, m, part, s->k[2].v);
    double size = size_of(s, s->k[1].v);
    loops->combine[s->dtype](s->n, s->k[1].v, 1, (double[]){-1}, &f_there, s->k[1].v);
    if (size_of(s, s->k[1].v) > 1e3 * (s->dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON) * size)
        return status_set(
            STATUS_ARGUMENT,
            "odeint: %s is for H(q, p) = T(p) + V(q), but %s; take another method (a damping, for "
            "one, makes dp depend on p)",
            m->rk.name, part == PART_FIRST ? "dp depends on p" : "dq depends on q");
    return STATUS_OK;
}

static enum status symplectic_step(struct solver *s, struct field *f, const struct method *m,
                                   const struct step *p)
{
    if (p->number == 0 && !s->slope_ready) {
        TRY(solver_eval(s, f, p->t, s->carry[0], 0));
        TRY(check_part(s, f, m, p, PART_FIRST));
        TRY(check_part(s, f, m, p, PART_SECOND));
        explicit_mask(s, m, m->rk.part[0], s->k[0].v);
        s->slope_ready = 1;
    }
    TRY(explicit_step(s, f, m, p));
    memcpy(s->k[last_dp(m)].v, s->k[m->rk.stages - 1].v, solver_bytes(s));
    return STATUS_OK;
}

/* Kick, drift, kick, with the sign of h changed and from the other end. */
static enum status symplectic_undo(struct solver *s, struct field *f, const struct method *m,
                                   const struct step *p)
{
    const struct tableau *t = &m->rk;
    double w[MAX_K];
    char *input = s->next[0];
    for (int i = 0; i < t->stages; i++) {
        int stage = t->stages - 1 - i;
        TRY(solver_eval(s, f, step_time(p, t->c[stage]), input, i));
        explicit_mask(s, m, t->part[stage], s->k[i].v);
        w[i] = t->b[stage];
        input = i < t->stages - 1 ? s->stage_input : s->carry[0];
        solver_combine(s, s->next[0], -p->h, w, i + 1, input);
    }
    s->slope_ready = 0;
    return STATUS_OK;
}

static void symplectic_moved(struct solver *s, const struct method *m, const struct step *p)
{
    (void)p;
    solver_swap(s, 0, last_dp(m));
    s->slope_ready = 1;
}

const struct family family_symplectic = {.name = "symplectic",
                                         .stability = "imaginary",
                                         .slope = 1,
                                         .parts = 1,
                                         .by_times = 2,
                                         .sizes = symplectic_sizes,
                                         .step = symplectic_step,
                                         .again = explicit_again,
                                         .undo = symplectic_undo,
                                         .kept = explicit_kept,
                                         .dense = explicit_dense,
                                         .moved = symplectic_moved,
                                         .back = explicit_back};
