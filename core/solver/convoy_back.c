/* A step of a convoy on its way back: as explicit_back, for all places at once. */
#include <string.h>

#include "kernels/loops.h"
#include "solver/convoy_places.h"

/* Weight of k_i in row j of the stages and the rows behind them. */
static double weight(const struct tableau *m, int j, int i)
{
    return j < m->stages ? m->a[j][i] : m->extra_a[j - m->stages][i];
}

/* The row that is f at the end of the step, a function of the next y; -1: there is none. */
static int end_row(const struct tableau *m) { return !m->fsal && m->extra > 0 ? m->stages : -1; }

/* Which k have a cotangent, where it comes to some of them from outside; returns how many. */
static int find_used(const struct tableau *m, const char *outside, char *used)
{
    int rows = m->stages + m->extra, count = 0;
    for (int i = rows - 1; i >= 0; i--) {
        used[i] = outside[i] || (i < m->stages && m->b[i] != 0);
        for (int j = i + 1; j < rows; j++)
            used[i] |= used[j] && (j != end_row(m) || i >= m->stages) && weight(m, j, i) != 0;
        count += used[i];
    }
    return count;
}

static void add(const struct convoy *c, double w, const void *x, void *out)
{
    loops->combine[c->dtype](c->share, out, 1, &w, &x, out);
}

/* An output inside of the step at hand: what it gives to y and to the k. */
static void take_inside(struct convoy *c, int64_t i, const char *source, double theta, char *outside)
{
    struct way_back *b = &c->back;
    double w[MAX_K];
    int n = tableau_interpolate(c->rk, theta, w), n_k = c->rk->stages + c->rk->extra;
    if (!b->inside) {
        size_t bytes = (size_t)c->width[c->at].places * c->bytes;
        memset(b->start, 0, bytes);
        for (int j = 0; j < n_k; j++) memset(b->outside[j], 0, bytes);
        memset(b->given, 0, sizeof b->given);
    }
    b->inside = 1;
    add(c, 1, source, convoy_place(c, b->start, i));
    for (int j = 0; j < n; j++) {
        if (w[j] * b->rider[i].p.h == 0) continue;
        outside[j] = b->given[j] = 1;
        add(c, w[j] * b->rider[i].p.h, source, convoy_place(c, b->outside[j], i));
    }
}

/* Outputs of the step at hand, those at its end to the next y. Returns whether there are others. */
static int take_outputs(struct convoy *c, const struct convoy_home *home, int64_t i, char *outside)
{
    struct returner *r = &c->back.rider[i];
    const struct solve_record *record = &home->records[r->sample];
    size_t at = (size_t)r->sample * c->bytes, pitch = (size_t)home->samples * c->bytes;
    int64_t last = r->output;
    int inside = 0;
    while (r->output > 0 && record->output_step[r->output] == r->steps) r->output--;
    for (int64_t o = r->output + 1; o <= last; o++) {
        const char *source = home->ybar + (size_t)o * pitch + at;
        double theta = record->output_theta[o];
        if (theta == 1) add(c, 1, source, convoy_place(c, c->back.lambda, i));
        if (theta == 1) continue;
        take_inside(c, i, source, theta, outside);
        inside = 1;
    }
    return inside;
}

static void set_size(struct convoy *c, int64_t i, double h)
{
    for (int64_t j = i * c->share; j < (i + 1) * c->share; j++) c->h[j] = h;
}

/* y of a step that has to be made again, by the sample alone. */
static enum status retrieve(struct convoy *c, const struct convoy_home *home, int64_t i)
{
    struct returner *r = &c->back.rider[i];
    struct field *f = c->alone;
    int64_t before = f->nfe;
    if (c->entries) {
        f->first = r->sample;
        TRY(field_bind(f, home->parameters));
    }
    TRY(backward_retrieve(&r->carry->b, r->steps));
    r->nfe += f->nfe - before;
    memcpy(convoy_place(c, c->y, i), r->carry->s.carry[0], c->bytes);
    return STATUS_OK;
}

