/* Explicit Runge-Kutta methods: the carry is y, the k are the stages, then the rows of the interpolant. */
#include <string.h>

#include "kernels/loops.h"
#include "solver/explicit.h"

void explicit_mask(const struct solver *s, const struct method *m, enum part part, void *v)
{
    size_t half = (size_t)m->half * dtype_size(s->dtype), bytes = solver_bytes(s);
    if (part == PART_ALL || half == 0) return;
    for (size_t at = part == PART_FIRST ? half : 0; at < bytes; at += 2 * half)
        memset((char *)v + at, 0, half);
}

static enum status explicit_eval(struct solver *s, struct field *f, const struct method *m, double t,
                                 const void *input, int i)
{
    TRY(solver_eval(s, f, t, input, i));
    if (m->rk.part[i] != PART_ALL) explicit_mask(s, m, m->rk.part[i], s->k[i].v);
    return STATUS_OK;
}

static void explicit_sizes(const struct method *m, int *n_carry, int *n_k)
{
    *n_carry = 1;
    *n_k = m->rk.stages + (m->rk.extra > 0 ? m->rk.extra : 1);
}

/* Stages first .. last-1; the input of a stage is y + h sum_j a_ij k_j. */
static enum status stages(struct solver *s, struct field *f, const struct method *method,
                          const struct step *p, int first, int last)
{
    const struct tableau *m = &method->rk;
    for (int i = first; i < last; i++) {
        const void *input = s->carry[0];
        if (i > 0) {
            solver_combine(s, s->carry[0], p->h, m->a[i], i, s->stage_input);
            input = s->stage_input;
        }
        TRY(explicit_eval(s, f, method, step_time(p, m->c[i]), input, i));
    }
    return STATUS_OK;
}

/* The last stage of an FSAL method is f at the end, which is also the first of the next step. */
enum status explicit_step(struct solver *s, struct field *f, const struct method *method,
                          const struct step *p)
{
    const struct tableau *m = &method->rk;
    int last = m->fsal ? m->stages - 1 : m->stages;
    s->dense_ready = 0;
    if (!s->slope_ready) TRY(explicit_eval(s, f, method, p->t, s->carry[0], 0));
    s->slope_ready = 1; /* also when the step is rejected */
    TRY(stages(s, f, method, p, 1, last));
    solver_combine(s, s->carry[0], p->h, m->b, m->stages, s->next[0]);
    return m->fsal ? solver_eval(s, f, p->end, s->next[0], last) : STATUS_OK;
}

enum status explicit_again(struct solver *s, struct field *f, const struct method *method,
                           const struct step *p, enum again what, int have)
{
    const struct tableau *m = &method->rk;
    s->dense_ready = 0;
    if (!have && (what != AGAIN_BACK || m->weighted > 1)) TRY(stages(s, f, method, p, 0, m->weighted));
    if (what == AGAIN_BACK) return STATUS_OK;
    solver_combine(s, s->carry[0], p->h, m->b, m->stages, s->next[0]);
    return what == AGAIN_ALL && m->fsal ? solver_eval(s, f, p->end, s->next[0], m->stages - 1) : STATUS_OK;
}

int explicit_kept(const struct method *m) { return m->rk.weighted > 1 ? m->rk.weighted : 0; }

static int explicit_error(const struct method *method, const struct step *p, double *w)
{
    for (int j = 0; j < method->rk.stages; j++) w[j] = p->h * method->rk.e[j];
    return method->rk.stages;
}

static int explicit_error_low(const struct method *method, const struct step *p, double *w)
{
    if (!method->rk.two_errors) return 0;
    for (int j = 0; j < method->rk.stages; j++) w[j] = p->h * method->rk.e_low[j];
    return method->rk.stages;
}

/* The rows of the interpolant; f at the end is the first of them. */
static enum status extra_rows(struct solver *s, struct field *f, const struct method *method,
                              const struct step *p)
{
    const struct tableau *m = &method->rk;
    int end = !m->fsal && m->extra > 0;
    if (end) TRY(explicit_eval(s, f, method, p->end, s->next[0], m->stages));
    for (int e = end; e < m->extra; e++) {
        solver_combine(s, s->carry[0], p->h, m->extra_a[e], m->stages + e, s->stage_input);
        TRY(solver_eval(s, f, step_time(p, m->extra_c[e]), s->stage_input, m->stages + e));
    }
    s->dense_ready = 1;
    return STATUS_OK;
}

enum status explicit_dense(struct solver *s, struct field *f, const struct method *method,
                           const struct step *p, double theta, int evaluate, double *w, int *n)
{
    if (evaluate && !s->dense_ready) TRY(extra_rows(s, f, method, p));
    w[0] = 1;
    *n = tableau_interpolate(&method->rk, theta, w + 1);
    for (int j = 1; j <= *n; j++) w[j] *= p->h;
    ++*n;
    return STATUS_OK;
}

