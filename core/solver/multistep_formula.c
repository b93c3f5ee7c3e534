/* Sources: Hairer, Norsett, Wanner, Solving ODEs I, III.1 (Adams and BDF methods) and III.5 (with changing
 * steps): the Adams methods integrate the polynomial through slopes, BDF methods want the slope of the
 * polynomial through values to be that of the field. */
#include <math.h>
#include <string.h>

#include "solver/multistep.h"

#define COMMON 360360.0 /* of 1 .. 15: integrals of powers over it are whole numbers */
static const double over[] = {COMMON,      COMMON / 2,  COMMON / 3,  COMMON / 4,  COMMON / 5,
                              COMMON / 6,  COMMON / 7,  COMMON / 8,  COMMON / 9,  COMMON / 10,
                              COMMON / 11, COMMON / 12, COMMON / 13, COMMON / 14, COMMON / 15};

/* A polynomial of degree n - 1 times t - x. */
static inline void times(double *c, int n, double x)
{
    for (int d = n; d > 0; d--) c[d] = c[d - 1] - x * c[d];
    c[0] *= -x;
}

void formula_integrals(int n, const double *x, double end, double *w)
{
    double before[MULTISTEP_PAST + 2] = {1}; /* the product of t - x_i over the nodes before x_j */
    for (int j = 0; j < n; j++) {
        double c[MULTISTEP_PAST + 2], below = 1, sum = 0;
        memcpy(c, before, sizeof c);
        for (int i = 0; i < j; i++) below *= x[j] - x[i];
        for (int i = j + 1; i < n; i++) {
            below *= x[j] - x[i];
            times(c, i, x[i]);
        }
        for (int d = n - 1; d >= 0; d--) sum = (sum + c[d] * over[d]) * end;
        w[j] = sum / (COMMON * below);
        times(before, j + 1, x[j]);
    }
}

/* 0 and where the steps before ended, in units of `unit`. */
static void past_nodes(const struct step *p, double unit, int n, double *x)
{
    x[0] = 0;
    for (int j = 1; j < n; j++) x[j] = x[j - 1] - p->before[j - 1] / unit;
}

/* Slopes at f_n, ..., n of them, and if `slope` is not NULL at the end, integrated up to theta, times h. */
static void adams(const struct step *p, double theta, int n, double *f, double *slope)
{
    double x[MULTISTEP_PAST + 1], w[MULTISTEP_PAST + 1];
    int end = slope != NULL;
    x[0] = 1;
    past_nodes(p, p->h, n, x + end);
    formula_integrals(n + end, x, theta, w);
    for (int j = 0; j < n; j++) f[j] = p->h * w[end + j];
    if (end) *slope = p->h * w[0];
}

/* The weights of the polynomial through f_n, ... alone are those with the slope at the end less that slope's
 * share, as much of each as the divided difference has: it is the reverse that would lose digits. */
static void without_end(const struct step *p, int n, struct formula *out)
{
    double x[MULTISTEP_PAST], at_end = 1;
    past_nodes(p, p->h, n, x);
    for (int i = 0; i < n; i++) at_end *= 1 - x[i];
    for (int j = 0; j < n; j++) {
        double here = x[j] - 1;
        for (int i = 0; i < n; i++)
            if (i != j) here *= x[j] - x[i];
        out->predict[j] = out->f[j] - out->slope * (at_end / here);
    }
}

/* With Q_j the product of w - x_i over the nodes i != j, D_j that of x_j - x_i, B the sum of the Q_j: y_(n+1)
 * = sum_j Q_j^2 / (D_j B) y_(n-j) + h Q_0 / B f_(n+1). */
static void bdf(const struct step *p, int k, struct formula *out)
{
    double unit = k > 1 ? p->before[0] : p->h, w = p->h / unit, x[MULTISTEP_PAST], q[MULTISTEP_PAST];
    long double sum = 0; /* so that 1 + w + w is 1 + 2 w */
    past_nodes(p, unit, k, x);
    for (int j = 0; j < k; j++) {
        long double exact = 1;
        q[j] = 1;
        for (int i = 0; i < k; i++) {
            if (i == j) continue;
            q[j] *= w - x[i];
            exact *= (long double)w - x[i];
        }
        sum += exact;
    }
    double b = (double)sum;
    for (int j = 0; j < k; j++) {
        double d = 1;
        for (int i = 0; i < k; i++)
            if (i != j) d *= x[j] - x[i];
        out->y[j] = q[j] * q[j] / (d * b);
    }
    out->slope = p->h * q[0] / b;
}

