/* odeint_op.h -- a solve as an op of a tape, for the files that make it: odeint.c is the op,
 * odeint_gradient.c its vjp, which is an op again, odeint_tangent.c the vjp of that. */
#ifndef SOLVER_ODEINT_OP_H
#define SOLVER_ODEINT_OP_H

#include "autodiff/vjp.h"
#include "solver/odeint.h"
#include "solver/tiled.h"

/* The object of nodes that are gradients of a solve, which it owns a reference to. While there is one, all
 * such nodes of that solve share it, so that equal nodes are seen to be equal; those with gradients of times
 * have one of their own. */
struct odeint_forward;
struct odeint_gradient {
    struct custom custom;
    struct odeint *solve;
    int by_times;                   /* behind the others it gives the gradient of the times */
    struct odeint_forward *forward; /* of gradient = "forward", else NULL; for those alone whose gradient is
                                       wanted: y0, the times, theta... Nodes do not share it. */
    char *wanted;
};

/* The object of nodes that are solves. */
struct odeint {
    struct custom custom;
    struct odeint_gradient *gradient[2]; /* not owned; NULL: there is none; [1] with that of the times */
    struct field *field;
    struct solve_options options;
    struct state_layout layout;
    int recording;       /* someone wants the gradient */
    int by_times;        /* and that of the times */
    unsigned works;      /* that field or tiles are ready for */
    struct tiled *tiled; /* where the batch is solved tile by tile; the field itself is then not made ready */
    struct solver solver;
    struct solve_record record;
    struct solve_stats stats;
    char *own_thetabar; /* gradients of the field's own parameters */
    double *times_bar;
    char *states_bar;       /* of a solve that ends at an event, in its dtype */
    char *event_theta;      /* gradients of parameters by what events do */
    const void **addresses; /* of the parameters */
    struct stop *stops;     /* the options' own */
    char *start;            /* the method's own: states that were given */
    char *
        states; /* of a gradient that solves forwards again; of a solve that ends at an event, in its dtype */
};

/* How many ends stand behind its states: 0 where it does not end at an event. */
int64_t odeint_ends(const struct odeint *op);
/* Note where the parameters are. Returns whether they were elsewhere. */
int odeint_note_addresses(struct odeint *op, const struct array *theta, int n);
/* The solve behind the object of a gradient, NULL when it is none. */
struct odeint *odeint_of_gradient(const struct custom *object);

/* ---- what rules emit; a failure is noted on the tape ---- */

/* A node of `object` with the inputs a, b, rest[0..n). */
int odeint_emit_node(struct tape *t, struct custom *object, int a, int b, const int *rest, int n);
/* The gradient of the solve `states` of `inputs` (y0, times, theta...), of which some are wanted, or all of
 * them are made; if that of the times is, it is the last part. */
int odeint_emit_gradient(struct tape *t, struct odeint *op, const char *wanted, int states, int statesbar,
                         const int *inputs, int n_inputs);
/* The next part of a flat gradient: what belongs to node `like`, in its shape and dtype; *at moves past it.
 * -1 where it is not wanted, or where there is none because `like` has no gradient. */
int odeint_emit_part(struct tape *t, int flat, int64_t *at, int like, int wanted);
/* All that a run needs is made; and a run, given where the parameters are. */
enum status odeint_ready(struct odeint *op);
enum status odeint_run(struct odeint *op, const void *const *parameters, const void *y0, const double *times,
                       int64_t n_times, void *states);
/* The solve of the tangent equation: its state is a pair, of y and v, or such a pair for each of so many
 * samples (field_tangent). */
enum status odeint_tangent(const struct odeint *op, struct odeint **out);
int64_t odeint_pairs(const struct odeint *op);
/* The derivative of a gradient (odeint_tangent.c). */
void odeint_gradient_vjp(struct custom *self, struct vjp *v);

#endif
