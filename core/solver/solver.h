/* solver.h -- the vectors of a solve of one size and arithmetic on them: memory that is reused from solve to
 * solve.
 *
 * A record keeps the vectors of an accepted step as they are, so nothing is copied: the solver then takes
 * them from the record's pool, and takes others when it moves on. */
#ifndef SOLVER_SOLVER_H
#define SOLVER_SOLVER_H

#include "autodiff/field.h"
#include "base/status.h"
#include "solver/automatic.h"
#include "solver/method.h"
#include "solver/multistep.h"
#include "solver/pool.h"
#include "solver/step.h"

#define MAX_CARRY 16

struct linear;
struct solve_options;
struct state_layout;
struct march;

/* A vector of the basis, and what the field kept where it was evaluated (field.h, eval_keep), or NULL. */
struct slot {
    char *v;
    void *kept;
};

/* Zero-initialise, reuse, free. */
struct solver {
    int64_t n;
    enum dtype dtype;
    int n_carry, n_k;
    char *block;
    size_t block_bytes;
    char *carry[MAX_CARRY],
        *next[MAX_CARRY];       /* see family.h; carry[0] is y, next[0] is y at the end of the step */
    unsigned history, recorded; /* bits of the carry: see family.h; those that a record holds */
    struct slot k[MAX_K];
    char *stage_input, *spare; /* anybody's, between two calls */
    int slope_ready;           /* k[0] is f(t, y) already */
    int end_ready;             /* k[2] of a method that varies its order is f at the end of the step */
    int dense_ready;           /* those k that only interpolation needs are made */
    unsigned plain;            /* bits of rows that could not be solved for, see coupled_rows.h */
    /* Of implicit families: systems, owned; the solve that is under way; what it remembers, see newton.h. */
    struct linear *linear;
    const struct solve_options *options;
    const struct state_layout *layout;
    struct {
        struct step_newton made; /* the Jacobian that is there; what the step at hand took of it */
        int renew;               /* the next step takes a new one */
        int at_hand;             /* it is there, of the step at hand, which was made just now */
        double eta;              /* of coupled stages, what their iterations left (struct newton) */
        int64_t unrefined;       /* accepted steps with rows that could not be solved for */
        double rate;             /* of bdf, how its corrections shrink, 1: not known */
        const void *slope;       /* f at the beginning of the step, where that is known before; or NULL */
        double rejected;         /* beginning of the last step that was too long */
    } newton;
    int exact_rate;      /* of Rosenbrock methods: the field has df/dt */
    double linear_g;     /* of multistep methods: linear has I - g df/dy, 0: of no use */
    int linear_age;      /* steps since then */
    struct adams adams;  /* of the last step by one */
    struct march *march; /* the solve that is under way */
    /* Of a record, while a solve has one: where vectors come from and what fields keep, or NULL. given: what
     * the record has of the step at hand: vectors of the carry, vectors k, and what was kept at k. */
    struct pool *vectors, *kept;
    struct {
        int carry, k, kept; /* of each, so many */
    } given;
    char *held; /* of who looks at two steps, see solver_held */
    size_t held_bytes;
    /* The solve of a tile: its state is elements [first, first + n) of states of `whole` elements, and arrays
     * of states (outputs and their cotangents) have those of the whole. whole 0: the state is the whole.
     * cancelled: another tile has failed, if not NULL. */
    int64_t first, whole;
    const _Atomic int *cancelled;
    double begun;   /* when the whole began, where there is a limit of time; 0: the solve is the whole */
    char *backward; /* memory of gradients, see solver_backward */
    size_t backward_bytes;
    struct solver *adjoint; /* of the backward solve */
    struct report failure;  /* of the last solve, where it was returned */
    struct turns turns;     /* of the last solve by a pair of methods */
};

/* Vectors of the solver's own. */
enum status solver_reserve(struct solver *s, int64_t n, enum dtype dtype, const struct method *m);
void solver_release(struct solver *s);
/* Its own vectors again, where those of a record were. */
void solver_take_own(struct solver *s);
/* `bytes` of memory for a gradient, the same from call to call; NULL when there is none left. */
char *solver_backward(struct solver *s, size_t bytes);
/* The same for who looks at two steps. */
char *solver_held(struct solver *s, size_t bytes);
/* Bytes from one output state to the next. */
size_t solver_pitch(const struct solver *s);
static inline size_t solver_bytes(const struct solver *s)
{
    return (size_t)s->n * dtype_size(s->dtype);
} /* of a vector */
/* STATUS_INTERRUPTED when someone asked to stop, or another tile has failed. */
enum status solver_poll(const struct solver *s);

/* out = y + sum_j (h w_j) k_j, j < count; y NULL: nothing. */
void solver_combine(struct solver *s, const void *y, double h, const double *w, int count, void *out);
/* k[i] = f(t, input), with what the field keeps for the backward pass where a record wants it. */
enum status solver_eval(struct solver *s, struct field *f, double t, const void *input, int i);
/* k[i] and k[j], with what was kept there, change places. */
void solver_swap(struct solver *s, int i, int j);
/* y at theta of the step, 0 < theta < 1; out may be the spare vector. */
enum status solver_interpolate(struct solver *s, struct field *f, const struct method *m,
                               const struct step *p, double theta, void *out);
/* Its derivative by theta there, 0 <= theta <= 1; out is not the spare vector. */
enum status solver_slope(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                         double theta, void *out);
int solver_is_finite(const struct solver *s, const void *y);
/* The next carry becomes the carry; what a record was given is replaced. */
enum status solver_move(struct solver *s);

#endif
