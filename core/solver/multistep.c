/* Linear multistep methods: the carry is y_n, y_(n-1), ..., then f_(n-1), f_(n-2), ..., and last what
 * multistep_bdf.c remembers; k[0] is f_n where the formula has slopes. Behind it comes the slope at the
 * predicted end (PECE), or the y_(n+1) that an implicit formula was solved for.
 *
 * The first steps, those behind a jump, and shortened ones where the formula is for equal steps alone, are
 * made by a one-step method, or are states that were given. A step that is shortened otherwise has the
 * weights of changing steps. */
#include "solver/multistep.h"

#include <string.h>

#include "kernels/loops.h"
#include "solver/implicit.h"
#include "solver/linear.h"
#include "solver/march.h"
#include "solver/newton.h"

/* Of the carry, y_n, ...: n_y; f_(n-1), ...: */
static int past_slopes(const struct multistep *m) { return m->n_f > 1 ? m->n_f - 1 : 0; }
static int remembered(const struct multistep *m) { return m->kind == MULTISTEP_VARYING_BDF; }
static int carried(const struct multistep *m) { return m->n_y + past_slopes(m) + remembered(m); }
/* Place of the last k. */
static int end_slot(const struct multistep *m) { return m->n_f > 0; }
static int own_slots(const struct multistep *m) { return end_slot(m) + (m->implicit || m->predicts); }

static void multistep_sizes(const struct method *method, int *n_carry, int *n_k)
{
    const struct multistep *m = &method->multistep;
    int own = own_slots(m) + (m->implicit ? IMPLICIT_WORK : 0), carry;
    m->begins->sizes(method, &carry, n_k);
    if (m->kind == MULTISTEP_ADAMS) own = 3;
    if (m->kind == MULTISTEP_VARYING_BDF) own = 4;
    if (*n_k < own) *n_k = own;
    if (m->start && *n_k < 1 + m->past) *n_k = 1 + m->past;
    *n_carry = carried(m);
}

static int multistep_memory(const struct method *method) { return remembered(&method->multistep); }

static unsigned multistep_history(const struct method *method)
{
    const struct multistep *m = &method->multistep;
    unsigned all = (1u << (m->n_y + past_slopes(m))) - 1;
    return all & ~1u & ~(1u << m->n_y);
}

/* ---- sums of the carry and f_n ---- */

/* out = sum_j y[j] y_(n-j) + sum_j f[j] f_(n-j) + end k, k the slope at the end; y NULL: y_n. */
static void combine(const struct solver *s, const struct multistep *m, const double *y, const double *f,
                    double end, void *out)
{
    const void *x[2 * MULTISTEP_PAST];
    double c[2 * MULTISTEP_PAST];
    int n = 0, from_y = !y || y[0] == 1;
    for (int j = from_y; j < m->n_y && y; j++) {
        if (y[j] == 0) continue;
        c[n] = y[j];
        x[n++] = s->carry[j];
    }
    for (int j = 0; j < m->n_f; j++) {
        if (f[j] == 0) continue;
        c[n] = f[j];
        x[n++] = j == 0 ? s->k[0].v : s->carry[m->n_y + j - 1];
    }
    if (end != 0) {
        c[n] = end;
        x[n++] = s->k[end_slot(m)].v;
    }
    loops->combine[s->dtype](s->n, from_y ? s->carry[0] : NULL, n, c, x, out);
}

/* The state where a PECE formula takes its slope. */
static void predict(const struct solver *s, const struct multistep *m, const struct formula *c, void *out)
{
    combine(s, m, NULL, c->predict, 0, out);
}

/* ---- steps ---- */

static enum status slope_at_start(struct solver *s, struct field *f, const struct multistep *m,
                                  const struct step *p)
{
    if (m->n_f > 0 && !s->slope_ready) TRY(solver_eval(s, f, p->t, s->carry[0], 0));
    s->slope_ready = m->n_f > 0;
    return STATUS_OK;
}

/* next[0] from the k. */
static void finish(struct solver *s, const struct multistep *m, const struct formula *c)
{
    if (m->implicit)
        memcpy(s->next[0], s->k[end_slot(m)].v, solver_bytes(s));
    else
        combine(s, m, c->y, c->f, c->slope, s->next[0]);
}