void formula_make(const struct multistep *m, const struct step *p, struct formula *out)
{
    memset(out, 0, sizeof *out);
    out->y[0] = 1;
    switch (m->kind) {
    case MULTISTEP_NONE: return;
    case MULTISTEP_ADAMS_BASHFORTH: adams(p, 1, m->n_f, out->f, NULL); return;
    case MULTISTEP_ADAMS_MOULTON: adams(p, 1, m->n_f, out->f, &out->slope); return;
    case MULTISTEP_ABM:
        adams(p, 1, m->n_f, out->predict, NULL);
        adams(p, 1, m->n_f - 1, out->f, &out->slope);
        return;
    case MULTISTEP_ADAMS:
        adams(p, 1, p->order, out->f, &out->slope);
        without_end(p, p->order, out);
        return;
    case MULTISTEP_BDF: bdf(p, m->order, out); return;
    case MULTISTEP_VARYING_BDF: bdf(p, p->order, out); return;
    case MULTISTEP_GIVEN:
        for (int j = 0; j < m->n_y; j++) out->y[j] = -m->alpha[m->steps - 1 - j];
        for (int j = 0; j < m->n_f; j++) out->f[j] = p->h * m->beta[m->steps - 1 - j];
        out->slope = p->h * m->beta[m->steps];
        return;
    }
}

int formula_continues(const struct multistep *m, const struct step *p)
{
    if (p->past < m->past) return 0;
    for (int i = 0; i < m->past; i++) {
        if (m->kind == MULTISTEP_GIVEN && p->before[i] != p->h) return 0;
        if (fabs(p->h) > 2 * fabs(p->before[i])) return 0;
    }
    return 1;
}

/* ---- between the ends ---- */

int formula_through(int n, const double *x, const char *slope, double theta, double *w)
{
    double v[2 * MULTISTEP_PAST][2 * MULTISTEP_PAST];
    for (int i = 0; i < n; i++)
        for (int d = 0; d < n; d++) v[d][i] = slope[i] ? d == 0 ? 0 : d * pow(x[i], d - 1) : pow(x[i], d);
    for (int d = 0; d < n; d++) w[d] = pow(theta, d);
    for (int p = 0; p < n; p++) {
        int best = p;
        for (int i = p + 1; i < n; i++)
            if (fabs(v[i][p]) > fabs(v[best][p])) best = i;
        if (v[best][p] == 0) return 0;
        for (int j = 0; j < n; j++) {
            double swap = v[p][j];
            v[p][j] = v[best][j];
            v[best][j] = swap;
        }
        double swap = w[p];
        w[p] = w[best];
        w[best] = swap;
        for (int i = p + 1; i < n; i++) {
            double factor = v[i][p] / v[p][p];
            for (int j = p; j < n; j++) v[i][j] -= factor * v[p][j];
            w[i] -= factor * w[p];
        }
    }
    for (int p = n - 1; p >= 0; p--) {
        for (int j = p + 1; j < n; j++) w[p] -= v[p][j] * w[j];
        w[p] /= v[p][p];
    }
    return 1;
}

/* Lagrange's polynomial through y_(n+1), y_n, ... */
static void through_values(const struct step *p, double theta, int k, struct formula *out, double *end)
{
    double x[MULTISTEP_PAST + 1];
    x[0] = 1;
    past_nodes(p, p->h, k, x + 1);
    for (int j = 0; j <= k; j++) {
        double above = 1, below = 1;
        for (int i = 0; i <= k; i++) {
            if (i == j) continue;
            above *= theta - x[i];
            below *= x[j] - x[i];
        }
        *(j == 0 ? end : &out->y[j - 1]) = above / below;
    }
}

/* The polynomial of the method's order through y_(n+1), y_n, then f_n, f_(n-1), ..., then y_(n-1), ..., until
 * there is enough: values at neighbours and slopes anywhere else determine it, by Rolle's theorem. f_(n+1) is
 * never needed: a formula of order p has p + 2 terms at least. */
static void through_given(const struct multistep *m, const struct step *p, double theta, struct formula *out,
                          double *end)
{
    double x[2 * MULTISTEP_PAST], w[2 * MULTISTEP_PAST], *to[2 * MULTISTEP_PAST];
    char slope[2 * MULTISTEP_PAST] = {0};
    int n = 0, wanted = m->order + 1;
    to[n] = end;
    x[n++] = 1;
    to[n] = &out->y[0];
    x[n++] = 0;
    for (int j = 0; j < m->n_f && n < wanted; j++) {
        slope[n] = 1;
        to[n] = &out->f[j];
        x[n++] = -j;
    }
    for (int j = 1; j < m->n_y && n < wanted; j++) {
        to[n] = &out->y[j];
        x[n++] = -j;
    }
    formula_through(n, x, slope, theta, w);
    for (int i = 0; i < n; i++) *to[i] = slope[i] ? p->h * w[i] : w[i];
}

void formula_interpolate(const struct multistep *m, const struct step *p, double theta, struct formula *out,
                         double *end)
{
    memset(out, 0, sizeof *out);
    *end = 0;
    if (m->kind == MULTISTEP_BDF) {
        through_values(p, theta, m->order, out, end);
    } else if (m->kind == MULTISTEP_VARYING_BDF) {
        through_values(p, theta, p->order, out, end);
    } else if (m->kind == MULTISTEP_GIVEN) {
        through_given(m, p, theta, out, end);
    } else if (m->kind == MULTISTEP_ADAMS) {
        out->y[0] = 1;
        adams(p, theta, p->order, out->f, &out->slope);
    } else {
        out->y[0] = 1;
        adams(p, theta, m->n_f - (m->kind == MULTISTEP_ABM), out->f,
              m->kind == MULTISTEP_ADAMS_BASHFORTH ? NULL : &out->slope);
    }
}
