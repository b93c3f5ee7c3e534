/* options.h -- what a solve is told, and the table that says so to everybody.
 *
 * Each option is one row of options.c: what Lua checks and help says (scripts/tide/ode/options.lua), how a
 * Lua table becomes a struct solve_options and what tide.explain shows (bindings/ode_options.c) follow from
 * it. A new option is a row and the code that uses it; where that is C, a member here, too. */
#ifndef SOLVER_OPTIONS_H
#define SOLVER_OPTIONS_H

#include <stddef.h>

#include "solver/controller.h"
#include "solver/linear.h"
#include "solver/method.h"
#include "solver/norm.h"

struct observer;
struct path;
struct events;
struct object;

/* A time that an adaptive solve has to hit. Behind a jump f is another: it is evaluated anew there, and on
 * either side of the jump at the nearest number, so that it does not matter to which side f counts the time
 * itself. */
struct stop {
    double t;
    int jump;
};

enum gradient_kind {
    GRADIENT_DIRECT,
    GRADIENT_ADJOINT,
    GRADIENT_CHECKPOINT,
    GRADIENT_INTERPOLATED,
    GRADIENT_REVERSIBLE,
    GRADIENT_FORWARD,
};

/* What the solve backwards of a continuous adjoint is controlled by: the norm of the solve, for y and for its
 * cotangent, and the gradient of the parameters as a part of its own; the same without that part (Kidger,
 * Chen, Lyons, "Hey, that's not an ODE", 2021), which no step looks at; or another norm, with it. */
enum adjoint_norm {
    ADJOINT_NORM_SAME,
    ADJOINT_NORM_SEMINORM,
    ADJOINT_NORM_PART,
    ADJOINT_NORM_BATCH,
    ADJOINT_NORM_SAMPLE
};

/* Numbers that were not given and have no default are 0. */
struct solve_options {
    struct method method;
    double step_size; /* fixed grid t0 + k h; 0: use `steps` */
    int64_t steps;    /* fixed grid of so many equal steps over the span */
    enum linear_kind jacobian;
    struct jacobian_own *own_jacobian; /* in place of the field's, unless NULL; borrowed */
    double newton_tol;                 /* share of the error norm; 0: not given */
    double newton_goal;                /* derived: the same, 0: down to rounding */
    int64_t max_newton;
    double rtol, atol, first_step; /* first_step 0: chosen by solve_initial_step */
    double safety;                 /* 0: of the method; that of the controller is derived */
    double min_step, max_step;     /* of adaptive steps; max_step 0: none */
    const struct stop *stops;      /* in ascending order; borrowed */
    int64_t n_stops;
    int nonstiff, stiff;        /* of a pair of methods: places in automatic_nonstiff, automatic_stiff */
    int64_t max_order;          /* of a method that varies its order; 0: its highest */
    int64_t max_steps, max_nfe; /* max_nfe 0: any number */
    double max_seconds;         /* 0: any time */
    int return_failures;        /* on_failure = "return": see solve() */
    struct controller controller;
    enum norm_kind norm;
    struct norm_own *own_norm; /* in place of it, unless NULL; borrowed */
    int overshoot;             /* final = "interpolate": step past the end and interpolate back */
    enum gradient_kind gradient;
    /* GRADIENT_CHECKPOINT: keep every so many-th state; or, where they are given, so many in all, or what
     * fits so many bytes */
    int64_t checkpoint_steps, checkpoints, memory;
    double adjoint_rtol, adjoint_atol; /* continuous adjoint */
    struct method adjoint_method;      /* of its solve backwards; family NULL: that of the solve */
    enum adjoint_norm adjoint_norm;
    int defect;                  /* the direct gradient sums it up, see defect.h */
    double reconstruction_limit; /* it is refused when y, solved backwards, misses the stored y by more
                                    tolerances than this */
    int adaptive;                /* derived: there is no fixed grid */
    int predicts;                /* derived: steps shrink with errors that grow (clock.c) */
    double unsolved_factor;      /* derived: of a step behind one whose equations had no solution */
    struct events *events;       /* borrowed; NULL: none */
    int ends_at_event; /* it is a failure where none of them ends the solve; its end may be infinite */
    int per_sample;    /* each sample is a solve by itself (tiled.h) */
    int in_order;      /* these come one after the other, on this thread: somebody looks at them */
    struct observer *observers; /* asked before those of the solve, in the order of the list; borrowed */
    struct path *path;        /* asked behind events and outputs; of samples one each; NULL: none; borrowed */
    struct observer *on_step; /* the last that is asked; NULL: none; borrowed */
    struct object *keep;      /* what is borrowed lives in it; an op holds on to it; NULL: no need */
};

/* What follows from the other members: adaptive, and the controller's formula. */
void solve_options_derive(struct solve_options *o);

/* The name of a kind of gradient, NULL behind the last; whether it is there for a method. */
const char *solve_gradient_name(int kind);
/* Does it go back through the steps that were taken? */
int solve_gradient_is_discrete(enum gradient_kind kind);
int solve_has_gradient(const struct method *m, enum gradient_kind kind);

/* ---- the table ---- */

enum option_kind {
    OPTION_NUMBER,  /* double */
    OPTION_INTEGER, /* int64_t */
    OPTION_FLAG,    /* int */
    OPTION_CHOICE,  /* an enum, or an int: the place of the word in `choices` */
    OPTION_OTHER,   /* of the Lua types `type`, read by code of its own */
};

/* What a fixed grid (step_size or steps) makes of an option that steers steps that adapt. */
enum option_grid {
    GRID_USES,    /* it is none of these */
    GRID_IGNORES, /* a model's own tolerances may stand beside a grid that is given later */
    GRID_REFUSES, /* what it asks for would be missed without a word */
};

struct solve_option {
    const char *name;
    enum option_kind kind;
    const char *type;                  /* of OPTION_OTHER: "table|tensor", "any", see base/options.lua */
    const char *also;                  /* of the others: further Lua types, read by code of its own */
    const char *preset, *preset_fixed; /* the default as text, NULL: none; on a fixed grid, NULL: the same */
    const char *same_as;               /* the default is the value of this option */
    double low, high;                  /* numbers in low..high; low == high: any */
    int open;                          /* low itself is not allowed */
    const char *const *choices;        /* ends with NULL */
    enum option_grid grid;
    size_t offset, size; /* in struct solve_options; size 0: Lua, or code of its own, reads it */
    const char *heading; /* of this row and those that follow, NULL: that of the row before */
    const char *help;
};

/* Row i, in the order in which help shows them; NULL behind the last. */
const struct solve_option *solve_option(int i);

#endif