static enum status make(struct solver *s, struct field *f, const struct multistep *m, const struct step *p)
{
    struct formula own;
    const struct formula *c = m->kind == MULTISTEP_ADAMS ? &adams_at(s, m, p)->formula : &own;
    int end = end_slot(m);
    if (c == &own) formula_make(m, p, &own);
    TRY(slope_at_start(s, f, m, p));
    if (m->predicts) {
        predict(s, m, c, s->stage_input);
        TRY(solver_eval(s, f, p->end, s->stage_input, end));
    } else if (m->implicit) {
        combine(s, m, c->y, c->f, 0, s->spare);
        memcpy(s->k[end].v, s->carry[0], solver_bytes(s));
        TRY(implicit_solve(s, f, LINEAR_MAIN, p->end, c->slope, s->spare, s->k[end].v, s->k[end + 1].v,
                           s->k[end + 2].v));
    }
    finish(s, m, c);
    return STATUS_OK;
}

static enum status take_given(struct solver *s, struct field *f, const struct multistep *m,
                              const struct step *p)
{
    TRY(slope_at_start(s, f, m, p));
    memcpy(s->next[0], start_state(s, m, p->past), solver_bytes(s));
    return STATUS_OK;
}

static enum status multistep_step(struct solver *s, struct field *f, const struct method *method,
                                  const struct step *p)
{
    const struct multistep *m = &method->multistep;
    s->end_ready = 0;
    if (start_gives(m, p))
        TRY(take_given(s, f, m, p));
    else
        TRY(m->kind == MULTISTEP_VARYING_BDF ? bdf_step(s, f, m, p)
            : formula_continues(m, p)        ? make(s, f, m, p)
                                             : m->begins->step(s, f, method, p));
    if (past_slopes(m) > 0) memcpy(s->next[m->n_y], s->k[0].v, solver_bytes(s));
    return STATUS_OK;
}

/* The vectors of the carry that a step hands on as they are (solver_move) are copied here. */
static void copy_history(struct solver *s, const struct multistep *m)
{
    for (int i = 1; i < s->n_carry; i++)
        if (s->history >> i & 1) memcpy(s->next[i], s->carry[i - 1], solver_bytes(s));
    if (past_slopes(m) > 0) memcpy(s->next[m->n_y], s->k[0].v, solver_bytes(s));
}

static enum status again(struct solver *s, struct field *f, const struct method *method, const struct step *p,
                         enum again what, int have)
{
    const struct multistep *m = &method->multistep;
    struct formula c;
    s->slope_ready = 0;
    if (start_gives(m, p)) {
        if (!have) TRY(take_given(s, f, m, p));
        memcpy(s->next[0], start_state(s, m, p->past), solver_bytes(s));
    } else if (!formula_continues(m, p)) {
        TRY(m->begins->again(s, f, method, p, what, have));
    } else if (!have) {
        TRY((m->kind == MULTISTEP_VARYING_BDF ? bdf_again : make)(s, f, m, p));
    } else if (what != AGAIN_BACK) {
        formula_make(m, p, &c);
        finish(s, m, &c);
    }
    if (what != AGAIN_BACK) copy_history(s, m);
    return STATUS_OK;
}

static int varies(const struct multistep *m)
{
    return m->kind == MULTISTEP_ADAMS || m->kind == MULTISTEP_VARYING_BDF;
}

static enum status varying_error(const struct march *m, const struct step *p, double *norm)
{
    int adams = made_by(&m->o->method, p)->multistep.kind == MULTISTEP_ADAMS;
    return (adams ? adams_error : bdf_error)(m, p, norm);
}

static enum status varying_adapt(struct march *m, const struct step *p, int accepted, double wanted)
{
    int adams = made_by(&m->o->method, p)->multistep.kind == MULTISTEP_ADAMS;
    return (adams ? adams_adapt : bdf_adapt)(m, p, accepted, wanted);
}

static int multistep_kept(const struct method *method)
{
    const struct multistep *m = &method->multistep;
    int begins = m->begins->kept(method), own = own_slots(m);
    return begins > own && !varies(m) ? begins : own;
}

