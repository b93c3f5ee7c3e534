#include "solver/krylov.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/loops.h"

void krylov_free(struct krylov *k)
{
    memory_free(k->block);
    *k = (struct krylov){0};
}

enum status krylov_reserve(struct krylov *k, struct field *f, int stages)
{
    size_t size = dtype_size(f->dtype), vector = ((size_t)f->n * size + 63) & ~(size_t)63,
           whole = vector * (size_t)stages;
    krylov_free(k);
    *k = (struct krylov){.n = f->n, .vector = (int64_t)vector, .most = stages, .dtype = f->dtype};
    k->block = memory_zalloc(1, whole * (KRYLOV_BASIS + 4) + 2 * vector + (size_t)f->n_theta * size);
    if (!k->block) return memory_status();
    k->basis = k->block;
    k->product = k->basis + whole * (KRYLOV_BASIS + 1);
    k->right = k->product + whole;
    k->x = k->right + whole;
    k->from = k->x + whole;
    k->theta = k->from + 2 * vector;
    return STATUS_OK;
}

/* ---- vectors of all stages: stage i of vector x ---- */

static char *part(const struct krylov *k, char *x, int i) { return x + (int64_t)i * k->vector; }

static char *basis(const struct krylov *k, int stages, int j)
{
    return k->basis + (int64_t)j * stages * k->vector;
}

static double dot(const struct krylov *k, int stages, char *a, char *b)
{
    double sum = 0;
    for (int i = 0; i < stages; i++) {
        const void *x = part(k, a, i), *y = part(k, b, i);
        if (k->dtype == FLOAT32)
            for (int64_t e = 0; e < k->n; e++) sum += (double)((const float *)x)[e] * ((const float *)y)[e];
        else
            for (int64_t e = 0; e < k->n; e++) sum += ((const double *)x)[e] * ((const double *)y)[e];
    }
    return sum;
}

/* x += c y; y NULL: x *= c. */
static void add(const struct krylov *k, int stages, char *x, double c, char *y)
{
    for (int i = 0; i < stages; i++) {
        char *xi = part(k, x, i);
        const void *yi = y ? part(k, y, i) : xi;
        loops->combine[k->dtype](k->n, y ? xi : NULL, 1, &c, &yi, xi);
    }
}

/* ---- products ---- */

/* What a difference is off by, as a share of |df/dy| |v|. */
static double difference_error(const struct krylov *k)
{
    return sqrt(k->dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON);
}

/* out = df/dy v by a difference along v, over sqrt(eps) of what the state is. */
static enum status difference(struct krylov *k, struct field *f, double t, const void *y, const void *v,
                              char *out)
{
    double length = sqrt(loops->scaled_sum[k->dtype](k->n, v, v, 0, 1)),
           size = sqrt(loops->scaled_sum[k->dtype](k->n, y, y, 0, 1)),
           shift = difference_error(k) * fmax(size, 1e-5) / length;
    if (length == 0) {
        memset(out, 0, (size_t)k->n * dtype_size(k->dtype));
        return STATUS_OK;
    }
    char *moved = k->from + k->vector;
    loops->combine[k->dtype](k->n, y, 1, &shift, &v, moved);
    TRY(field_eval(f, t, moved, out));
    TRY(field_eval(f, t, y, moved));
    const void *both[] = {out, moved};
    loops->combine[k->dtype](k->n, NULL, 2, (double[]){1 / shift, -1 / shift}, both, out);
    return STATUS_OK;
}

enum status krylov_product(struct krylov *k, struct field *f, double t, const void *y, const void *v,
                           void *out)
{
    return field_can(f, FIELD_JVP) ? field_jvp(f, t, y, v, out) : difference(k, f, t, y, v, out);
}

static enum status times_jacobian(struct krylov *k, const struct krylov_system *s, int i, const void *v,
                                  char *out)
{
    double t = s->t[s->own ? i : 0];
    if (s->transpose) return field_vjp(s->f, t, s->at[i], v, NULL, out, k->theta);
    return krylov_product(k, s->f, t, s->at[i], v, out);
}

/* out = x + c (sum_j A_ij x_j or, transposed, sum_j A_ji x_j). */
static void mix(struct krylov *k, const struct krylov_system *s, int i, char *x, const char *y, double c,
                char *out)
{
    double w[MAX_STAGES];
    const void *parts[MAX_STAGES];
    for (int j = 0; j < s->stages; j++) {
        w[j] = c * (s->transpose ? s->A[j * s->stages + i] : s->A[i * s->stages + j]);
        parts[j] = part(k, x, j);
    }
    loops->combine[k->dtype](k->n, y, s->stages, w, parts, out);
}

/* out = M x or M^T x; x and out differ. */
static enum status apply(struct krylov *k, const struct krylov_system *s, char *x, char *out)
{
    for (int i = 0; i < s->stages && !s->transpose; i++) {
        char *result = part(k, out, i);
        mix(k, s, i, x, NULL, 1, k->from);
        TRY(times_jacobian(k, s, i, k->from, result));
        const void *product = result;
        loops->combine[k->dtype](k->n, part(k, x, i), 1, (double[]){-1}, &product, result);
    }
    if (!s->transpose) return STATUS_OK;
    for (int i = 0; i < s->stages; i++) TRY(times_jacobian(k, s, i, part(k, x, i), part(k, k->product, i)));
    for (int i = 0; i < s->stages; i++) mix(k, s, i, k->product, part(k, x, i), -1, part(k, out, i));
    return STATUS_OK;
}

/* ---- GMRES ---- */

