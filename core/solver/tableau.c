#include "solver/tableau.h"

#include <math.h>
#include <string.h>

/* ---- interpolants by solving for them ---- */

/* Gauss's elimination with pivots: n equations, the right-hand sides are rows over the k. */
static void solve_rows(int n, double v[MAX_DEGREE][MAX_DEGREE], double rows[MAX_DEGREE][MAX_K])
{
    for (int p = 0; p < n; p++) {
        int best = p;
        for (int i = p + 1; i < n; i++)
            if (fabs(v[i][p]) > fabs(v[best][p])) best = i;
        for (int j = 0; j < n; j++) {
            double swap = v[p][j];
            v[p][j] = v[best][j];
            v[best][j] = swap;
        }
        for (int j = 0; j < MAX_K; j++) {
            double swap = rows[p][j];
            rows[p][j] = rows[best][j];
            rows[best][j] = swap;
        }
        for (int i = 0; i < n; i++) {
            double factor = i == p ? 0 : v[i][p] / v[p][p];
            for (int j = 0; j < n && factor != 0; j++) v[i][j] -= factor * v[p][j];
            for (int j = 0; j < MAX_K && factor != 0; j++) rows[i][j] -= factor * rows[p][j];
        }
    }
    for (int p = 0; p < n; p++)
        for (int j = 0; j < MAX_K; j++) rows[p][j] /= v[p][p];
}

static void slope_equation(double *v, double *row, int degree, double theta, int k)
{
    for (int p = 0; p < degree; p++) v[p] = (p + 1) * pow(theta, p);
    row[k] = 1;
}

static void weights_at(double power[MAX_DEGREE][MAX_K], int degree, double theta, double *w)
{
    for (int j = 0; j < MAX_K; j++) {
        w[j] = 0;
        for (int p = degree - 1; p >= 0; p--) w[j] = (w[j] + power[p][j]) * theta;
    }
}

/* The polynomial through both ends with their slopes and slopes k[first], ... at theta[0..n). */
static void through(struct tableau *t, int n, const double *theta, int first)
{
    int degree = 3 + n;
    double v[MAX_DEGREE][MAX_DEGREE];
    memset(t->power, 0, sizeof t->power);
    for (int p = 0; p < degree; p++) v[0][p] = 1;
    memcpy(t->power[0], t->b, sizeof t->b);
    slope_equation(v[1], t->power[1], degree, 0, 0);
    slope_equation(v[2], t->power[2], degree, 1, t->end_slope >= 0 ? t->end_slope : t->stages);
    for (int i = 0; i < n; i++) slope_equation(v[3 + i], t->power[3 + i], degree, theta[i], first + i);
    solve_rows(degree, v, t->power);
}

/* Boot-strapping (Hairer, Norsett, Wanner, Solving ODEs I, II.6; Enright et al. 1986): slopes inside, at
 * states of the last round's polynomial, give the next one, an order higher. The points were found by a
 * search on a grid of 0.05 for small weights. */
static void bootstrap(struct tableau *t)
{
    static const double inside[4][4] = {{0.35}, {0.25, 0.6}, {0.2, 0.5, 0.7}, {0.1, 0.25, 0.55, 0.8}};
    t->extra = t->end_slope >= 0 ? 0 : 1;
    through(t, 0, NULL, 0);
    for (int round = 0; round < t->rounds; round++) {
        int first = t->stages + t->extra;
        for (int i = 0; i <= round; i++, t->extra++) {
            t->extra_c[t->extra] = inside[round][i];
            weights_at(t->power, 3 + round, inside[round][i], t->extra_a[t->extra]);
        }
        through(t, round + 1, inside[round], first);
    }
}

static void stage_polynomial(const struct tableau *t, double power[MAX_DEGREE][MAX_K])
{
    double v[MAX_DEGREE][MAX_DEGREE];
    memset(power, 0, sizeof t->power);
    for (int i = 0; i < t->stages; i++) slope_equation(v[i], power[i], t->stages, t->c[i], i);
    solve_rows(t->stages, v, power);
}

/* Degree 2, between y and the next y, with the smallest weights alpha of theta: sum alpha = 1, sum alpha c =
 * 0 make it right to order 2. Where all c are the same, a straight line. */