static void multistep_moved(struct solver *s, const struct method *method, const struct step *p)
{
    const struct multistep *m = &method->multistep;
    s->slope_ready = s->end_ready;
    if (s->end_ready) solver_swap(s, 0, 2);
    if (!start_gives(m, p) && !formula_continues(m, p) && m->begins->moved) m->begins->moved(s, method, p);
}

/* ---- between the ends ---- */

/* Weights of the basis for those of y_(n-j), f_(n-j), of y_(n+1) and, in slope, of the slope there. */
static int spread(const struct multistep *m, const struct step *p, const struct formula *at, double end,
                  double *w)
{
    struct formula c;
    int n_carry = carried(m), place = n_carry + end_slot(m);
    double slope = at->slope, other = 0; /* other: how often the sum of the formula without its last term */
    formula_make(m, p, &c);
    w[place] = 0;
    if (m->implicit) {
        w[place] = end + slope / c.slope;
        other = -slope / c.slope;
    } else {
        other = end;
        if (m->predicts) w[place] = slope + end * c.slope;
    }
    for (int j = 0; j < m->n_y; j++) w[j] = at->y[j] + (other != 0 ? other * c.y[j] : 0);
    for (int j = 0; j < m->n_f; j++)
        w[j == 0 ? n_carry : m->n_y + j - 1] = at->f[j] + (other != 0 ? other * c.f[j] : 0);
    if (remembered(m)) w[n_carry - 1] = 0;
    return n_carry + own_slots(m);
}

static enum status multistep_dense(struct solver *s, struct field *f, const struct method *method,
                                   const struct step *p, double theta, int evaluate, double *w, int *n)
{
    const struct multistep *m = &method->multistep;
    int n_carry = carried(m);
    if (start_gives(m, p)) {
        *n = start_dense(s, m, p, theta, evaluate, w);
    } else if (formula_continues(m, p)) {
        struct formula at;
        double end;
        formula_interpolate(m, p, theta, &at, &end);
        *n = spread(m, p, &at, end, w);
    } else {
        double one[MAX_CARRY + MAX_K];
        TRY(m->begins->dense(s, f, method, p, theta, evaluate, one, n));
        memset(w, 0, (size_t)n_carry * sizeof *w);
        w[0] = one[0];
        memcpy(w + n_carry, one + 1, (size_t)(*n - 1) * sizeof *w);
        *n += n_carry - 1;
    }
    return STATUS_OK;
}

/* ---- backwards ---- */

/* Cotangents of the next carry become those of this one, but for what reaches it through y_(n+1) (weights
 * `by` of `bar`) and f_n. */
static void history_back(struct backward *b, const struct multistep *m, const struct formula *by,
                         const void *bar)
{
    enum dtype dtype = b->s->dtype;
    int n_carry = m->n_y + past_slopes(m);
    for (int i = 0; i < n_carry; i++) {
        int last = i + 1 == m->n_y || i + 1 == n_carry;
        double c = !by ? 0 : i < m->n_y ? by->y[i] : by->f[i - m->n_y + 1];
        loops->combine[dtype](b->s->n, last ? NULL : b->carry_bar[i + 1], c != 0, &c, &bar, b->carry_bar[i]);
    }
}

/* f_n: what reaches it from outside, from the next carry, and terms c of x; then y_n. */
static enum status slope_back(struct backward *b, const struct multistep *m, const struct step *p, int n,
                              const double *c, const void *const *x)
{
    struct backward_sum sum;
    if (m->n_f == 0) return STATUS_OK;
    backward_sum_begin(&sum, b, 0);
    for (int i = 0; i < n; i++)
        if (c[i] != 0) backward_sum_add(&sum, b, c[i], x[i]);
    if (past_slopes(m) > 0) backward_sum_add(&sum, b, 1, b->carry_bar[m->n_y]);
    if (!backward_sum_end(&sum, b)) {
        memset(b->k_bar[0], 0, b->bytes);
        return STATUS_OK;
    }
    return backward_vjp(b, p->t, b->s->carry[0], b->s->k[0].kept, b->kbar, b->k_bar[0]);
}

