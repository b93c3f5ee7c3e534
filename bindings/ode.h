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
};
void problem_read(lua_State *L, struct problem *p);

void stats_push(lua_State *L, const struct solve_stats *s);

#endif
