/* tape_field.h -- a field made from a tape, for the files that make it: tape_field.c runs it,
 * tape_field_prepare.c makes it ready to run, tape_part.c makes what runs in a tile, tape_field_kinds.c makes
 * other fields of it and reads it. */
#ifndef AUTODIFF_TAPE_FIELD_H
#define AUTODIFF_TAPE_FIELD_H

#include "autodiff/field.h"
#include "autodiff/passes.h"
#include "autodiff/program.h"
#include "autodiff/staged.h"
#include "autodiff/tiles.h"

struct tape_field;

/* The field for one number of samples. Tapes are owned; NULL: not used. */
struct tape_part {
    struct tape *tape;
    int dy[FIELD_PARTS];
    /* Inputs t, y, what is cut beside y, a direction if there are to be derivatives (the vjp's cotangent or
     * the jvp's tangent), for second-order products v and c, what is fixed; outputs dy, for a vjp ybar and
     * one per float parameter, for a jvp ydot, df/dt, for second-order products as for a vjp. Where y has
     * parts, y, dy, the direction and ybar are as many. */
    struct staged *own;
    struct tape *kept_tape; /* inputs t, y, what is cut, the cotangent, what is kept, what is fixed; outputs
                               ybar, one per float parameter */
    int *kept_outputs;
    int jvp_at, rate_at, curve_at; /* where these begin among the outputs of own */
    int n_kept, *kept;             /* nodes of own's body that are kept */
    int64_t *kept_offset;          /* bytes, in the residual of a tile */
    int64_t kept_bytes;
};
/* All but `tape` and `dy`, which are given. */
enum status tape_part_make(struct tape_part *p, const struct tape_field *f, unsigned works);
enum status tape_part_program(const struct tape_part *p, const struct tape_field *f, enum field_work work,
                              struct program **out);
void tape_part_release(struct tape_part *p);

/* Constants with numbers for each sample. */
struct tape_entries {
    const char *data;
    size_t share; /* bytes of a sample's */
};

/* A program has one arena, so every lane has its own. */
struct tape_lane {
    struct program *program[2][FIELD_WORKS]; /* of each part; NULL: the field is not ready for that */
    const void **inputs;
    void **outputs;
};

struct tape_field {
    struct field base;
    struct tape *source; /* as recorded */
    int source_dy;
    unsigned works;            /* what it is ready for */
    struct staged *simplified; /* of the whole batch: its body is the field, its fixed inputs are the field's
                                  parameters; NULL: not prepared */
    int n_inputs, n_float;     /* of the body */
    int64_t *theta_offset;     /* bytes of each float parameter's gradient in thetabar */
    char *theta;               /* for each input of the body: it is a float parameter that has a gradient */
    struct program *theta_vjp; /* inputs: the given parameters, then the gradients of the field's */
    const void **theta_inputs;
    void **theta_outputs;
    const void **given;
    struct tiles tiles;
    int n_y; /* parts of y that are inputs of their own; 1: y is one */
    int64_t y_first[FIELD_PARTS], y_share[FIELD_PARTS]; /* elements before a part, and of a sample in it, of
                                                           the whole state where the batch stays whole */
    int n_entries;                                      /* what is cut with parts */
    struct tape_entries entries[FIELD_PARTS];
    struct tape_part part[2]; /* whole tiles, and the smaller last one if there is one */
    struct tape_lane *lanes;
    union {
        float f32;
        double f64;
    } time;
    enum dtype time_dtype; /* of the body's input */
    int64_t abreast;       /* so many samples, each at a time of its own; 0: it is no such field */
    void *moments;         /* these, in the dtype of time */
    union {
        float f32;
        double f64;
    } share_of_time; /* c of a second-order product, likewise */
};

#define FIELD_VJPS (FIELD_MASK(FIELD_VJP) | FIELD_MASK(FIELD_VJP_AND_EVAL) | FIELD_MASK(FIELD_VJP_KEPT))
/* works that take a direction, or stand on a tape with those that do */
#define FIELD_DIRECTED (FIELD_VJPS | FIELD_MASK(FIELD_JVP) | FIELD_MASK(FIELD_RATE) | FIELD_MASK(FIELD_CURVE))
#define FIELD_KEEPING (FIELD_MASK(FIELD_EVAL_KEEP) | FIELD_MASK(FIELD_VJP_KEPT))

/* The functions of the table of tape fields that are not in tape_field.c. */
int tape_field_can(const struct field *self, enum field_work work);
enum status tape_field_prepare(struct field *self, unsigned works);
enum status tape_field_tangent(const struct field *self, struct field_pairs pairs, struct field **out);
enum status tape_field_rescaled(const struct field *self, struct field **out);
enum status tape_field_emit(const struct field *self, struct tape *tape, int t, int y, const int *theta,
                            int *dy);
enum status tape_field_cut(const struct field *self, int64_t rows, int by_sample, struct field **out);
void tape_field_cost(const struct field *self, struct field_cost *out);
enum status tape_field_explain(struct field *self, enum field_work work, struct field_plan *out);
/* What is asked for is noted, the field simplified, its parameters are known; then its part 0 is cut; then
 * all is made ready. */
enum status tape_field_begin(struct tape_field *f, unsigned works);
enum status tape_field_finish(struct tape_field *f);
/* Parameters of a field that was cut; by_sample: flags of the nodes that were cut with it; gather: it may be
 * of any samples, not of neighbours. */
enum status tape_field_sources(const struct tape_field *f, const struct tape *cut, const char *by_sample,
                               int gather, struct field *out);
enum status tape_field_abreast(const struct field *self, int64_t rows, const struct field *alone,
                               unsigned works, struct field **out);
/* Cut the field whose state has parts: part[0], for a smaller last tile part[1], what is said of y and of
 * entries. part[0] without a tape: it cannot be. */
enum status tape_parts_cut(struct tape_field *f, const struct tiling *cut);
/* Give back what tape_field_prepare has made. */
void tape_field_unprepare(struct tape_field *f);

#endif
