/* field.h -- a right-hand side dy/dt = f(t, y; theta) as the solver sees it.
 *
 * The state is one flat vector of n numbers of a float dtype. A field is made ready before it runs
 * (field_prepare), told where its parameters are (field_bind), and then evaluated; evaluating makes nothing.
 * What a kind of field can do is its table of functions: recorded ones (field_from_tape) can do all of it,
 * callbacks can evaluate only. */
#ifndef AUTODIFF_FIELD_H
#define AUTODIFF_FIELD_H

#include "autodiff/tape.h"

/* Kinds of work; sets of them are masks of 1 << kind. */
enum field_work {
    FIELD_EVAL,
    FIELD_EVAL_KEEP,    /* f, and what is dear to compute again: the residual */
    FIELD_VJP,          /* a^T df/dy and a^T df/dtheta */
    FIELD_VJP_AND_EVAL, /* and f as well */
    FIELD_VJP_KEPT,     /* the vjp with the help of a residual */
    FIELD_JVP,          /* df/dy v */
    FIELD_RATE,         /* df/dt */
    FIELD_CURVE,        /* a^T d(df/dy v + c df/dt), by y and theta: the second-order product */
    FIELD_WORKS
};
#define FIELD_MASK(work) (1u << (work))
/* Beside works, for those that can: gradients of the parameters have one number more, a^T df/dt, the last. */
#define FIELD_BY_TIME (1u << FIELD_WORKS)

/* Parts of a y, one after the other, each of equal shares for the samples. */
#define FIELD_PARTS 8
struct field_parts {
    int n;
    int64_t batch, size[FIELD_PARTS];
};

struct field;
struct field_pairs;
struct field_cost;
struct field_plan;

/* NULL: this kind of field cannot do it. What a function does is said at the function below that calls it. */
struct field_type {
    const char *name;
    int one_thread; /* fields that are cut from one must not run at once */
    int (*can)(const struct field *self, enum field_work work); /* NULL: what the table has */
    enum status (*prepare)(struct field *self, unsigned works);
    enum status (*bind)(struct field *self, const void *const *parameters);
    enum status (*eval)(struct field *self, double t, const void *y, void *dy);
    enum status (*eval_keep)(struct field *self, double t, const void *y, void *dy, void *residual);
    enum status (*vjp)(struct field *self, double t, const void *y, const void *a, void *dy, void *ybar,
                       void *thetabar);
    enum status (*vjp_kept)(struct field *self, double t, const void *y, const void *a, const void *residual,
                            void *ybar, void *thetabar);
    enum status (*theta_gradient)(struct field *self, const void *own, void *thetabar);
    enum status (*jvp)(struct field *self, double t, const void *y, const void *v, void *ydot);
    enum status (*rate)(struct field *self, double t, const void *y, void *dfdt);
    enum status (*curve)(struct field *self, double t, const void *y, const void *v, double c, const void *a,
                         void *ybar, void *thetabar);
    enum status (*tangent)(const struct field *self, struct field_pairs pairs, struct field **out);
    enum status (*rescaled)(const struct field *self, struct field **out);
    enum status (*emit)(const struct field *self, struct tape *tape, int t, int y, const int *theta, int *dy);
    enum status (*cut)(const struct field *self, int64_t rows, int by_sample, struct field **out);
    enum status (*abreast)(const struct field *self, int64_t rows, const struct field *alone, unsigned works,
                           struct field **out);
    void (*cost)(const struct field *self, struct field_cost *out);
    enum status (*explain)(struct field *self, enum field_work work, struct field_plan *out);
    void (*free)(struct field *self);
};

/* Where a parameter of a field that was cut comes from. */
struct field_source {
    int parameter;                 /* of the field that it was cut from, or -1: */
    const struct tensor *constant; /* one of that field's tape */
    int used;
    int64_t n;     /* numbers of its gradient; 0: it has none */
    int64_t batch; /* samples that there are entries for; 0: all samples have the same, and share is 0 */
    size_t share;  /* bytes of one sample's */
    char *room;    /* owned, for the entries of constants that are views; NULL: no need */
};

