/* convoy_places.h -- what a convoy is made of, for the files that make it and let samples in and out
 * (convoy_places.c), that move it (convoy.c) and that take it back (convoy_return.c, a step: convoy_back.c).
 */
#ifndef SOLVER_CONVOY_PLACES_H
#define SOLVER_CONVOY_PLACES_H

#include "base/tuning.h"
#include "solver/backward.h"
#include "solver/clock.h"
#include "solver/convoy.h"
#include "solver/record.h"

enum { NOBODY = -1 };

/* A sample under way. */
struct rider {
    int64_t sample; /* NOBODY: its place is free */
    struct clock clock;
    struct step p;                   /* that is tried next */
    int64_t next;                    /* of the output times */
    int64_t nfe;                     /* evaluations of f, of those that this sample needed */
    int ready;                       /* k[0] is f(t, y) */
    struct derivative_growth growth; /* of a tangent */
    int made, writes,
        inside; /* the step at hand was accepted; there are outputs in it; some before its end */
};

/* A sample on its way back. */
struct returner {
    int64_t sample, steps, output; /* steps that are left; the last output of these */
    int64_t nfe;
    struct step p;           /* at hand */
    struct retriever *carry; /* of a record of some of the steps; NULL: they are all there */
    double before;           /* the size of the cotangent behind the step */
    struct derivative_growth growth;
};

/* Who makes the others again. */
struct retriever {
    struct solver s;
    struct backward b;
};

/* Cotangents, a place after the other. */
struct way_back {
    struct returner *rider;
    struct retriever *retriever; /* of each place; NULL: of none */
    char *block;                 /* NULL: the convoy does not go back */
    char *lambda;                /* of y behind the steps at hand */
    char *kbar, *k_bar[MAX_K];   /* of the k at hand; of the input of each */
    int inside;                  /* there are outputs inside of the steps at hand: what they give */
    char *start, *outside[MAX_K], given[MAX_K]; /* to y, to each k, and to which */
    char *none;                                 /* zeros */
    char *theta, *part, *scratch;               /* gradients of the parameters: the sum, of an evaluation */
    int plain;                                  /* evaluations of a step without such outputs */
    int alone_bound;                            /* the field of a sample is */
};

/* Places side by side, and the field for them: few where few are left. */
struct width {
    struct field *field;
    int64_t places;
    int bound; /* to those that are in their places */
};

struct convoy {
    const struct tableau *rk;
    struct state_layout layout; /* of a sample */
    int64_t share, n;           /* numbers of a sample; places that are in use */
    enum dtype dtype;
    size_t bytes; /* of a sample */
    int entries;  /* parameters have entries for the samples */
    struct width width[CONVOY_WIDTHS];
    int n_widths, at;
    struct rider *rider;
    int64_t *samples; /* in the places */
    double *moments, *h, *square, *square_low;
    char *block, *y, *next, *input, *k[MAX_K]; /* a place after the other */
    /* Those that begin next, which have been looked at together. */
    struct {
        int64_t first, n, at;
        double *h;
        struct probe *probe;
        char *slope;
    } waiting;
    struct convoy_trip *trip;
    struct way_back back;
    struct field *alone; /* cut to one sample */
    struct solver like;  /* of its size, for records */
};

static inline char *convoy_place(const struct convoy *c, char *v, int64_t i)
{
    return v + (size_t)i * c->bytes;
}

/* f of all places, at c->moments. */
enum status convoy_evaluate(struct convoy *c, const void *input, void *slope);
/* out = y + h sum_j w[j] k[j], j < count, of all places. */
void convoy_combine(struct convoy *c, const double *w, int count, void *out);
/* A step back of the first *n places, which are fewer when some have come to their beginning; the first of
 * them: the other places are made ready. */
enum status convoy_step_back(struct convoy *c, struct convoy_home *home, int64_t *n, int first);
/* What the way back needs. */
enum status convoy_make_back(struct convoy *c, const struct solve_options *o);
void convoy_free_back(struct convoy *c);
/* Free places are taken, while somebody waits; fewer of them are gone on with where few riders are left. */
enum status convoy_fill(struct convoy *c);
/* The step that is tried next; whoever has none is there, or is left to a solve of its own. */
void convoy_next_step(struct convoy *c, struct rider *r);
/* The place becomes free. */
void convoy_leave(struct convoy *c, struct rider *r);
int convoy_is_finite(const struct convoy *c, const void *v);

#endif