/* y and the k of a step. Returns whether these are there. */
static int take_basis(struct convoy *c, const struct solve_record *record, int64_t i)
{
    int64_t step = c->back.rider[i].steps;
    int n = c->rk->weighted > 1 && record_load(record, &c->like, step) ? c->rk->weighted : 0;
    if (step > 0) record_soon(record, step - 1);
    memcpy(convoy_place(c, c->y, i), record->carry[step], c->bytes);
    for (int j = 0; j < n; j++) memcpy(convoy_place(c, c->k[j], i), c->like.k[j].v, c->bytes);
    return n > 0;
}

/* The step of a place; *again: its stages have to be made again. */
static enum status load(struct convoy *c, const struct convoy_home *home, int64_t i, int *again)
{
    const struct tableau *m = c->rk;
    struct returner *r = &c->back.rider[i];
    const struct solve_record *record = &home->records[r->sample];
    char outside[MAX_K] = {0}, used[MAX_K];
    int have = 0;
    record_read_step(record, --r->steps, &r->p);
    if (r->carry)
        TRY(retrieve(c, home, i));
    else
        have = take_basis(c, record, i);
    if (!have && m->weighted > 1) {
        *again = 1;
        r->nfe += m->weighted;
    }
    set_size(c, i, r->p.h);
    if (!take_outputs(c, home, i, outside)) {
        r->nfe += c->back.plain;
        return STATUS_OK;
    }
    r->nfe += find_used(m, outside, used);
    if (m->extra > (end_row(m) >= 0)) r->nfe += m->extra + m->fsal;
    return STATUS_OK;
}

/* Input of row i of the basis, and its place in the step. */
static const void *input_of(struct convoy *c, int i, double *at)
{
    const struct tableau *m = c->rk;
    *at = i < m->stages ? m->c[i] : i == end_row(m) ? 1 : m->extra_c[i - m->stages];
    if (i == 0) return c->y;
    if (i == end_row(m)) return c->next;
    convoy_combine(c, i < m->stages ? m->a[i] : m->extra_a[i - m->stages], i, c->input);
    return c->input;
}

static void set_times(struct convoy *c, double at)
{
    const struct width *w = &c->width[c->at];
    for (int64_t j = 0; !w->field->autonomous && j < w->places; j++)
        c->moments[j] = step_time(&c->back.rider[j].p, at);
}

/* k_i, i from first to last - 1, again. */
static enum status make_again(struct convoy *c, int first, int last)
{
    double at;
    for (int i = first; i < last; i++) {
        const void *input = input_of(c, i, &at);
        set_times(c, at);
        TRY(convoy_evaluate(c, input, c->k[i]));
    }
    return STATUS_OK;
}

/* Ybar_i of kbar_i = what comes from outside + h b_i lambda + h sum_(j > i) a_ji Ybar_j; see explicit.c. */
static enum status row_back(struct convoy *c, int i, const char *used)
{
    const struct tableau *m = c->rk;
    struct way_back *b = &c->back;
    struct field *f = c->width[c->at].field;
    const void *x[MAX_K + 1];
    double w[MAX_K + 1], at;
    int n = 0, rows = m->stages + m->extra;
    if (i < m->stages && m->b[i] != 0) {
        w[n] = m->b[i];
        x[n++] = b->lambda;
    }
    for (int j = i + 1; j < rows; j++) {
        if (!used[j] || (j == end_row(m) && i < m->stages) || weight(m, j, i) == 0) continue;
        w[n] = weight(m, j, i);
        x[n++] = b->k_bar[j];
    }
    loops->combine_each[c->dtype](c->width[c->at].places * c->share, b->inside ? b->outside[i] : b->none,
                                  c->h, n, w, x, b->kbar);
    const void *input = input_of(c, i, &at);
    set_times(c, at);
    TRY(field_vjp(f, 0, input, b->kbar, NULL, b->k_bar[i], b->part));
    loops->combine[c->dtype](f->n_theta, b->theta, 1, (double[]){1}, (const void *[]){b->part}, b->theta);
    return STATUS_OK;
}

/* lambda += the sum of the bars that are used. */
static void sum_up(struct convoy *c, const char *used, int first, int last)
{
    const void *x[MAX_K];
    double ones[MAX_K];
    int n = 0;
    for (int i = first; i < last; i++) {
        if (!used[i]) continue;
        ones[n] = 1;
        x[n++] = c->back.k_bar[i];
    }
    loops->combine[c->dtype](c->width[c->at].places * c->share, c->back.lambda, n, ones, x, c->back.lambda);
}