struct field {
    const struct field_type *type;
    int64_t n; /* length of y */
    enum dtype dtype;
    int64_t batch; /* samples that y consists of, in equal shares one after the other; 0 or 1: not known */
    struct field_parts parts; /* of a y that is not so; n 0: not known */
    int64_t quadratures; /* the last so many numbers of y are integrals of the others: f does not read them */
    int64_t independent; /* samples, as above, that are known not to depend on each other; 0: not looked at */
    int64_t n_theta;     /* length of the gradients of the parameters as the field has them, see
                            field_theta_gradient; after field_prepare */
    int64_t
        kept_bytes; /* of a residual, 0: there is nothing to keep; after field_prepare with FIELD_EVAL_KEEP */
    int by_time;    /* n_theta counts a^T df/dt; after field_prepare with FIELD_BY_TIME */
    int autonomous; /* it is known not to look at t; after field_prepare */
    int64_t nfe;    /* evaluations of f so far */
    int64_t nfe_vjp; /* evaluations of f that came with a vjp */
    int64_t nfe_jvp;
    /* Of a field that was cut: its parameters (n_sources 0: they are those of the field that it was cut
     * from), and the sample, counted from 0, that its first one is, which field_bind looks at. */
    int n_sources;
    struct field_source *sources;
    int64_t first;
    /* Of a field of samples abreast, in their order, unless NULL: which they are, as above; when they are. */
    const int64_t *samples;
    const double *times;
};

/* Can the field do this kind of work? Before it is made ready for it. */
int field_can(const struct field *f, enum field_work work);
/* Make all that the field will need for these kinds of work, so that threads find it ready. Those it was
 * ready for stay. */
enum status field_prepare(struct field *f, unsigned works);
/* Where the parameters are; borrowed until bound anew. What the field takes from them alone is computed now,
 * once for all kinds of work. */
enum status field_bind(struct field *f, const void *const *parameters);

/* dy = f(t, y); y and dy do not overlap. */
enum status field_eval(struct field *f, double t, const void *y, void *dy);
/* ybar = a^T df/dy and thetabar = a^T df/dtheta, both overwritten; dy as well unless NULL. */
enum status field_vjp(struct field *f, double t, const void *y, const void *a, void *dy, void *ybar,
                      void *thetabar);
/* The same with a residual (kept_bytes, the caller's memory), which field_eval_keep fills; NULL means
 * none. */
enum status field_eval_keep(struct field *f, double t, const void *y, void *dy, void *residual);
enum status field_vjp_kept(struct field *f, double t, const void *y, const void *a, const void *residual,
                           void *ybar, void *thetabar);
/* The field may have other parameters than those bound: results of what it computes from them alone. own:
 * gradients of these, as vjp makes them (n_theta numbers); thetabar: those of the float parameters bound, one
 * after the other. */
enum status field_theta_gradient(struct field *f, const void *own, void *thetabar);
/* ydot = df/dy v, a column of the Jacobian where v is a unit vector. */
enum status field_jvp(struct field *f, double t, const void *y, const void *v, void *ydot);

/* dfdt = df/dt. */
enum status field_rate(struct field *f, double t, const void *y, void *dfdt);
/* ybar = a^T d/dy (df/dy v + c df/dt), thetabar likewise; both overwritten. */
enum status field_curve(struct field *f, double t, const void *y, const void *v, double c, const void *a,
                        void *ybar, void *thetabar);

/* States of tangents are pairs (y, v) of all samples, one after the other (1: all of y, then all of v); with
 * `mark` there is one number z behind each. */
struct field_pairs {
    int64_t samples;
    int mark;
};
/* The field of (y, v) -> (f, df/dy v + df/dtheta u), z' = 0, its parameters theta..., then u for each float
 * theta. Its vjp with a cotangent (0, m) is the second-order product d/d(y, theta) of m^T (df/dy v). */
