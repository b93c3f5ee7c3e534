/* tiled_lanes.h -- what a solve in tiles is made of, for the files that make it (tiled_lanes.c) and run it
 * (tiled.c). */
#ifndef SOLVER_TILED_LANES_H
#define SOLVER_TILED_LANES_H

#include "solver/convoy.h"
#include "solver/tiled.h"
#include "solver/tiled_theta.h"

/* Of both sizes of tiles. */
struct tiled_lane {
    struct field *field[2];
    struct solver solver[2];
    struct state_layout layout[2]; /* of the tile at hand; solvers keep pointers to it */
    struct events *events;         /* of a sample; NULL: there are none */
    struct solve_options options;  /* with these, while there is a run */
    char *own, *scratch;           /* gradients of parameters, for tiled_theta_add */
};

struct tiled {
    struct tiles tiles;
    int64_t n, share;           /* elements of the state, and of a sample */
    int by_sample;              /* tiles are samples, each with steps of its own */
    struct state_layout layout; /* of a sample, by_sample */
    struct tiled_lane *lanes;
    struct solve_record *records; /* of each tile */
    struct solve_stats *stats;
    struct event_log *logs;        /* of each sample; NULL: there are no events */
    struct tiled_theta by_entries; /* n 0: gradients of parameters are added up as fields make them */
    int entries;                   /* parameters have entries for the samples: they are bound for each */
    const void *const *parameters; /* those of the latest run */
    int bound;                     /* the fields of lanes are bound to them */
    char *failed;                  /* which samples, in the latest run */
    struct report failure;         /* the one that is shown, where they are returned */
    char *theta;                   /* gradient of the parameters, as tiles add it up */
    struct convoy **convoy;        /* of each thread; NULL: there are none */
    struct tiles crew;             /* the threads with a convoy: cut anew at each run */
    char *left;                    /* samples that these have not solved, in the latest run */
    struct convoy_turn *turn;      /* the samples as they go back, in groups; NULL: they do not */
    struct convoy_group *group;
};

/* All samples but those that are marked in t->left go abreast; returns through *left whether there are such.
 * Of the trip what is not the tiled's own is set. */
enum status tiled_go(struct tiled *t, struct convoy_trip *trip, int *left);
/* Do they go back abreast? */
int tiled_returns(const struct tiled *t, const struct gradient *whole);
/* They do, unless *left: then all have to go back alone. The gradient of the parameters into t->theta, by
 * entries of the samples into thetabar. */
enum status tiled_return(struct tiled *t, const struct gradient *whole, void *thetabar, int *left);

#endif
