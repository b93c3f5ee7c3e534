/* backward.h -- a direct gradient that is under way, for the families that go back through their steps. */
#ifndef SOLVER_BACKWARD_H
#define SOLVER_BACKWARD_H

#include "solver/backward_times.h"
#include "solver/instability.h"

struct defect;
struct retrace;

/* Cotangents that reach the k of one step from outside it, by weights that include h. Few are the rule. */
#define FEW_SOURCES 4
struct backward_sources {
    int n, capacity;
    double (*weight)[MAX_K];
    const char **source;
    double few_weights[FEW_SOURCES][MAX_K];
    const char *few_sources[FEW_SOURCES];
};

struct backward {
    struct solver *s;
    struct field *f;
    const struct solve_options *o;
    const struct method *m; /* that made the step at hand */
    struct solve_record *r;
    struct step p;               /* the step at hand */
    size_t bytes, vector, pitch; /* of a vector; its room; from one cotangent of an output to the next */
    char *carry_bar[MAX_CARRY],
        *at_start[MAX_CARRY];  /* at_start: what outputs inside the step give to the carry */
    char *kbar, *k_bar[MAX_K]; /* one at hand; one for each k */
    char *theta_part;
    /* Of a record of some carries: those of the steps behind a kept one, where every so many-th is; else that
     * of the step at hand is in the solver's own vectors, those of its carry or those of its next one. */
    char *segment;
    int in_next;
    struct retrace *retrace; /* steps are taken back, NULL: they are not, or no longer */
    struct backward_sources from;
    char *thetabar;
    struct defect *defect; /* NULL: nobody asks */
    struct backward_times times;
    struct derivative_growth growth; /* of the cotangent of y, by explicit steps that adapt */
};

/* For who goes back through a record of some carries by himself: b of that record and s, of its size; then
 * the carry of each step, from the last one to the first, becomes that of s, by as few steps of f as may be.
 */
enum status backward_retriever(struct backward *b, struct solver *s, struct field *f,
                               const struct solve_options *o, struct solve_record *r);
enum status backward_retrieve(struct backward *b, int64_t step);

/* out += c x, over n elements. */
void backward_add(const struct backward *b, int64_t n, double c, const void *x, void *out);
double backward_dot(const struct backward *b, const void *x, const void *y);
/* Element i of a vector. */
double backward_number(const struct backward *b, const void *x, int64_t i);
/* Another source: w[j] of it for k[j], j < n. */
enum status backward_from(struct backward *b, const char *source, const double *w, int n);

/* b->kbar = the sum over the sources of weight[i] source, and terms that are added. */
#define SUM_PORTION 16
struct backward_sum {
    int count, started;
    double c[SUM_PORTION];
    const void *x[SUM_PORTION];
};
void backward_sum_begin(struct backward_sum *sum, struct backward *b, int i);
void backward_sum_add(struct backward_sum *sum, struct backward *b, double c, const void *x);
int backward_sum_end(struct backward_sum *sum, struct backward *b); /* 0: there was no term */

/* ybar = a^T df/dy at (t, input), and thetabar grows. residual: what the field kept there, or NULL. */
enum status backward_vjp(struct backward *b, double t, const void *input, const void *residual, const void *a,
                         void *ybar);
/* A step of size h has taken the cotangent of y from `before` to carry_bar[0]; vbar = h v^T df/dy, of a v
 * that comes from it. STATUS_NUMERIC: its steps are unstable (instability.h). */
enum status backward_watch(struct backward *b, const void *before, double h, const void *v, const void *vbar);
/* ybar = a^T d/dy (df/dy v + c df/dt) at (t, y), where the step begins, and thetabar grows. */
enum status backward_curve(struct backward *b, double t, const void *y, const void *v, double c,
                           const void *a, void *ybar);

#endif
