#include "solver/event_scan.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/tuning.h"

/* ---- g at a point ---- */

double event_resolution(const struct march *m, const struct step *p, double theta)
{
    return 2 * DBL_EPSILON * fmax(theta, fabs(m->clock.t + theta * p->h) / fabs(p->h));
}

enum status event_state(struct events *e, struct march *m, double theta, void *y)
{
    struct solver *s = m->s;
    if (theta > 0 && theta < 1) return march_inside(m, theta, y);
    memcpy(y, theta > 0 ? s->next[0] : s->carry[0], e->bytes);
    return STATUS_OK;
}

static enum status look(struct events *e, struct march *m, const struct step *p, double theta, double *g)
{
    const void *y = theta > 0 ? m->s->next[0] : m->s->carry[0];
    double t = clock_time(&m->clock, p, theta);
    if (theta > 0 && theta < 1) {
        TRY(event_state(e, m, theta, e->y[0]));
        y = e->y[0];
    }
    TRY(field_eval(e->g, t, y, g));
    for (int i = 0; i < e->n; i++) {
        if (!isnan(g[i])) continue;
        const char *name = e->rules[i].name;
        return status_fail(
            STATUS_NUMERIC, "not_finite",
            "a g must be defined all along the solution: check roots, logarithms and divisions "
            "in it",
            "odeint: g of event %d%s%s is NaN at t = %.9g", i + 1, name[0] ? " " : "", name, t);
    }
    return STATUS_OK;
}

/* ---- the points of a step ---- */

static enum status add_point(struct events *e, struct march *m, const struct step *p, int at, double theta)
{
    memmove(e->theta + at + 1, e->theta + at, (size_t)(e->points - at) * sizeof *e->theta);
    memmove(e->row + at + 1, e->row + at, (size_t)(e->points - at) * sizeof *e->row);
    e->theta[at] = theta;
    e->row[at] = e->rows++;
    e->points++;
    return look(e, m, p, theta, event_row(e, at));
}

static int sign_of(const struct event_track *track, double g)
{
    if (track->sign == 0 && fabs(g) <= track->noise) return 0;
    return (g > 0) - (g < 0);
}

static void find_sign(struct event_track *track, double g)
{
    track->sign = sign_of(track, g);
    if (track->sign != 0) track->noise = 0;
}

/* Behind a zero that begins the step, the next one may be near however long the step is: a ball that hardly
 * bounces any more. */
static enum status points_behind_zero(struct events *e, struct march *m, const struct step *p)
{
    int unknown = 0;
    for (int i = 0; i < e->n; i++) unknown |= e->track[i].sign == 0;
    double least = fmax(2 * event_resolution(m, p, 0), DBL_MIN);
    for (double theta = e->theta[1] / EVENT_GRADING; unknown && theta > least && e->points < EVENT_POINTS / 4;
         theta /= EVENT_GRADING)
        TRY(add_point(e, m, p, 1, theta));
    return STATUS_OK;
}

#define FIRST_POINT 0.0917

/* Points at no regular distance, so that no oscillation looks constant. */
enum status event_points(struct events *e, struct march *m, const struct step *p)
{
    static const double inside[] = {FIRST_POINT, 0.2489, 0.3621, 0.5213, 0.6317, 0.7883, 0.8861, 1};
    e->points = e->rows = 0;
    if (e->t == m->clock.t) {
        e->theta[0] = 0;
        e->row[0] = e->rows++;
        e->points = 1;
        memcpy(event_row(e, 0), e->start, (size_t)e->n * sizeof *e->start);
    } else {
        TRY(add_point(e, m, p, 0, 0));
    }
    for (int i = 0; i < e->n && e->t != m->clock.t; i++) {
        e->track[i].sign = 0;
        find_sign(&e->track[i], event_row(e, 0)[i]);
    }
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) TRY(add_point(e, m, p, e->points, inside[i]));
    return points_behind_zero(e, m, p);
}

/* ---- could there be more zeros? ---- */

#define LOOKS 15 /* at a polynomial between two points */

/* Newton's form through n points from `first` on. */
static void divided_differences(const struct events *e, int rule, int first, int n, double *c)
{
    for (int k = 0; k < n; k++) c[k] = event_row(e, first + k)[rule];
    for (int order = 1; order < n; order++)
        for (int k = n - 1; k >= order; k--)
            c[k] = (c[k] - c[k - 1]) / (e->theta[first + k] - e->theta[first + k - order]);
}

