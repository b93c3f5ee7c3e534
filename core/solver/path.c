#include "solver/path.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/loops.h"
#include "solver/family.h"
#include "solver/march.h"

/* ---- polynomials by their values ---- */

/* Point i of 0..degree: 0 and degree points inside, as close to its ends as makes the values well
 * conditioned (Chebyshev's, with one end). */
static double point(int i, int degree) { return (1 - cos(3.141592653589793 * i / (degree + 0.5))) / 2; }

/* What value i takes part with in the polynomial at theta. */
static double share(int i, int degree, double theta)
{
    double product = 1, own = point(i, degree);
    for (int k = 0; k <= degree; k++)
        if (k != i) product *= (theta - point(k, degree)) / (own - point(k, degree));
    return product;
}

/* And in its slope. */
static double slope_share(int i, int degree, double theta)
{
    double sum = 0, own = point(i, degree);
    for (int j = 0; j <= degree; j++) {
        double product = 1 / (own - point(j, degree));
        if (j == i) continue;
        for (int k = 0; k <= degree; k++)
            if (k != i && k != j) product *= (theta - point(k, degree)) / (own - point(k, degree));
        sum += product;
    }
    return sum;
}

/* ---- steps ---- */

struct weights {
    double w[PATH_DEGREE + 1][MAX_CARRY + MAX_K];
    int n;
};

static enum status weights_at(struct march *m, const struct step *p, double theta, double *w, int *n)
{
    return m->family->dense(m->s, m->f, &m->o->method, p, theta, 1, w, n);
}

/* The weights at the points of a degree. *fits: they are those of a polynomial of that degree. */
static enum status try_degree(struct march *m, const struct step *p, int degree, struct weights *all,
                              int *fits)
{
    static const double between[] = {0.234, 0.871};
    double w[MAX_CARRY + MAX_K];
    for (int i = 1; i <= degree; i++) TRY(weights_at(m, p, point(i, degree), all->w[i], &all->n));
    *fits = 1;
    for (int b = 0; b < 2 && *fits; b++) {
        double off = 0, size = 0;
        TRY(weights_at(m, p, between[b], w, &all->n));
        for (int j = 0; j < all->n; j++) {
            double sum = j == 0 ? share(0, degree, between[b]) : 0; /* at 0 all is y */
            for (int i = 1; i <= degree; i++) sum += share(i, degree, between[b]) * all->w[i][j];
            off = fmax(off, fabs(sum - w[j]));
            size = fmax(size, fabs(w[j]));
        }
        *fits = off <= 1e-10 * size;
    }
    return STATUS_OK;
}

/* A degree that does for one step does for the next ones, but for the first of a multistep method and where
 * the order changes. */
static enum status find_degree(struct path *path, struct march *m, const struct step *p, struct weights *all)
{
    int fits = 0;
    if (path->degree > 0) TRY(try_degree(m, p, path->degree, all, &fits));
    for (int degree = 1; !fits && degree <= PATH_DEGREE; degree++) {
        path->degree = degree;
        TRY(try_degree(m, p, degree, all, &fits));
    }
    return STATUS_OK;
}

/* sum_j w_j basis_j - y */
static void rise(const struct march *m, const double *w, int n, char *out)
{
    const struct solver *s = m->s;
    double c[MAX_CARRY + MAX_K];
    const void *x[MAX_CARRY + MAX_K];
    int count = 0;
    for (int j = 0; j < n; j++) {
        double weight = j == 0 ? w[0] - 1 : w[j];
        if (weight == 0) continue;
        c[count] = weight;
        x[count++] = j < s->n_carry ? s->carry[j] : s->k[j - s->n_carry].v;
    }
    loops->combine[s->dtype](s->n, NULL, count, c, x, out);
}

static char *copy(struct path *path, const void *y)
{
    char *vector = pool_take(&path->vectors);
    if (vector) memcpy(vector, y, (size_t)path->n_state * dtype_size(path->dtype));
    return vector;
}

