/* The coefficients of the implicit Runge-Kutta methods. Alexander 1977 (sdirk2). */
#include "solver/tableau.h"

#define GAMMA 0.29289321881345247560 /* 1 - 1/sqrt 2 */

static const struct tableau tableaus[] = {
    {.name = "implicit_midpoint",
     .order = 2,
     .stages = 1,
     .interpolation = INTERPOLATE_STAGES,
     .c = {0.5},
     .a = {{0.5}},
     .b = {1}},
    {.name = "sdirk2",
     .stability = "L",
     .order = 2,
     .stages = 2,
     .interpolation = INTERPOLATE_STAGES,
     .c = {GAMMA, 1},
     .a = {{GAMMA}, {1 - GAMMA, GAMMA}},
     .b = {1 - GAMMA, GAMMA}},
};

const struct tableau_list tableaus_implicit = {.row = tableaus, .n = sizeof tableaus / sizeof *tableaus};