static double newton_form(const struct events *e, int first, int n, const double *c, double x)
{
    double sum = c[n - 1];
    for (int k = n - 2; k >= 0; k--) sum = sum * (x - e->theta[first + k]) + c[k];
    return sum;
}

/* The n points around the interval. */
static int window(const struct events *e, int i, int n)
{
    int first = i + 1 - n / 2;
    if (first > e->points - n) first = e->points - n;
    return first < 0 ? 0 : first;
}

/* All values near the interval have one sign and are further from 0 than from each other. */
static int is_far(const struct events *e, int rule, int i)
{
    int first = window(e, i, 6);
    double low = INFINITY, high = -INFINITY;
    for (int k = first; k < first + 6; k++) {
        low = fmin(low, event_row(e, k)[rule]);
        high = fmax(high, event_row(e, k)[rule]);
    }
    return low > high - low || -high > high - low;
}

/* Signs of the polynomial through six points, at LOOKS places inside; 0 where that through four of them says
 * that it is not to be trusted. */
static void guess_signs(const struct events *e, int rule, int i, int *signs)
{
    double six[6], four[4], at[LOOKS], off = 0, width = e->theta[i + 1] - e->theta[i];
    int wide = window(e, i, 6), narrow = window(e, i, 4);
    divided_differences(e, rule, wide, 6, six);
    divided_differences(e, rule, narrow, 4, four);
    for (int j = 0; j < LOOKS; j++) {
        double x = e->theta[i] + (j + 1) * width / (LOOKS + 1);
        at[j] = newton_form(e, wide, 6, six, x);
        off = fmax(off, EVENT_DOUBT * fabs(at[j] - newton_form(e, narrow, 4, four, x)));
    }
    for (int j = 0; j < LOOKS; j++) signs[j] = (at[j] > off) - (at[j] < -off);
}

/* Is point k near to what the two points on either side of it say? */
static int is_foreseen(const struct events *e, int rule, int k)
{
    if (k <= 0 || k >= e->points - 1) return 1;
    int first = window(e, k - 1, 4), at[4];
    for (int j = 0, next = first; j < 4; j++, next++) at[j] = next += next == k;
    if (at[3] >= e->points) at[3] = first - 1;
    double sum = 0, own = event_row(e, k)[rule], low = own, high = own;
    for (int j = 0; j < 4; j++) {
        double g = event_row(e, at[j])[rule], share = 1;
        for (int q = 0; q < 4; q++)
            if (q != j) share *= (e->theta[k] - e->theta[at[q]]) / (e->theta[at[j]] - e->theta[at[q]]);
        sum += share * g;
        low = fmin(low, g);
        high = fmax(high, g);
    }
    return fabs(sum - own) <= EVENT_FORESEEN * (high - low);
}

/* At most one zero in the interval, as far as can be seen. */
static int is_simple(const struct events *e, int rule, int i)
{
    double width = e->theta[i + 1] - e->theta[i];
    if (width <= EVENT_RESOLUTION) return 1;
    for (int k = i - 1; k <= i + 2; k++)
        if (!is_foreseen(e, rule, k)) return 0;
    if (is_far(e, rule, i)) return 1;
    int signs[LOOKS + 1], changes = 0, unsure = 0,
                          before = sign_of(&(struct event_track){0}, event_row(e, i)[rule]);
    guess_signs(e, rule, i, signs);
    signs[LOOKS] = sign_of(&(struct event_track){0}, event_row(e, i + 1)[rule]);
    for (int j = 0; j <= LOOKS; j++) {
        if (signs[j] == 0) {
            unsure++;
            continue;
        }
        if (unsure > 0 && (signs[j] == before || unsure * width / (LOOKS + 1) > EVENT_RESOLUTION)) return 0;
        changes += before != 0 && signs[j] != before;
        before = signs[j];
        unsure = 0;
    }
    if (signs[LOOKS] != 0) return changes <= 1;
    /* the point is a zero itself */
    return changes == 0 && (before == 0 || unsure * width / (LOOKS + 1) <= EVENT_RESOLUTION);
}

/* An interval beside one that is less than half as wide has likely escaped notice. */
static int is_even(const struct events *e, int i)
{
    double width = e->theta[i + 1] - e->theta[i];
    if (i > 0 && e->theta[i - 1] >= FIRST_POINT && 2.5 * (e->theta[i] - e->theta[i - 1]) < width) return 0;
    return i + 2 >= e->points || 2.5 * (e->theta[i + 2] - e->theta[i + 1]) >= width;
}

