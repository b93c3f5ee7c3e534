/* ode.h -- what the files about solves share. */
#ifndef BINDINGS_ODE_H
#define BINDINGS_ODE_H

#include "binding.h"
#include "solver/solve.h"

/* The method at a stack index: a name of the list, or coefficients that scripts/tide/ode/tableau.lua has
 * checked, {name, order, error_order, A, b, c, b_error}. */
void method_read(lua_State *L, int index, struct method *method);

/* The table of options, checked and with defaults filled in by scripts/tide/ode/options.lua. Leaves values on
 * the stack that the options borrow. */
void solve_options_read(lua_State *L, int table, struct solve_options *o);
/* {name = value} of the options that the engine reads; those that were not given are missing. */
void solve_options_push(lua_State *L, const struct solve_options *o);

/* The solver sees bare memory: a dense float (or float64) tensor with one axis is what it takes, nothing
 * else. `what` names it in the error. */
const struct array *vector_check(lua_State *L, const struct array *a, const char *what, int float64);

/* What each odeint function takes from its argument 3 on: y0 (rank 1, dense), times (rank 1, float64),
 * options, sizes of the parts, batch. */
struct problem {
    struct solve_options options;
    struct state_layout layout;
    const struct array *y0, *times; /* borrowed */
    int stepping;                   /* a stepper is wanted, no solve */
};
void problem_read(lua_State *L, struct problem *p);

/* Numbers of each element and functions of Lua, of checked options for a state of n numbers: into the options
 * and the layout, kept by o->keep. */
void solve_keep_read(lua_State *L, int table, int64_t n, struct solve_options *o,
                     struct state_layout *layout);

/* Pushes of the step at hand: where it begins and ends, its size, its error (nil: steps are fixed), the flat
 * state at its end and, of solves sample by sample, whose it is, from 1; returns how many. step_state_push:
 * the state at a time in it. */
struct march;
int step_push(lua_State *L, struct march *m);
void step_state_push(lua_State *L, struct march *m, double t);

/* A solve that makes one step after the other, of a problem whose state and times are numbers; *field: where
 * to put its field. stepper_finish keeps all that is on the stack, and leaves the stepper on top; own: the
 * field is its own; theta: the numbers of a field that has one parameter, or NULL. */
struct stepper *stepper_push(lua_State *L, const struct problem *p, struct field ***field);
int stepper_finish(lua_State *L, struct stepper *st, int own, const void *theta);

/* The handle of paths (ode_path.c) at an index is given so many, which it owns. */
struct path *path_handle_fill(lua_State *L, int index, int64_t n);

void stats_push(lua_State *L, const struct solve_stats *s);

/* How a function of an event, at the top of the stack, becomes a field, which has n numbers of float64 (0: is
 * like the state). It takes the function off the stack and leaves `keeps` values there that the field lives
 * in. */
struct event_source {
    struct field *(*make)(lua_State *L, void *context, int n);
    void *context;
    int keeps;
};
/* The events of checked options, in a userdata on the stack, with what they live in above it; NULL, and
 * nothing pushed: there are none. Who owns them from then on puts NULL into the userdata. */
struct events;
struct events **events_read(lua_State *L, int options, const struct event_source *source);
/* What happened becomes a part of the statistics at the top of the stack: events and t_end; with per_sample
 * the events of all samples, in the order of their times, and a t_end for each. */
void events_push(lua_State *L, const struct events *e, const struct solve_stats *stats);
void ends_push(lua_State *L, const struct solve_stats *stats, int64_t n); /* these */
struct event_log;
void events_push_samples(lua_State *L, const struct events *e, const struct solve_stats *stats,
                         const struct event_log *logs, int64_t n, int64_t width); /* numbers of a sample */
/* Counts of each of n samples become `samples` of the statistics on top; NULL: all are 0. */
void samples_push(lua_State *L, const struct solve_stats *samples, int64_t n, int switches);
struct odeint;
void events_push_of(lua_State *L, const struct odeint *op);

#endif