static int quadratic(struct tableau *t)
{
    double n = t->stages, c1 = 0, c2 = 0;
    for (int j = 0; j < t->stages; j++) {
        c1 += t->c[j];
        c2 += t->c[j] * t->c[j];
    }
    double spread = n * c2 - c1 * c1;
    memset(t->power, 0, sizeof t->power);
    for (int j = 0; j < t->stages; j++) {
        t->power[0][j] = spread > 1e-6 ? (c2 - c1 * t->c[j]) / spread : t->b[j];
        t->power[1][j] = t->b[j] - t->power[0][j];
    }
    return spread > 1e-6 ? 2 : 1;
}

/* Returns its order. */
static int fitted(struct tableau *t)
{
    double off = t->stages <= MAX_DEGREE ? 0 : INFINITY;
    if (t->stages <= MAX_DEGREE) stage_polynomial(t, t->power);
    for (int j = 0; j < t->stages && off < 1e-9; j++) {
        double end = 0;
        for (int p = 0; p < MAX_DEGREE; p++) end += t->power[p][j];
        off = isfinite(end) ? fmax(off, fabs(end - t->b[j])) : INFINITY;
    }
    return off < 1e-9 ? t->stages : quadratic(t);
}

static int dense_order(const struct tableau *t)
{
    const int reach[] = {[INTERPOLATE_QUADRATIC] = 2,
                         [INTERPOLATE_HERMITE] = 3,
                         [INTERPOLATE_BOOTSTRAP] = 3 + t->rounds,
                         [INTERPOLATE_ROWS] = t->dense_order,
                         [INTERPOLATE_STAGES] = t->stages,
                         [INTERPOLATE_FITTED] = t->stages};
    int most = reach[t->interpolation];
    for (int j = 0; j <= t->stages; j++)
        if (t->d[j] != 0) most = 4;
    return most < t->order ? most : t->order;
}

static void find_stages(struct tableau *t)
{
    int last = t->stages - 1;
    int ends = t->c[last] == 1 && memcmp(t->a[last], t->b, sizeof t->b) == 0;
    t->adaptive = t->two_errors = t->implicit = t->coupled = t->weighted = 0;
    for (int i = 0; i <= last; i++) {
        if (t->e[i] != 0) t->adaptive = 1;
        if (t->e_low[i] != 0) t->two_errors = 1;
        if (t->b[i] != 0) t->weighted = i + 1;
        for (int j = i; j <= last; j++) t->implicit |= t->a[i][j] != 0;
        for (int j = i + 1; j <= last; j++) t->coupled |= t->a[i][j] != 0;
    }
    t->fsal = last > 0 && ends && t->b[last] == 0;
    t->end_slope = t->gamma[0][0] == 0 && (t->fsal || (ends && t->implicit)) ? last : -1;
}

void tableau_derive(struct tableau *t)
{
    find_stages(t);
    t->dense_order = dense_order(t);
    int end = t->end_slope < 0;
    if (t->interpolation != INTERPOLATE_ROWS) t->extra = t->interpolation == INTERPOLATE_HERMITE && end;
    if (end && !t->coupled) t->extra_c[0] = 1; /* of f at the end */
    if (t->interpolation == INTERPOLATE_BOOTSTRAP) bootstrap(t);
    if (t->interpolation == INTERPOLATE_STAGES) stage_polynomial(t, t->power);
    if (t->interpolation == INTERPOLATE_FITTED) t->dense_order = fitted(t);
    memcpy(t->plain, t->power, sizeof t->plain);
    if (t->coupled && t->extra > 0) stage_polynomial(t, t->plain);
}

int tableau_interpolate(const struct tableau *t, double theta, double w[MAX_K])
{
    memset(w, 0, MAX_K * sizeof *w);
    if (t->interpolation == INTERPOLATE_QUADRATIC) {
        for (int j = 0; j < t->stages; j++) w[j] = theta * theta * t->b[j];
        w[0] += theta - theta * theta;
        return t->stages;
    }
    if (t->interpolation != INTERPOLATE_HERMITE) {
        for (int j = 0; j < t->stages + t->extra; j++)
            for (int p = MAX_DEGREE - 1; p >= 0; p--) w[j] = (w[j] + t->power[p][j]) * theta;
        return t->stages + t->extra;
    }
    double s = 1 - theta, end = -theta * theta * s;
    for (int j = 0; j < t->stages; j++)
        w[j] = theta * theta * (3 - 2 * theta) * t->b[j] + theta * theta * s * s * t->d[j];
    if (t->extra > 0) w[t->stages] = theta * theta * s * s * t->d[t->stages];
    w[0] += theta * s * s;
    w[t->end_slope >= 0 ? t->end_slope : t->stages] += end;
    return t->stages + t->extra;
}
