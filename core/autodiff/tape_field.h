/* tape_field.h -- a field made from a tape, for the two files that make it: tape_field.c runs it, tape_field_programs.c makes what runs. */
#ifndef AUTODIFF_TAPE_FIELD_H
#define AUTODIFF_TAPE_FIELD_H

#include "autodiff/field.h"
#include "autodiff/program.h"
#include "autodiff/staged.h"

enum job_kind { EVAL, VJP, VJP_AND_EVAL, EVAL_KEEP, VJP_KEPT, JOB_KINDS };

/* The field for one number of samples, and its derivative. Tapes are owned; NULL: not used or not made yet. */
struct size {
    int64_t rows;
    struct tape *tape;
    int dy;
    struct tape *vjp; /* inputs: the tape's, then the cotangent */
    int vjp_dy, *vjp_outputs; /* ybar, one per float parameter, dy */
    struct tape *kept_vjp; /* inputs: those of vjp, then what is kept */
    int *kept_outputs;
    int n_kept, *kept;   /* nodes of vjp that are kept */
    int64_t *kept_offset; /* bytes, in the residual of a tile */
    int64_t kept_bytes;
    struct staged *staged[JOB_KINDS];
    int bound[JOB_KINDS]; /* to the parameters in force */
};

struct instance {
    struct program *program[JOB_KINDS];
    const void **inputs; /* t, y, the cotangent, what was kept, what is fixed */
    void **outputs;      /* ybar, one per float parameter, dy, what to keep */
    int room;            /* for things kept and fixed */
};

struct lane {
    struct instance instance[2]; /* of each size */
    char *theta_part;
};

struct tape_field {
    struct field base;
    struct staged *simplified; /* of the whole batch: its body is the field, its fixed inputs are the field's parameters */
    int n_inputs, n_float;     /* of the body */
    int64_t *theta_offset;     /* bytes of each float parameter's gradient in thetabar */
    struct program *theta_vjp; /* inputs: the given parameters, then the gradients of the field's; NULL: none was needed yet */
    const void **theta_inputs;
    void **theta_outputs;
    const void **given;
    struct size size[2]; /* whole tiles, and the rest if there is one */
    int64_t share, n_tiles, n_chunks, n_lanes;
    struct lane *lanes;
    char *chunks; /* n_chunks gradients of the parameters */
    union {
        float f32;
        double f64;
    } time;
    enum dtype time_dtype; /* of the body's input */
};

/* The vjp of the tape of a size, and the one that takes what an evaluation has kept; made when a job first needs them. */
enum status tape_field_make_vjp(const struct tape_field *f, struct size *size);
enum status tape_field_make_kept(const struct tape_field *f, struct size *size);

/* The programs of a kind of job, in every lane; bind: to the parameters in force. */
enum status tape_field_programs(struct tape_field *f, enum job_kind kind, int bind);

#endif