static int needs_point(const struct events *e, int i)
{
    if (e->theta[i] >= FIRST_POINT && e->theta[i + 1] - e->theta[i] > EVENT_RESOLUTION && !is_even(e, i))
        return 1;
    for (int rule = 0; rule < e->n; rule++)
        if (!is_simple(e, rule, i)) return 1;
    return 0;
}

enum status event_refine(struct events *e, struct march *m, const struct step *p)
{
    for (int i = 0; i + 1 < e->points && e->points < EVENT_POINTS - 1; i++) {
        if (!needs_point(e, i)) continue;
        TRY(add_point(e, m, p, i + 1, (e->theta[i] + e->theta[i + 1]) / 2));
        i = i < 3 ? -1 : i - 3; /* its neighbours are to be looked at again */
    }
    return STATUS_OK;
}

/* ---- the zeros ---- */

/* An end of what encloses a zero. */
struct bound {
    double theta, g;
};

/* Where the next look goes, as a share of the way from a to b: by a quadratic through these and the end
 * before, where it can be trusted, else halfway (Chandrupatla 1997). */
static double next_share(struct bound a, struct bound b, struct bound c)
{
    double xi = (a.theta - b.theta) / (c.theta - b.theta), phi = (a.g - b.g) / (c.g - b.g);
    if (!(phi * phi < xi && (1 - phi) * (1 - phi) < 1 - xi)) return 0.5;
    return a.g / (b.g - a.g) * (c.g / (b.g - c.g)) +
           (c.theta - a.theta) / (b.theta - a.theta) * (a.g / (c.g - a.g)) * (b.g / (c.g - b.g));
}

/* The zero between two points with different signs: where g has the later one. */
static enum status enclose(struct events *e, struct march *m, const struct step *p, int i,
                           struct event_hit *hit)
{
    struct bound a = {e->theta[i + 1], event_row(e, i + 1)[hit->rule]},
                 b = {e->theta[i], event_row(e, i)[hit->rule]}, c;
    double share = 0.5, least = event_resolution(m, p, b.theta),
           *g = e->values + (size_t)(EVENT_POINTS - 1) * (size_t)e->n;
    for (int looks = 0; a.g != 0 && fabs(b.theta - a.theta) > 2 * least && looks < EVENT_MOST_LOOKS;
         looks++) {
        double x = a.theta + share * (b.theta - a.theta);
        TRY(look(e, m, p, x, g));
        struct bound now = {x, g[hit->rule]};
        if ((now.g > 0) == (a.g > 0) && (now.g < 0) == (a.g < 0)) {
            c = a;
        } else {
            c = b;
            b = a;
        }
        a = now;
        least = event_resolution(m, p, fmin(a.theta, b.theta));
        double edge = least / fabs(b.theta - a.theta);
        share = fmin(fmax(next_share(a, b, c), edge), 1 - edge);
    }
    hit->theta = a.g == 0 || (a.g > 0) == (hit->direction > 0) ? a.theta : b.theta;
    hit->noise = fmax(fabs(a.g), fabs(b.g));
    if (a.g == 0) hit->noise = 0;
    return STATUS_OK;
}

static void sort_hits(struct event_hit *hits, int n)
{
    for (int i = 1; i < n; i++) {
        struct event_hit hit = hits[i];
        int k = i;
        for (; k > 0 && hits[k - 1].theta > hit.theta; k--) hits[k] = hits[k - 1];
        hits[k] = hit;
    }
}

enum status event_hits(struct events *e, struct march *m, const struct step *p, int i, int *n)
{
    *n = 0;
    for (int rule = 0; rule < e->n; rule++) {
        struct event_track *track = &e->track[rule];
        double g = event_row(e, i + 1)[rule];
        int before = track->sign, sign = sign_of(track, g);
        if (sign == before || before == 0) {
            if (before == 0) find_sign(track, g);
            continue;
        }
        track->sign = sign;
        if (sign == 0) track->noise = 0; /* it has no sign until it leaves 0 */
        struct event_hit *hit = &e->hits[*n];
        *hit = (struct event_hit){.theta = e->theta[i + 1], .rule = rule, .direction = -before};
        if (e->rules[rule].direction != 0 && e->rules[rule].direction != hit->direction) continue;
        if (sign != 0) TRY(enclose(e, m, p, i, hit));
        ++*n;
    }
    sort_hits(e->hits, *n);
    return STATUS_OK;
}