/* One cycle: rotations make the Hessenberg matrix triangular as it grows. */
struct cycle {
    double h[KRYLOV_BASIS + 1][KRYLOV_BASIS], c[KRYLOV_BASIS], s[KRYLOV_BASIS], right[KRYLOV_BASIS + 1];
    double longest; /* of the products so far: of M times a unit vector */
    int n;
};

static void rotate(struct cycle *g, int j)
{
    for (int i = 0; i < j; i++) {
        double a = g->h[i][j], b = g->h[i + 1][j];
        g->h[i][j] = g->c[i] * a + g->s[i] * b;
        g->h[i + 1][j] = g->c[i] * b - g->s[i] * a;
    }
    double size = hypot(g->h[j][j], g->h[j + 1][j]);
    g->c[j] = size > 0 ? g->h[j][j] / size : 1;
    g->s[j] = size > 0 ? g->h[j + 1][j] / size : 0;
    g->h[j][j] = size;
    g->right[j + 1] = -g->s[j] * g->right[j];
    g->right[j] *= g->c[j];
}

static enum status not_found(double share, double wanted)
{
    return status_fail(
        STATUS_NUMERIC, "newton", "take jacobian = \"dense\", smaller steps, or looser tolerances",
        "odeint: GMRES does not solve the linear system of an implicit step: after %d products "
        "%.2g of the right-hand side is left, %.2g is wanted",
        KRYLOV_MOST_PRODUCTS, share, wanted);
}

/* Another vector of the basis: M times the last, made orthogonal to those before. */
static enum status grow(struct krylov *k, const struct krylov_system *s, struct cycle *g, int *ends)
{
    int j = g->n++;
    char *next = basis(k, s->stages, j + 1);
    TRY(apply(k, s, basis(k, s->stages, j), next));
    for (int i = 0; i <= j; i++) {
        g->h[i][j] = dot(k, s->stages, basis(k, s->stages, i), next);
        add(k, s->stages, next, -g->h[i][j], basis(k, s->stages, i));
    }
    double size = g->h[j + 1][j] = sqrt(dot(k, s->stages, next, next)), length = size;
    for (int i = 0; i <= j; i++) length = hypot(length, g->h[i][j]);
    g->longest = fmax(g->longest, length);
    if (!isfinite(size)) return not_found(size, 0);
    *ends = !(size > 0);
    if (size > 0) add(k, s->stages, next, 1 / size, NULL);
    rotate(g, j);
    return STATUS_OK;
}

/* x += the best of the space. */
static void take(struct krylov *k, const struct krylov_system *s, struct cycle *g)
{
    for (int j = g->n - 1; j >= 0; j--) {
        for (int i = j + 1; i < g->n; i++) g->right[j] -= g->h[j][i] * g->right[i];
        g->right[j] = g->h[j][j] > 0 ? g->right[j] / g->h[j][j] : 0;
        add(k, s->stages, k->x, g->right[j], basis(k, s->stages, j));
    }
}

static int by_differences(const struct krylov_system *s)
{
    return !s->transpose && !field_can(s->f, FIELD_JVP);
}

/* From the residual in the first vector of the basis, of that size. noise: what of the residual behind it
 * comes of products that are no linear map. */
static enum status one_cycle(struct krylov *k, const struct krylov_system *s, double goal, double residual,
                             int *products, double *noise)
{
    struct cycle g = {.right = {residual}};
    int64_t whole = k->n * s->stages;
    int ends = 0, most = by_differences(s) && whole < KRYLOV_BASIS ? (int)whole : KRYLOV_BASIS;
    add(k, s->stages, basis(k, s->stages, 0), 1 / residual, NULL);
    while (g.n < most && !ends && fabs(g.right[g.n]) > goal && *products < KRYLOV_MOST_PRODUCTS) {
        TRY(interrupt_poll());
        TRY(grow(k, s, &g, &ends));
        ++*products;
    }
    take(k, s, &g);
    if (by_differences(s))
        *noise = KRYLOV_NOISE * difference_error(k) * g.longest * sqrt(dot(k, s->stages, k->x, k->x));
    return STATUS_OK;
}

/* The residual of x, into the first vector of the basis. */
static enum status find_residual(struct krylov *k, const struct krylov_system *s, double *size)
{
    char *first = basis(k, s->stages, 0);
    TRY(apply(k, s, k->x, first));
    add(k, s->stages, first, -1, NULL);
    add(k, s->stages, first, 1, k->right);
    *size = sqrt(dot(k, s->stages, first, first));
    return STATUS_OK;
}

enum status krylov_solve(struct krylov *k, const struct krylov_system *s, double share, void *const *x)
{
    int products = 0;
    size_t bytes = (size_t)k->n * dtype_size(k->dtype);
    double least = k->dtype == FLOAT32 ? KRYLOV_LEAST_F32 : KRYLOV_LEAST_F64;
    share = fmax(share, by_differences(s) ? difference_error(k) : least);
    for (int i = 0; i < s->stages; i++) {
        memcpy(part(k, k->right, i), x[i], bytes);
        memcpy(part(k, basis(k, s->stages, 0), i), x[i], bytes);
        memset(part(k, k->x, i), 0, bytes);
    }
    double whole = sqrt(dot(k, s->stages, k->right, k->right)), residual = whole, noise = 0;
    while (residual > fmax(share * whole, noise)) {
        if (products >= KRYLOV_MOST_PRODUCTS) return not_found(residual / whole, share);
        TRY(one_cycle(k, s, share * whole, residual, &products, &noise));
        TRY(find_residual(k, s, &residual));
        products++;
    }
    if (!isfinite(residual)) return not_found(residual, share);
    for (int i = 0; i < s->stages; i++) memcpy(x[i], part(k, k->x, i), bytes);
    return STATUS_OK;
}