static enum status explicit_formula_back(struct backward *b, const struct multistep *m, const struct step *p,
                                         struct formula *c)
{
    struct solver *s = b->s;
    int end = end_slot(m);
    const void *bars[2] = {s->spare, b->k_bar[end]};
    memcpy(s->spare, b->carry_bar[0], b->bytes);
    if (m->predicts) {
        struct backward_sum sum;
        backward_sum_begin(&sum, b, end);
        backward_sum_add(&sum, b, c->slope, s->spare);
        backward_sum_end(&sum, b);
        predict(s, m, c, s->stage_input);
        TRY(backward_vjp(b, p->end, s->stage_input, s->k[end].kept, b->kbar, b->k_bar[end]));
    }
    TRY(slope_back(b, m, p, 1 + m->predicts, (double[]){c->f[0], c->predict[0]}, bars));
    history_back(b, m, c, s->spare);
    for (int j = 1; j < m->n_f && m->predicts; j++)
        if (c->predict[j] != 0)
            backward_add(b, s->n, c->predict[j], b->k_bar[end], b->carry_bar[m->n_y + j - 1]);
    if (m->predicts) backward_add(b, s->n, 1, b->k_bar[end], b->carry_bar[0]);
    if (m->n_f > 0) backward_add(b, s->n, 1, b->k_bar[0], b->carry_bar[0]);
    return STATUS_OK;
}

/* By the implicit function theorem: the cotangent of what y_(n+1) = sum + slope f(y_(n+1)) was solved for
 * goes through the transposed system to the sum. */
static enum status implicit_formula_back(struct backward *b, const struct multistep *m, const struct step *p,
                                         const struct formula *c)
{
    struct solver *s = b->s;
    int end = end_slot(m);
    struct backward_sum sum;
    backward_sum_begin(&sum, b, end);
    backward_sum_add(&sum, b, 1, b->carry_bar[0]);
    backward_sum_end(&sum, b);
    s->linear_g = 0;
    TRY(linear_set(&s->linear, LINEAR_MAIN, b->f, p->end, s->k[end].v, c->slope));
    TRY(linear_solve_back(s->linear, b->f, LINEAR_MAIN, (void *[]){b->kbar}));
    const void *bar = s->spare;
    memcpy(s->spare, b->kbar, b->bytes);
    loops->combine[s->dtype](s->n, NULL, 1, &c->slope, &bar, b->kbar);
    TRY(backward_vjp(b, p->end, s->k[end].v, NULL, b->kbar, b->k_bar[end]));
    TRY(slope_back(b, m, p, 1, c->f, &bar));
    history_back(b, m, c, bar);
    if (m->n_f > 0) backward_add(b, s->n, 1, b->k_bar[0], b->carry_bar[0]);
    return STATUS_OK;
}

/* A step of the one-step method, or one that ends at a state that was given. */
static enum status start_back(struct backward *b, const struct multistep *m, const struct step *p)
{
    const double one = 1;
    if (start_gives(m, p)) {
        memset(b->k_bar[0], 0, b->bytes);
        TRY(slope_back(b, m, p, 0, NULL, NULL));
        memcpy(b->carry_bar[0], b->k_bar[0], b->bytes);
    } else {
        if (past_slopes(m) > 0) TRY(backward_from(b, b->carry_bar[m->n_y], &one, 1));
        TRY(m->begins->back(b, p));
    }
    memcpy(b->s->spare, b->carry_bar[0], b->bytes);
    history_back(b, m, NULL, NULL);
    backward_add(b, b->s->n, 1, b->s->spare, b->carry_bar[0]);
    return STATUS_OK;
}

static enum status back(struct backward *b, const struct step *p)
{
    const struct multistep *m = &b->m->multistep;
    struct formula c;
    if (start_gives(m, p) || !formula_continues(m, p)) return start_back(b, m, p);
    formula_make(m, p, &c);
    return m->implicit ? implicit_formula_back(b, m, p, &c) : explicit_formula_back(b, m, p, &c);
}

const struct family family_multistep = {.name = "multistep",
                                        .stability = "bounded",
                                        .by_times = 1,
                                        .sizes = multistep_sizes,
                                        .history = multistep_history,
                                        .memory = multistep_memory,
                                        .begin = newton_reserve,
                                        .step = multistep_step,
                                        .again = again,
                                        .kept = multistep_kept,
                                        .norm = varying_error,
                                        .adapt = varying_adapt,
                                        .dense = multistep_dense,
                                        .moved = multistep_moved,
                                        .back = back};