static enum status room(struct path *path)
{
    if (path->n < path->capacity) return STATUS_OK;
    int64_t capacity = 2 * path->capacity + 16;
    struct path_step *steps = memory_realloc(path->steps, (size_t)capacity * sizeof *steps);
    if (!steps) return memory_status();
    path->steps = steps;
    path->capacity = capacity;
    return STATUS_OK;
}

static enum status begin(struct path *path, const struct solver *s)
{
    path->n = 0;
    path->degree = 0;
    path->n_state = s->n;
    path->dtype = s->dtype;
    pool_begin(&path->vectors, solver_bytes(s), -1);
    path->last = pool_take(&path->vectors);
    return path->last ? STATUS_OK : memory_status();
}

static enum status path_accepted(struct observer *self, struct march *m, const struct step *p, double *theta)
{
    struct path *path = (struct path *)((char *)self - offsetof(struct path, base));
    struct weights all;
    const void *end;
    if (m->clock.accepted == 0) TRY(begin(path, m->s));
    TRY(room(path));
    TRY(find_degree(path, m, p, &all));
    struct path_step *step = &path->steps[path->n];
    *step = (struct path_step){.t = m->clock.t, .h = p->h, .degree = path->degree};
    if (!(step->y = copy(path, m->s->carry[0]))) return memory_status();
    for (int i = 1; i <= step->degree; i++) {
        if (!(step->rise[i - 1] = pool_take(&path->vectors))) return memory_status();
        rise(m, all.w[i], all.n, step->rise[i - 1]);
    }
    if (!solver_is_finite(m->s, step->rise[0]))
        return failure_not_finite(m, p->h, step->rise[0], "y inside the step");
    TRY(march_end_state(m, &end));
    memcpy(path->last, end, solver_bytes(m->s));
    path->end = clock_time(&m->clock, p, *theta);
    path->n++;
    return STATUS_OK;
}

/* ---- reading ---- */

/* The last step that begins at t or before it, along the solve. */
static int64_t step_of(const struct path *path, double t)
{
    int64_t low = 0, high = path->n - 1;
    double direction = path->steps[0].h > 0 ? 1 : -1;
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        if ((path->steps[middle].t - t) * direction <= 0)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void path_at(const struct path *path, double t, int derivative, void *out)
{
    const struct path_step *step = &path->steps[step_of(path, t)];
    size_t bytes = (size_t)path->n_state * dtype_size(path->dtype);
    double theta = (t - step->t) / step->h, c[PATH_DEGREE], direction = step->h > 0 ? 1 : -1;
    const void *x[PATH_DEGREE];
    if (theta < 0 || (t - path->end) * direction > 0) {
        loops->combine[path->dtype](path->n_state, NULL, 1, (double[]){NAN}, (const void *[]){step->y}, out);
        return;
    }
    if (!derivative && (t == path->end || theta == 0)) {
        memcpy(out, theta == 0 ? step->y : path->last, bytes);
        return;
    }
    for (int i = 1; i <= step->degree; i++) {
        c[i - 1] = derivative ? slope_share(i, step->degree, theta) / step->h : share(i, step->degree, theta);
        x[i - 1] = step->rise[i - 1];
    }
    loops->combine[path->dtype](path->n_state, derivative ? NULL : step->y, step->degree, c, x, out);
}

void paths_free(struct path *paths, int64_t n)
{
    for (int64_t i = 0; paths && i < n; i++) {
        pool_free(&paths[i].vectors);
        memory_free(paths[i].steps);
    }
    memory_free(paths);
}

enum status paths_new(struct path **out, int64_t n)
{
    *out = memory_zalloc((size_t)n, sizeof **out);
    if (!*out) return memory_status();
    for (int64_t i = 0; i < n; i++) (*out)[i].base.accepted = path_accepted;
    return STATUS_OK;
}