/* Rows behind the stages, as the step made them, and f at its end. */
static enum status rows_again(struct convoy *c)
{
    const struct tableau *m = c->rk;
    convoy_combine(c, m->b, m->stages, c->next);
    if (m->extra <= (end_row(m) >= 0)) return STATUS_OK;
    return make_again(c, m->stages - m->fsal, m->stages + m->extra);
}

static const char nothing[MAX_K];

/* The place's own steps may be unstable: it knows what to do about it. */
static int place_fails(const struct convoy *c, int64_t i)
{
    const struct way_back *b = &c->back;
    struct returner *r = &b->rider[i];
    double after = derivative_size(c->dtype, c->share, convoy_place(c, b->lambda, i));
    return derivative_suspect(&r->growth, r->before, after) &&
           derivative_unstable(&r->growth,
                               derivative_pull(c->dtype, c->share, r->p.h, convoy_place(c, b->kbar, i),
                                               convoy_place(c, b->k_bar[0], i)));
}

/* The sizes of the cotangents, which the stages take from here to the beginning of the step. */
static void measure(struct convoy *c, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        c->back.rider[i].before = derivative_size(c->dtype, c->share, convoy_place(c, c->back.lambda, i));
}

static enum status step_back(struct convoy *c, struct convoy_home *home, int64_t n, int again)
{
    const struct tableau *m = c->rk;
    struct way_back *b = &c->back;
    char used[MAX_K];
    int rows = m->stages + m->extra, end = end_row(m);
    find_used(m, b->inside ? b->given : nothing, used);
    if (again) TRY(make_again(c, 0, m->weighted));
    if (b->inside && m->extra > 0) TRY(rows_again(c));
    for (int i = rows - 1; i >= 0; i--) {
        if (i == m->stages - 1) measure(c, n);
        if (!used[i]) continue;
        TRY(row_back(c, i, used));
        if (i == end) sum_up(c, used, end, end + 1);
    }
    if (end >= 0) used[end] = 0;
    sum_up(c, used, 0, rows);
    for (int64_t i = 0; used[0] && i < n; i++) home->lost |= place_fails(c, i);
    return STATUS_OK;
}

/* Places that nobody takes stand still where another one is, with no cotangent. */
static void fill_up(struct convoy *c, int64_t n)
{
    const struct width *w = &c->width[c->at];
    for (int64_t i = n; i < w->places; i++) {
        memcpy(convoy_place(c, c->y, i), c->y, c->bytes);
        for (int j = 0; j < c->rk->weighted; j++) memcpy(convoy_place(c, c->k[j], i), c->k[j], c->bytes);
        c->back.rider[i].p = c->back.rider[0].p;
        set_size(c, i, 0);
    }
}

/* The first output is y0 itself. */
static void arrive(struct convoy *c, const struct convoy_home *home, int64_t i)
{
    const struct returner *r = &c->back.rider[i];
    char *lambda = convoy_place(c, c->back.lambda, i);
    add(c, 1, home->ybar + (size_t)r->sample * c->bytes, lambda);
    memcpy(home->y0bar + (size_t)r->sample * c->bytes, lambda, c->bytes);
    memset(lambda, 0, c->bytes);
    set_size(c, i, 0);
    home->stats[r->sample].nfe_backward = r->nfe;
}

enum status convoy_step_back(struct convoy *c, struct convoy_home *home, int64_t *n, int first)
{
    struct way_back *b = &c->back;
    int again = 0;
    char used[MAX_K];
    b->inside = 0;
    if (first) b->plain = find_used(c->rk, nothing, used);
    for (int64_t i = 0; i < *n; i++) TRY(load(c, home, i, &again));
    if (first) fill_up(c, *n);
    TRY(step_back(c, home, *n, again));
    for (int64_t i = 0; b->inside && i < *n; i++)
        add(c, 1, convoy_place(c, b->start, i), convoy_place(c, b->lambda, i));
    for (; *n > 0 && b->rider[*n - 1].steps == 0; --*n) arrive(c, home, *n - 1);
    return STATUS_OK;
}