enum status field_tangent(const struct field *f, struct field_pairs pairs, struct field **out);
/* A zero of number i of the `rules` numbers that g gives for each sample; y becomes what `apply` makes of it,
 * unless NULL. All are fields of tapes with the same parameters. */
struct field_event {
    const struct field *f, *g, *apply;
    int i, rules;
};
enum field_end {
    FIELD_GOES_ON,
    FIELD_ENDS,     /* z becomes 1, */
    FIELD_ENDS_TIME /* or by what the time of the event moves */
};
/* The pair behind it: v is that of solutions that go on there, or of y at the event, where they end. */
enum status field_tangent_jump(const struct field_event *e, struct field_pairs pairs, enum field_end end,
                               struct field **out);
/* g of the y of pairs. */
enum status field_of_pairs(const struct field_event *e, struct field_pairs pairs, struct field **out);
/* The field of dy/ds = (t1 - t0) f(t0 + s (t1 - t0), y), its parameters t0, t1 (float64), theta...: with
 * s from 0 to 1 the solution from t0 to t1, of which they are parameters then. */
enum status field_rescaled(const struct field *f, struct field **out);
/* An evaluation as nodes of another tape: dy at t, a float64 scalar, and y, with the parameters theta. */
enum status field_emit(const struct field *f, struct tape *tape, int t, int y, const int *theta, int *dy);
/* The field of `rows` of the batch's samples; *out is NULL where it cannot be cut, because samples know of
 * each other. by_sample: parameters and constants that have entries for the samples may be cut as well
 * (sources); those that they are entries of are bound. It must not outlive f. */
enum status field_cut(const struct field *f, int64_t rows, int by_sample, struct field **out);
/* The field of `rows` samples that are evaluated together, any of them (samples, for field_bind), each at a
 * time of its own (times, in place of t), to the bits that `alone` gives, a prepared field_cut to one sample.
 * It is prepared for `works`: FIELD_EVAL, or that and FIELD_VJP, by y to these bits, by parameters the sum
 * over the samples. *out is NULL where that cannot be. It must not outlive f. */
enum status field_abreast(const struct field *f, int64_t rows, const struct field *alone, unsigned works,
                          struct field **out);
void field_free(struct field *f);

/* What an evaluation of the whole batch costs; zeros where that is not known. */
struct field_cost {
    double work;        /* multiply-adds of products and convolutions */
    int64_t bytes;      /* of values that are computed */
    int64_t least_rows; /* samples from which on each parameter that is loaded is used for more than a few
                           numbers */
};
void field_cost(const struct field *f, struct field_cost *out);

/* Field of a tape with inputs t (a float scalar), y (rank 1), then captured parameters, and output node dy of
 * y's spec; the tape is retained. Where it treats the samples of the batch independently and they are much
 * data, they are worked on tile by tile, tiles over the threads; the tiles depend on shapes only. */
enum status field_from_tape(struct field **out, struct tape *tape, int dy, int64_t batch);
/* Do two prepared fields of tapes have the same parameters, so that gradients as vjp makes them can be
 * added? */
int field_same_parameters(const struct field *a, const struct field *b);

/* What a prepared field runs (for tide.explain); everything in it is the field's. */
struct staged;
struct field_plan {
    const struct tape *tape; /* as recorded */
    int dy;
    const struct staged *parameters,
        *own; /* once per solve: the field's parameters from those bound; from these what evaluations need */
    const struct program *program; /* at each evaluation, of a tile */
    int n_given;                   /* inputs that come before the fixed ones */
    int n_y, n_entries;            /* of these so many are parts of y, and constants with numbers for each
                                      sample */
    int n_kept;                    /* outputs that are kept for the gradient, or inputs that were */
    int64_t rows, n_tiles;         /* samples of a tile; n_tiles 1: all at once */
};
enum status field_explain(struct field *f, enum field_work work, struct field_plan *out);

#endif