/* f at the end, where it is known, is the first slope of the next step. */
static void explicit_moved(struct solver *s, const struct method *method, const struct step *p)
{
    const struct tableau *m = &method->rk;
    (void)p;
    int end = m->fsal ? m->stages - 1 : s->dense_ready && m->extra > 0 ? m->stages : -1;
    if (end > 0) solver_swap(s, 0, end);
    s->slope_ready = end > 0;
}

/* ---- backwards ---- */

/* Ybar_i of stage i at `input`, from kbar; thetabar grows. */
static enum status explicit_stage_back(struct backward *b, double t, const void *input, const void *residual,
                                       int i)
{
    const struct method *m = b->m;
    if (m->rk.part[i] != PART_ALL) explicit_mask(b->s, m, m->rk.part[i], b->kbar);
    return backward_vjp(b, t, input, residual, b->kbar, b->k_bar[i]);
}

/* kbar_i = sum of what comes from outside + h sum_(j > i) a_ji Ybar_j, over the stages and rows behind; 0:
 * for want of terms. */
static int gather(struct backward *b, const struct tableau *m, double h, int i, int stages, const char *used)
{
    struct backward_sum sum;
    backward_sum_begin(&sum, b, i);
    for (int j = i + 1; j < stages; j++) {
        double a = j < m->stages ? m->a[j][i] : m->extra_a[j - m->stages][i];
        if (used[j] && a != 0) backward_sum_add(&sum, b, h * a, b->k_bar[j]);
    }
    return backward_sum_end(&sum, b);
}

/* Rows of the interpolant, last first. f at the end is a function of the next y, whose cotangent grows. */
static enum status extra_back(struct backward *b, const struct tableau *m, const struct step *p, char *used)
{
    struct solver *s = b->s;
    int end = !m->fsal && m->extra > 0;
    if (m->extra > end) {
        TRY(explicit_again(s, b->f, b->m, p, AGAIN_ALL, 1));
        TRY(extra_rows(s, b->f, b->m, p));
    }
    for (int e = m->extra - 1; e >= end; e--) {
        int i = m->stages + e;
        if (!gather(b, m, p->h, i, m->stages + m->extra, used)) continue;
        solver_combine(s, s->carry[0], p->h, m->extra_a[e], i, s->stage_input);
        TRY(explicit_stage_back(b, step_time(p, m->extra_c[e]), s->stage_input, NULL, i));
        used[i] = 1;
    }
    if (!end || !gather(b, m, p->h, m->stages, m->stages + m->extra, used)) return STATUS_OK;
    solver_combine(s, s->carry[0], p->h, m->b, m->stages, s->next[0]);
    TRY(explicit_stage_back(b, p->end, s->next[0], NULL, m->stages));
    backward_add(b, s->n, 1, b->k_bar[m->stages], b->carry_bar[0]);
    return STATUS_OK;
}

/* kbar_i = h b_i lambda + h sum_(j > i) a_ji Ybar_j, Ybar_i = kbar_i^T df/dy, lambda_before = lambda + sum_i
 * Ybar_i */
enum status explicit_back(struct backward *b, const struct step *p)
{
    const struct tableau *m = &b->m->rk;
    struct solver *s = b->s;
    char used[MAX_K] = {0};
    double w[MAX_K] = {0};
    const void *bars[MAX_K];
    double ones[MAX_K];
    int count = 0, rows = m->stages + m->extra;
    if (b->from.n > 0 && m->extra > 0) TRY(extra_back(b, m, p, used));
    if (!m->fsal && m->extra > 0) used[m->stages] = 0; /* it has gone to lambda */
    memcpy(s->spare, b->carry_bar[0], b->bytes);       /* lambda changes while the stages still need it */
    for (int i = 0; i < m->stages; i++) w[i] = p->h * m->b[i];
    TRY(backward_from(b, s->spare, w, m->stages));
    for (int i = m->stages - 1; i >= 0; i--) {
        if (!gather(b, m, p->h, i, rows, used)) continue;
        const void *input = s->carry[0];
        if (i > 0) {
            solver_combine(s, s->carry[0], p->h, m->a[i], i, s->stage_input);
            input = s->stage_input;
        }
        TRY(explicit_stage_back(b, step_time(p, m->c[i]), input, i < m->weighted ? s->k[i].kept : NULL, i));
        used[i] = 1;
    }
    for (int i = 0; i < rows; i++) {
        if (!used[i]) continue;
        ones[count] = 1;
        bars[count++] = b->k_bar[i];
    }
    loops->combine[s->dtype](s->n, b->carry_bar[0], count, ones, bars, b->carry_bar[0]);
    return used[0] ? backward_watch(b, s->spare, p->h, b->kbar, b->k_bar[0]) : STATUS_OK;
}

const struct family family_explicit = {.name = "explicit",
                                       .stability = "bounded",
                                       .slope = 1,
                                       .by_times = 2,
                                       .sizes = explicit_sizes,
                                       .step = explicit_step,
                                       .again = explicit_again,
                                       .kept = explicit_kept,
                                       .error = explicit_error,
                                       .error_low = explicit_error_low,
                                       .dense = explicit_dense,
                                       .moved = explicit_moved,
                                       .back = explicit_back};
