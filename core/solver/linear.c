#include "solver/linear.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/blas.h"
#include "kernels/paste.h"
#include "solver/linear_system.h"

/* ---- memory ---- */

void linear_free(struct linear *l)
{
    if (!l) return;
    jacobian_free(&l->jacobian);
    krylov_free(&l->krylov);
    for (int i = 0; i < LINEAR_SETS; i++) {
        memory_free(l->set[i].matrix);
        memory_free(l->set[i].pivot);
    }
    void *blocks[] = {l->at, l->values, l->gathered, l->sums, l->refined, l};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

/* Is the matrix to be made? */
static int is_dense(const struct field *f, enum linear_kind kind, int64_t blocks, int stages)
{
    int64_t columns = jacobian_columns(f, blocks, NULL), most = LINEAR_AUTO_UNKNOWNS;
    return kind == LINEAR_DENSE ||
           (kind == LINEAR_AUTO && columns * stages <= most && f->n / blocks * columns <= most * most);
}

unsigned linear_works(struct field *f, enum linear_kind kind, struct jacobian_own *own, int stages,
                      int transposed)
{
    unsigned vjp = transposed && field_can(f, FIELD_VJP) ? FIELD_MASK(FIELD_VJP) : 0;
    if (own) return vjp; /* linear_solve_back */
    if (is_dense(f, kind, jacobian_blocks(f), stages)) return FIELD_MASK(jacobian_work(f));
    return (field_can(f, FIELD_JVP) ? FIELD_MASK(FIELD_JVP) : 0) | vjp;
}

static enum status too_large(int64_t unknowns)
{
    return status_set(STATUS_UNSUPPORTED,
                      "odeint: a dense Jacobian of %lld unknowns, at most %d are possible; take jacobian = "
                      "\"krylov\" or an explicit method, or solve fewer samples at a time",
                      (long long)unknowns, LINEAR_MOST_UNKNOWNS);
}

static enum status reserve_dense(struct linear *l)
{
    size_t size = dtype_size(l->dtype), block = (size_t)(l->width * l->columns) * size,
           order = (size_t)(l->columns * l->most);
    int64_t most = LINEAR_MOST_UNKNOWNS;
    if (l->columns * l->most > most || l->width * l->columns > most * most)
        return too_large(l->width * l->most);
    TRY(jacobian_reserve(&l->jacobian, l->f, l->blocks, l->own));
    l->values = memory_alloc((size_t)l->most * (size_t)l->blocks * block);
    l->gathered = memory_alloc(order * size);
    l->sums = memory_alloc((size_t)l->width * size);
    if (!l->values || !l->gathered || !l->sums) return memory_status();
    return order > LINEAR_OWN_UNKNOWNS ? blas_open() : STATUS_OK;
}

static enum status reserve(struct linear *l)
{
    l->vector = ((size_t)l->n * dtype_size(l->dtype) + 63) & ~(size_t)63;
    l->at = memory_alloc((size_t)l->most * l->vector);
    if (!l->at) return memory_status();
    return l->dense ? reserve_dense(l) : krylov_reserve(&l->krylov, l->f, l->most);
}

/* A set is for systems of the size that is asked for first. */
static enum status reserve_set(struct linear *l, struct factors *s, int stages)
{
    if (s->matrix && s->stages == stages) return STATUS_OK;
    size_t order = (size_t)(l->columns * stages),
           block = order * order + (size_t)(l->width - l->columns) * order; /* see follow */
    memory_free(s->matrix);
    memory_free(s->pivot);
    s->matrix = memory_alloc((size_t)l->blocks * block * dtype_size(l->dtype));
    s->pivot = memory_alloc((size_t)l->blocks * order * sizeof *s->pivot);
    return s->matrix && s->pivot ? STATUS_OK : memory_status();
}

enum status linear_begin(struct linear **out, struct field *f, enum linear_kind kind,
                         struct jacobian_own *own, int stages)
{
    struct linear *l = *out;
    if (l && l->f == f && l->n == f->n && l->dtype == f->dtype && l->n_theta == f->n_theta &&
        l->kind == kind && l->own == own && l->most >= stages) {
        for (int i = 0; i < l->most; i++) l->known[i] = 0; /* the field may have other parameters by now */
        l->generation++;
        return STATUS_OK;
    }
    linear_free(l);
    *out = NULL;
    if (!(l = memory_zalloc(1, sizeof *l))) return memory_status();
    int64_t blocks = own ? 1 : jacobian_blocks(f);
    *l = (struct linear){.f = f,
                         .kind = kind,
                         .own = own,
                         .most = stages,
                         .n = f->n,
                         .blocks = blocks,
                         .width = f->n / blocks,
                         .columns = jacobian_columns(f, blocks, own),
                         .dtype = f->dtype,
                         .n_theta = f->n_theta,
                         .generation = 1,
                         .dense = own || is_dense(f, kind, blocks, stages)};
    enum status status = reserve(l);
    if (status != STATUS_OK) {
        linear_free(l);
        return status;
    }
    *out = l;
    return STATUS_OK;
}

struct linear_counts linear_counted(const struct linear *l)
{
    return l ? l->counts : (struct linear_counts){0};
}

void linear_count_anew(struct linear *l) { l->counts = (struct linear_counts){0}; }

void linear_tolerance(struct linear *l, double share) { l->share = share; }

/* ---- making the system ---- */

#define T float
#define SUFFIX f32
#include "solver/linear_factors_body.h"
#define T double
#define SUFFIX f64
#include "solver/linear_factors_body.h"

enum status linear_jacobian(struct linear *l, struct field *f, int i, double t, const void *y)
{
    char *at = l->at + (size_t)i * l->vector;
    size_t bytes = (size_t)l->n * dtype_size(l->dtype), values = bytes * (size_t)l->columns;
    const void *base = l->base;
    l->base = NULL;
    if (l->known[i] && l->t[i] == t && memcmp(at, y, bytes) == 0) return STATUS_OK;
    l->known[i] = 0;
    l->generation++;
    l->counts.jacobians += l->dense;
    l->jacobian.base = base;
    if (l->dense) TRY(jacobian_at(&l->jacobian, f, t, y, l->values + (size_t)i * values));
    memcpy(at, y, bytes);
    l->t[i] = t;
    l->known[i] = 1;
    return STATUS_OK;
}

int linear_by_differences(const struct linear *l)
{
    return l->dense && !l->own && l->jacobian.work == FIELD_EVAL;
}

void linear_base(struct linear *l, const void *slope) { l->base = slope; }

void linear_in_step(struct linear *l, const void *slope, double h, int fine)
{
    l->jacobian.known = slope;
    l->jacobian.h = h;
    l->jacobian.fine = fine;
}

static char *matrix_of(const struct linear *l, const struct factors *s, int64_t block)
{
    int64_t order = l->columns * s->stages, room = order * (order + l->width - l->columns);
    return s->matrix + (size_t)(block * room) * dtype_size(l->dtype);
}

/* Unknowns of a block that are solved for, of one stage. */
static int64_t lead_of(const struct linear *l, const struct factors *s) { return l->width - s->idle; }

/* Where the complex part of a system begins, in numbers: behind the real one of three stages. */
static int64_t complex_at(const struct factors *s, int64_t n) { return s->stages == 3 ? n * n : 0; }

static int factor_apart(const struct linear *l, const struct factors *s, int64_t n, char *matrix, int *pivot)
{
    int64_t at = complex_at(s, n);
    if (at && !blas_factor(l->dtype, 0, n, matrix, pivot)) return 0;
    return blas_factor(l->dtype, 1, n, matrix + (size_t)at * dtype_size(l->dtype), pivot + (at ? n : 0));
}

static int factor(const struct linear *l, const struct factors *s, char *matrix, int *pivot)
{
    int64_t order = lead_of(l, s) * s->stages;
    if (s->apart) return factor_apart(l, s, lead_of(l, s), matrix, pivot);
    if (order > LINEAR_OWN_UNKNOWNS) return blas_factor(l->dtype, 0, order, matrix, pivot);
    return l->dtype == FLOAT32 ? factor_f32(order, (float *)matrix, pivot)
                               : factor_f64(order, (double *)matrix, pivot);
}

static enum status singular(const struct linear *l, double g)
{
    status_fail(STATUS_NUMERIC, "newton", "use other steps",
                "odeint: the matrix I - %.3g df/dy of an implicit step is singular or not finite at t = %.9g",
                g, l->t[0]);
    status_failure()->t = l->t[0];
    return STATUS_NUMERIC;
}

enum status linear_factor(struct linear *l, enum linear_set which, int stages, const double *A, int own)
{
    struct factors *s = &l->set[which];
    size_t bytes = (size_t)(stages * stages) * sizeof *A;
    if (s->generation == l->generation && s->stages == stages && s->own == own && memcmp(s->A, A, bytes) == 0)
        return STATUS_OK;
    s->generation = 0;
    if (l->dense) TRY(reserve_set(l, s, stages));
    s->stages = stages;
    s->own = own;
    memcpy(s->A, A, bytes);
    l->counts.factorizations += l->dense;
    s->idle = !l->dense ? 0 : l->dtype == FLOAT32 ? idle_f32(l, s) : idle_f64(l, s);
    s->apart = !own && l->dense && lead_of(l, s) > LINEAR_OWN_UNKNOWNS && split_find(stages, A, &s->split);
    for (int64_t b = 0; b < l->blocks && l->dense; b++) {
        char *matrix = matrix_of(l, s, b);
        if (l->dtype == FLOAT32)
            system_f32(l, s, b, (float *)matrix);
        else
            system_f64(l, s, b, (double *)matrix);
        if (!factor(l, s, matrix, s->pivot + b * lead_of(l, s) * stages)) return singular(l, A[0]);
    }
    s->generation = l->generation;
    return STATUS_OK;
}

/* ---- solving ---- */

static void solve_apart(const struct linear *l, const struct factors *s, int64_t n, const char *matrix,
                        const int *pivot, char *x)
{
    int64_t at = complex_at(s, n);
    size_t size = dtype_size(l->dtype);
    if (at) blas_factor_solve(l->dtype, 0, n, matrix, pivot, 0, x);
    blas_factor_solve(l->dtype, 1, n, matrix + (size_t)at * size, pivot + (at ? n : 0), 0,
                      x + (at ? (size_t)n * size : 0));
}

static void solve_block(const struct linear *l, const struct factors *s, int64_t b, int transpose, char *x)
{
    int64_t order = lead_of(l, s) * s->stages;
    const char *matrix = matrix_of(l, s, b);
    const int *pivot = s->pivot + b * order;
    if (s->apart)
        solve_apart(l, s, lead_of(l, s), matrix, pivot, x);
    else if (order > LINEAR_OWN_UNKNOWNS)
        blas_factor_solve(l->dtype, 0, order, matrix, pivot, transpose, x);
    else if (l->dtype == FLOAT32)
        solve_f32(order, (const float *)matrix, pivot, transpose, (float *)x);
    else
        solve_f64(order, (const double *)matrix, pivot, transpose, (double *)x);
}

static void follow(const struct linear *l, const struct factors *s, int64_t b, int transpose, void *const *x)
{
    if (s->idle == 0) return;
    size_t at = (size_t)(b * l->width) * dtype_size(l->dtype);
    char *parts[MAX_STAGES];
    for (int i = 0; i < s->stages; i++) parts[i] = (char *)x[i] + at;
    if (l->dtype == FLOAT32)
        follow_f32(l, s, (const float *)matrix_of(l, s, b), transpose, (float *const *)parts);
    else
        follow_f64(l, s, (const double *)matrix_of(l, s, b), transpose, (double *const *)parts);
}

static enum status solve_by_krylov(struct linear *l, const struct factors *s, int transpose, void *const *x)
{
    struct krylov_system system = {
        .f = l->f, .stages = s->stages, .own = s->own, .A = s->A, .t = l->t, .transpose = transpose};
    for (int i = 0; i < s->stages; i++) system.at[i] = l->at + (size_t)(s->own ? i : 0) * l->vector;
    return krylov_solve(&l->krylov, &system, transpose ? 0 : l->share, x);
}

/* A block's part of all stages, one behind the other, or in the basis in which they are apart. */
static void gather(const struct linear *l, const struct factors *s, size_t at, void *const *x)
{
    size_t part = (size_t)lead_of(l, s) * dtype_size(l->dtype);
    char *parts[MAX_STAGES];
    for (int i = 0; i < s->stages; i++) parts[i] = (char *)x[i] + at;
    if (s->apart && l->dtype == FLOAT32)
        to_basis_f32(l, s, (float *const *)parts);
    else if (s->apart)
        to_basis_f64(l, s, (double *const *)parts);
    for (int i = 0; i < s->stages && !s->apart; i++) memcpy(l->gathered + (size_t)i * part, parts[i], part);
}

static void scatter(const struct linear *l, const struct factors *s, size_t at, void *const *x)
{
    size_t part = (size_t)lead_of(l, s) * dtype_size(l->dtype);
    char *parts[MAX_STAGES];
    for (int i = 0; i < s->stages; i++) parts[i] = (char *)x[i] + at;
    if (s->apart && l->dtype == FLOAT32)
        from_basis_f32(l, s, (float *const *)parts);
    else if (s->apart)
        from_basis_f64(l, s, (double *const *)parts);
    for (int i = 0; i < s->stages && !s->apart; i++) memcpy(parts[i], l->gathered + (size_t)i * part, part);
}

enum status linear_solve_stages(struct linear *l, enum linear_set which, int transpose, void *const *x)
{
    const struct factors *s = &l->set[which];
    if (!l->dense) return solve_by_krylov(l, s, transpose, x);
    for (int64_t b = 0; b < l->blocks; b++) {
        size_t at = (size_t)(b * l->width) * dtype_size(l->dtype);
        if (transpose) follow(l, s, b, 1, x);
        if (s->stages == 1) {
            solve_block(l, s, b, transpose, (char *)x[0] + at);
        } else {
            gather(l, s, at, x);
            solve_block(l, s, b, transpose, l->gathered);
            scatter(l, s, at, x);
        }
        if (!transpose) follow(l, s, b, 0, x);
    }
    return STATUS_OK;
}

enum status linear_product(struct linear *l, struct field *f, const void *v, void *out)
{
    if (!l->dense) return krylov_product(&l->krylov, f, l->t[0], l->at, v, out);
    if (l->dtype == FLOAT32)
        product_f32(l, (const float *)v, (float *)out);
    else
        product_f64(l, (const double *)v, (double *)out);
    return STATUS_OK;
}

/* ---- one stage ---- */

enum status linear_set(struct linear **l, enum linear_set set, struct field *f, double t, const void *y,
                       double g)
{
    TRY(linear_begin(l, f, *l ? (*l)->kind : LINEAR_AUTO, *l ? (*l)->own : NULL, 1));
    TRY(linear_jacobian(*l, f, 0, t, y));
    return linear_factor(*l, set, 1, &g, 0);
}

enum status linear_solve(struct linear *l, enum linear_set set, int transpose, void *x)
{
    return linear_solve_stages(l, set, transpose, &x);
}
