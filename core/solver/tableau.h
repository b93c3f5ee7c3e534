/* tableau.h -- Runge-Kutta methods as constant data.
 *
 *   k_i = f(t + c_i h, y + h sum_j a_ij k_j),   y_next = y + h sum_i b_i k_i,   error = h sum_i e_i k_i
 *
 * or, from two such sums, as norm_of_two has it: |error|^2 / sqrt(|error|^2 + 0.01 |error_low|^2).
 *
 * (Hairer, Norsett, Wanner, Solving ODEs I, II.1 and II.4.) Everything else is derived: whether the last
 * stage is the first one of the next step (FSAL), whether there is an error estimate, the rows that
 * interpolation adds. Rows with a_ij = 0 for j >= i are explicit. */
#ifndef SOLVER_TABLEAU_H
#define SOLVER_TABLEAU_H

#include "base/status.h"

#define MAX_STAGES 16
#define MAX_EXTRA 12                   /* rows of the interpolant */
#define MAX_K (MAX_STAGES + MAX_EXTRA) /* what a step makes */
#define MAX_DEGREE 8                   /* of the interpolant */

enum interpolation {
    INTERPOLATE_QUADRATIC, /* y + h (theta k_1 + theta^2 (sum b k - k_1)): explicit methods up to order 2 */
    INTERPOLATE_HERMITE, /* cubic through both ends with their slopes, plus h theta^2 (1 - theta)^2 sum_j d_j
                            k_j */
    INTERPOLATE_BOOTSTRAP, /* degree 3 + rounds through both ends, their slopes and slopes inside, made in
                              rounds from the cubic on */
    INTERPOLATE_ROWS,      /* the tableau brings extra, extra_c, extra_a, power and dense_order */
    INTERPOLATE_STAGES, /* the polynomial with slope k_i at c_i: methods whose b is its end (collocation) */
    INTERPOLATE_FITTED, /* that one, or where it does not end at b one of degree 2: a user's implicit method
                         */
};

/* Of a state of two parts of one size: what a stage moves. */
enum part { PART_ALL, PART_FIRST, PART_SECOND };

struct tableau {
    char name[24];
    int order;       /* of y_next */
    int error_order; /* of the error estimate (the lower order of the pair; of two of order p and q it is 2p -
                        q); 0: no estimate */
    int stages;
    enum interpolation interpolation;
    char stability[12]; /* "A", "L", "A(86.0)"; empty: what is true of the family */
    double a[MAX_STAGES][MAX_STAGES], b[MAX_STAGES], c[MAX_STAGES];
    double e[MAX_STAGES];     /* b minus the weights of the embedded method */
    double e_low[MAX_STAGES]; /* b minus those of one of lower order; all 0: there is none */
    double
        d[MAX_STAGES + 1]; /* HERMITE: quartic part of the interpolant; behind the stages, of f at the end */
    int rounds;            /* of BOOTSTRAP, 1 to 4 */
    enum part part[MAX_K]; /* of symplectic methods, for each k */
    int carries;           /* of reversible methods: y, slope, and a second state or not */
    /* Of implicit methods. Where the first stage is not f at the start, the error can have a part e_start h
     * f(t, y); filter > 0: it is multiplied by (I - filter h df/dy)^-1. */
    double e_start, filter;
    /* Of Rosenbrock methods: by rows, with the same number all along the diagonal; see rosenbrock.c. */
    double gamma[MAX_STAGES][MAX_STAGES];
    /* derived by tableau_derive */
    int fsal;        /* row a[stages-1] equals b and c = 1 */
    int adaptive;    /* some e is not zero */
    int two_errors;  /* some e_low is not zero */
    int implicit;    /* some a_ij with j >= i is not zero */
    int coupled;     /* some a_ij with j > i is not zero: the stages are one system */
    int end_slope;   /* the stage that is f at the end of the step, -1: there is none */
    int dense_order; /* y between the ends is right to O(h^(dense_order + 1)); of ROWS: given */
    int weighted;    /* stages with b != 0 or that later weighted stages use: those that y_next needs */
    /* Rows of the interpolant behind the stages, made only for steps with outputs inside. The first is f at
     * the end, unless the method is FSAL; row e > 0 is a stage with c = extra_c[e] and the row extra_a[e]
     * over everything before it. Of coupled stages all rows are such stages, each implicit in itself: what
     * stands in extra_a[e] behind everything before it is not 0. */
    int extra;
    double extra_c[MAX_EXTRA], extra_a[MAX_EXTRA][MAX_K];
    double power[MAX_DEGREE]
                [MAX_K]; /* but for QUADRATIC and HERMITE: weight of k_j is sum_p power[p][j] theta^(p+1) */
    double plain[MAX_DEGREE][MAX_K]; /* of coupled stages: the same without rows behind them */
};

/* The rows of explicit_tableaus.c, implicit_tableaus.c, rosenbrock_tableaus.c, reversible.c and symplectic.c.
 */
struct family;
struct tableau_list {
    const struct tableau *row;
    int n;
    const struct family *family; /* NULL: explicit or implicit, as the coefficients are */
};
extern const struct tableau_list tableaus_explicit, tableaus_implicit, tableaus_rosenbrock,
    tableaus_reversible, tableaus_symplectic;

/* Fill the derived fields. */
void tableau_derive(struct tableau *t);

/* Weights w[0..n) with y(t + theta h) = y + h sum_j w_j k_j; returns n, at most stages + extra. */
int tableau_interpolate(const struct tableau *t, double theta, double w[MAX_K]);

#endif
