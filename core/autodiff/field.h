/* field.h -- a tape read as a right-hand side dy/dt = f(t, y; theta).
 *
 * The state is one flat vector of n numbers of a float dtype; whoever records the tape slices and reshapes it. A field that is a callback
 * has no vjp. Every call counts. */
#ifndef AUTODIFF_FIELD_H
#define AUTODIFF_FIELD_H

#include "autodiff/tape.h"

struct field {
    int64_t n;       /* length of y */
    int64_t n_theta; /* length of the gradients of the parameters as the field has them; see field_theta_gradient */
    enum dtype dtype;
    int64_t nfe;     /* evaluations of f so far */
    int64_t nfe_vjp; /* evaluations of f that came with a vjp */
    /* dy = f(t, y); y and dy do not overlap. */
    enum status (*eval)(struct field *self, double t, const void *y, void *dy);
    /* ybar = a^T df/dy and thetabar = a^T df/dtheta, both overwritten; dy as well unless NULL. NULL: no derivative. */
    enum status (*vjp)(struct field *self, double t, const void *y, const void *a, void *dy, void *ybar, void *thetabar);
    /* What is dear to compute again can be kept: eval_keep also fills `residual` (kept_bytes, the caller's memory), and vjp_kept is the vjp at
     * the same (t, y) with its help. kept_bytes tells the size, 0 where there is nothing to keep. NULL: the field has no vjp. */
    enum status (*kept_bytes)(struct field *self, int64_t *bytes);
    enum status (*eval_keep)(struct field *self, double t, const void *y, void *dy, void *residual);
    enum status (*vjp_kept)(struct field *self, double t, const void *y, const void *a, const void *residual, void *ybar, void *thetabar);
    void (*free)(struct field *self);
};

enum status field_eval(struct field *f, double t, const void *y, void *dy);
enum status field_vjp(struct field *f, double t, const void *y, const void *a, void *dy, void *ybar, void *thetabar);
/* The same with a residual; NULL means none. */
enum status field_eval_keep(struct field *f, double t, const void *y, void *dy, void *residual);
enum status field_vjp_kept(struct field *f, double t, const void *y, const void *a, const void *residual, void *ybar, void *thetabar);
void field_free(struct field *f);

/* Field of a tape with inputs t (a float scalar), y (rank 1), then captured parameters, and output node dy of y's
 * spec. batch: samples that y consists of, in equal shares one after the other (0 or 1: not known). Where the tape treats them
 * independently and they are much data, they are worked on tile by tile, tiles over the threads; the tiles depend on shapes only. */
enum status field_from_tape(struct field **out, struct tape *tape, int dy, int64_t batch);
/* Make all that the field will need to run, for its gradient as well, so that threads find it ready. */
enum status field_prepare(struct field *f, int gradient);
/* Where the parameters (tape inputs 2, 3, ...) are; borrowed until changed. What the field takes from them alone is computed now. */
enum status field_set_parameters(struct field *f, const void *const *parameters);
/* Do two fields of tapes have the same parameters, so that gradients as vjp makes them can be added? */
int field_same_parameters(const struct field *a, const struct field *b);
/* The field may have other parameters than those of the tape: results of what the tape computes from its parameters alone. own: gradients
 * of these, as vjp makes them (n_theta numbers); thetabar: those of the float parameters set, one after the other. */
enum status field_theta_gradient(struct field *f, const void *own, void *thetabar);

/* What a field runs, for those who want to read it (tide.explain); made if need be, and the field's. Programs are NULL where there is nothing
 * to compute. Values of `source`, for each fixed input of a program behind its first ones: input of the setup before it, or -1 - j for that
 * setup's output j. */
struct staged;
enum field_work { FIELD_EVAL, FIELD_EVAL_KEEP, FIELD_VJP, FIELD_VJP_AND_EVAL, FIELD_VJP_KEPT };
struct field_plan {
    const struct staged *parameters, *own; /* once per solve: the field's parameters from those given; from these what this work alone needs */
    const struct program *program;         /* at each evaluation, of a tile */
    int n_given;                           /* inputs that come before the fixed ones */
    int n_kept;                            /* outputs that are kept for the gradient, or inputs that were */
    int64_t rows, n_tiles;                 /* samples of a tile; n_tiles 1: all at once */
};
enum status field_explain(struct field *f, enum field_work work, struct field_plan *out);

/* Copy the nodes of `src` onto `dst`, with src's inputs replaced by the given nodes of dst; returns dst's node for `output`, or -1. */
int tape_inline(struct tape *dst, const struct tape *src, const int *inputs, int output);
/* The same for several outputs: nodes[i] is dst's node for outputs[i]. */
enum status tape_inline_outputs(struct tape *dst, const struct tape *src, const int *inputs, const int *outputs, int n_outputs, int *nodes);

#endif
