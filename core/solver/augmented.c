#include "solver/augmented.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/loops.h"
#include "solver/family.h"
#include "solver/retrace.h"

/* The first of them, and how many; they are the solver's own vectors, whatever a record holds. */
static int rows_of(const struct augmented *g, int *n)
{
    const struct tableau *rk = &made_by(g->m, &g->p)->rk;
    *n = rk->extra;
    return rk->stages;
}

/* Rows of the step at hand, if it was looked at before. */
static void seen_take(struct augmented *g)
{
    int n, first = rows_of(g, &n);
    for (int i = 0; i < SEEN_STEPS && n > 0 && g->seen.rows; i++) {
        if (g->seen.step[i] != g->step) continue;
        const char *rows = g->seen.rows + (size_t)i * g->seen.bytes;
        for (int e = 0; e < n; e++)
            memcpy(g->s->k[first + e].v, rows + (size_t)e * solver_bytes(g->s), solver_bytes(g->s));
        g->s->plain = g->seen.plain[i];
        g->s->dense_ready = 1;
    }
}

static enum status seen_keep(struct augmented *g)
{
    struct seen_rows *seen = &g->seen;
    int n, first = rows_of(g, &n);
    if (n == 0) return STATUS_OK;
    if (!seen->rows) {
        seen->bytes = MAX_EXTRA * solver_bytes(g->s);
        if (!(seen->rows = memory_alloc(SEEN_STEPS * seen->bytes))) return memory_status();
    }
    char *rows = seen->rows + (size_t)seen->next * seen->bytes;
    for (int e = 0; e < n; e++)
        memcpy(rows + (size_t)e * solver_bytes(g->s), g->s->k[first + e].v, solver_bytes(g->s));
    seen->step[seen->next] = g->step;
    seen->plain[seen->next] = g->s->plain;
    seen->next = (seen->next + 1) % SEEN_STEPS;
    return STATUS_OK;
}

/* y(t) in the solver's spare vector. */
static enum status forward_state(struct augmented *g, double t)
{
    const struct solve_record *r = g->record;
    double direction = record_step(r, 0).h > 0 ? 1 : -1;
    int64_t step = g->step < 0 ? r->n - 1 : g->step;
    int64_t last = g->highest < r->n ? g->highest : r->n - 1;
    step = step > last ? last : step < g->lowest ? g->lowest : step;
    while (step > g->lowest && (t - record_time(r, step)) * direction < 0) step--;
    while (step < last && (t - record_time(r, step + 1)) * direction > 0) step++;
    if (step != g->step) {
        g->step = step;
        g->p = record_step(r, step);
        enum status status =
            g->m->family->again(g->s, g->inner, g->m, &g->p, AGAIN_ALL, record_load(r, g->s, step));
        if (status != STATUS_OK) {
            g->step = -1;
            return status;
        }
        seen_take(g);
    }
    const struct step *p = &g->p;
    double theta = fmin(fmax((t - p->t) / p->h, 0), 1);
    int had = g->s->dense_ready;
    enum status status = solver_interpolate(g->s, g->inner, g->m, p, theta, g->s->spare);
    return status == STATUS_OK && !had && g->s->dense_ready ? seen_keep(g) : status;
}

static enum status augmented_eval(struct field *self, double t, const void *z, void *dz)
{
    struct augmented *g = (struct augmented *)self;
    struct field *f = g->inner;
    size_t bytes = (size_t)f->n * dtype_size(f->dtype), a = g->record ? 0 : bytes;
    char *ybar = (char *)dz + a;
    if (g->record) TRY(forward_state(g, t));
    TRY(field_vjp(f, t, g->record ? g->s->spare : z, (const char *)z + a, g->record ? NULL : dz, ybar,
                  ybar + bytes));
    const void *negative = ybar;
    loops->combine[f->dtype](f->n + f->n_theta, NULL, 1, (double[]){-1}, &negative, ybar);
    return STATUS_OK;
}

/* With y from the record the field is linear in z, and does not read the gradient of the parameters. */
static enum status cotangents_jvp(struct field *self, double t, const void *z, const void *v, void *ydot)
{
    (void)z;
    return augmented_eval(self, t, v, ydot);
}

void augmented_begin(struct augmented *g, struct solver *s, struct field *f, const struct method *m,
                     const struct solve_record *record)
{
    static const struct field_type whole = {.name = "the augmented field of a continuous adjoint",
                                            .eval = augmented_eval},
                                   linear = {.name = "the cotangents of a continuous adjoint",
                                             .eval = augmented_eval,
                                             .jvp = cotangents_jvp};
    *g = (struct augmented){.base = {.type = record ? &linear : &whole,
                                     .n = (record ? 1 : 2) * f->n + f->n_theta,
                                     .dtype = f->dtype,
                                     .quadratures = f->n_theta},
                            .inner = f,
                            .record = record,
                            .m = m,
                            .s = s,
                            .step = -1,
                            .highest = INT64_MAX,
                            .pitch = solver_pitch(s)};
    for (int i = 0; i < SEEN_STEPS; i++) g->seen.step[i] = -1;
}

void augmented_end(struct augmented *g) { memory_free(g->seen.rows); }

enum status augmented_by_time(struct augmented *g, double t, const void *y, const void *a, void *slope,
                              double *bar)
{
    struct field *f = g->inner;
    TRY(field_eval(f, t, y, slope));
    *bar = 0;
    for (int64_t i = 0; i < f->n; i++)
        *bar += f->dtype == FLOAT32 ? (double)((const float *)a)[i] * (double)((const float *)slope)[i]
                                    : ((const double *)a)[i] * ((const double *)slope)[i];
    return STATUS_OK;
}

double augmented_largest(const struct augmented *g, int64_t n, const char *y)
{
    const struct field *f = g->inner;
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, retrace_distance(f->n, f->dtype, y + (size_t)i * g->pitch, NULL));
    return most > 0 ? most : INFINITY;
}
