/* A step of an optimiser (optim.c): the arguments' check, the guard against numbers that are not finite, and
 * what a rule (optim_rules.c) adds to them. */
#ifndef TIDE_OPTIM_H
#define TIDE_OPTIM_H

#include <lua.h>
#include <stdint.h>

#include "tensor/tensor.h"

#define MAX_SLOTS 3

/* One parameter: n numbers p, the gradient g, what is kept for it (NULL: nothing). */
struct optim_group {
    enum dtype dtype;
    int64_t n;
    void *p, *slot[MAX_SLOTS];
    const void *g;
};

/* Largest magnitudes of one parameter's numbers, or bounds of them. */
struct optim_peaks {
    double p, g, slot[MAX_SLOTS];
};

/* The numbers of one dtype: nothing that is computed may exceed `most`. A slot is in its usual range when it
 * does not exceed `usual`, or `most` where it holds squares. */
struct optim_range {
    double most, usual;
};
struct optim_rule {
    int slots;
    const void *options;
    void (*update)(const struct optim_group *u, const void *options);
    /* Can it be told from the peaks that the update stays below `most` and leaves the slots in their usual
     * range? */
    int (*is_safe)(const struct optim_peaks *k, struct optim_range r, const void *options);
    int is_square[MAX_SLOTS];
};

/* The step, with name, lists of parameters and gradients, and of each slot (or nil) at 1, 2, 3, 4 ...; pushes
 * true when the slots now lie in their usual range, false when that is not known, or a fault. */
int optim_step(lua_State *L, int known, const struct optim_rule *rule);

#endif
