#include "solver/coupled_rows.h"

#include <math.h>
#include <string.h>

#include "kernels/loops.h"
#include "solver/implicit.h"
#include "solver/linear.h"
#include "solver/newton.h"

/* Weight of k_j for y at c by the polynomial of the stages; and for its slope. */
static double plain_weight(const struct tableau *rk, double c, int j)
{
    double w = 0;
    for (int d = MAX_DEGREE - 1; d >= 0; d--) w = (w + rk->plain[d][j]) * c;
    return w;
}

static double plain_slope(const struct tableau *rk, double c, int j)
{
    double w = 0;
    for (int d = MAX_DEGREE - 1; d >= 0; d--) w = w * c + (d + 1) * rk->plain[d][j];
    return w;
}

static void combine_plain(struct solver *s, const struct tableau *rk, const void *y, double h, int e,
                          double (*weight)(const struct tableau *, double, int), void *out)
{
    double w[MAX_STAGES];
    for (int j = 0; j < rk->stages; j++) w[j] = weight(rk, rk->extra_c[e], j);
    solver_combine(s, y, h, w, rk->stages, out);
}

/* ---- forwards ---- */

/* By iterations to a tolerance, from where they were left in this step. */
static enum status loosely(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                           int e, double eta)
{
    const struct tableau *rk = &m->rk;
    struct newton n;
    double t = step_time(p, rk->extra_c[e]), g = p->h * rk->extra_a[e][rk->stages + e];
    char *y = s->stage_input, *slope = coupled_work(s, m, CORRECTION);
    combine_plain(s, rk, s->carry[0], p->h, e, plain_weight, y);
    if (s->newton.at_hand)
        TRY(newton_retry(linear_factor(s->linear, LINEAR_FILTER, 1, &g, 0)));
    else
        TRY(newton_retry(linear_set(&s->linear, LINEAR_FILTER, f, t, y, g)));
    newton_begin(&n, s);
    n.eta = eta;
    return implicit_solve_loosely(s, f, LINEAR_FILTER, &n, t, g, s->spare, y, slope,
                                  coupled_work(s, m, CORRECTION + 1));
}

static enum status to_rounding(struct solver *s, struct field *f, const struct method *m,
                               const struct step *p, int e)
{
    const struct tableau *rk = &m->rk;
    double g = p->h * rk->extra_a[e][rk->stages + e];
    combine_plain(s, rk, s->carry[0], p->h, e, plain_weight, s->stage_input);
    return implicit_solve(s, f, LINEAR_FILTER, step_time(p, rk->extra_c[e]), g, s->spare, s->stage_input,
                          coupled_work(s, m, CORRECTION), coupled_work(s, m, CORRECTION + 1));
}

/* Y of a row, in the stage input; what it takes of y and of the k before it, in the spare vector. */
static enum status row_state(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                             int e)
{
    solver_combine(s, s->carry[0], p->h, m->rk.extra_a[e], m->rk.stages + e, s->spare);
    if (!s->newton.at_hand) return to_rounding(s, f, m, p, e);
    enum status status = loosely(s, f, m, p, e, s->newton.eta);
    if (status != STATUS_RETRY) return status;
    s->newton.at_hand = 0;
    status = loosely(s, f, m, p, e, 1);
    s->newton.at_hand = 1;
    TRY(newton_retry(newton_restore(s, f, m, p)));
    return status;
}

enum status coupled_rows(struct solver *s, struct field *f, const struct method *m, const struct step *p)
{
    const struct tableau *rk = &m->rk;
    s->plain = 0;
    for (int e = 0; e < rk->extra; e++) {
        double g = p->h * rk->extra_a[e][rk->stages + e];
        char *k = s->k[rk->stages + e].v;
        enum status status = row_state(s, f, m, p, e);
        if (status == STATUS_RETRY) {
            s->plain |= 1u << e;
            combine_plain(s, rk, NULL, 1, e, plain_slope, k);
            continue;
        }
        TRY(status);
        loops->combine[s->dtype](s->n, NULL, 2, (double[]){1 / g, -1 / g},
                                 (const void *[]){s->stage_input, s->spare}, k);
    }
    s->newton.unrefined += s->plain != 0;
    s->dense_ready = 1;
    return STATUS_OK;
}

/* ---- backwards ---- */

/* From what reaches k, in b->kbar, to Y. */
static enum status row_back(struct backward *b, const struct step *p, int e)
{
    struct solver *s = b->s;
    const struct tableau *rk = &b->m->rk;
    int i = rk->stages + e;
    double t = step_time(p, rk->extra_c[e]);
    solver_combine(s, s->carry[0], p->h, rk->extra_a[e], i + 1, s->stage_input);
    TRY(linear_set(&s->linear, LINEAR_FILTER, b->f, t, s->stage_input, p->h * rk->extra_a[e][i]));
    TRY(linear_solve_back(s->linear, b->f, LINEAR_FILTER, (void *[]){b->kbar}));
    return backward_vjp(b, t, s->stage_input, NULL, b->kbar, b->k_bar[i]);
}

enum status coupled_rows_back(struct backward *b, const struct step *p, struct coupled_bars *bars)
{
    const struct tableau *rk = &b->m->rk;
    memset(bars, 0, sizeof *bars);
    if (b->from.n == 0 || rk->extra == 0) return STATUS_OK;
    if (!b->s->dense_ready) TRY(coupled_rows(b->s, b->f, b->m, p));
    for (int e = rk->extra - 1; e >= 0; e--) {
        struct backward_sum sum;
        backward_sum_begin(&sum, b, rk->stages + e);
        coupled_bars_add(bars, b, p, rk->stages + e, &sum);
        if (!backward_sum_end(&sum, b)) continue;
        bars->row[e] = b->s->plain >> e & 1 ? ROW_PLAIN : ROW_SOLVED;
        if (bars->row[e] == ROW_PLAIN)
            memcpy(b->k_bar[rk->stages + e], b->kbar, b->bytes);
        else
            TRY(row_back(b, p, e));
    }
    return STATUS_OK;
}

void coupled_bars_carry(const struct coupled_bars *bars, struct backward *b)
{
    const struct tableau *rk = &b->m->rk;
    for (int e = 0; e < rk->extra; e++)
        if (bars->row[e] == ROW_SOLVED)
            backward_add(b, b->s->n, 1, b->k_bar[rk->stages + e], b->carry_bar[0]);
}

void coupled_bars_add(const struct coupled_bars *bars, struct backward *b, const struct step *p, int j,
                      struct backward_sum *sum)
{
    const struct tableau *rk = &b->m->rk;
    for (int e = 0; e < rk->extra; e++) {
        if (bars->row[e] == ROW_IDLE) continue;
        double w = bars->row[e] == ROW_SOLVED ? p->h * rk->extra_a[e][j]
                   : j < rk->stages           ? plain_slope(rk, rk->extra_c[e], j)
                                              : 0;
        if (w != 0) backward_sum_add(sum, b, w, b->k_bar[rk->stages + e]);
    }
}
