#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/loops.h"
#include "solver/gradient.h"

/* On a fixed grid the tolerances mean little: y reconstructed backwards may be this much further off before its gradient is refused. */
#define FIXED_STEP_ALLOWANCE 100

/* The augmented field z = (y, a, thetabar): dz/dt = (f, -a^T df/dy, -a^T df/dtheta). */
struct augmented {
    struct field base;
    struct field *inner;
};

static enum status augmented_eval(struct field *self, double t, const void *z, void *dz)
{
    struct field *f = ((struct augmented *)self)->inner;
    size_t bytes = (size_t)f->n * dtype_size(f->dtype);
    char *ybar = (char *)dz + bytes;
    TRY(field_vjp(f, t, z, (const char *)z + bytes, dz, ybar, ybar + bytes));
    const void *negative = ybar;
    loops->combine[f->dtype](f->n + f->n_theta, NULL, 1, (double[]){-1}, &negative, ybar);
    return STATUS_OK;
}

/* How far y is from the stored state, in tolerances (root mean square). */
static double reconstruction_error(const struct field *f, const struct solve_options *o, const void *y, const void *stored, void *difference)
{
    loops->combine[f->dtype](f->n, y, 1, (double[]){-1}, &stored, difference);
    return sqrt(loops->scaled_sum[f->dtype](f->n, difference, stored, o->adjoint_rtol, o->adjoint_atol) / (double)f->n);
}

static enum status one_interval(struct solver *s, struct augmented *g, const struct solve_options *o, const struct state_layout *layout,
                                double from, double to, const void *stored, char *z, char *out, struct solve_stats *stats)
{
    struct solve_stats part;
    const struct field *f = g->inner;
    size_t z_bytes = (size_t)g->base.n * dtype_size(f->dtype);
    enum status status = solve(s, &g->base, o, layout, z, (double[]){from, to}, 2, out, NULL, &part);
    stats->nfe_backward += part.nfe;
    if (status != STATUS_OK) return status_prefix(status, "continuous adjoint (solving backwards from t = %.6g to %.6g)", from, to);
    memcpy(z, out + z_bytes, z_bytes);
    double error = reconstruction_error(f, o, z, stored, out);
    if (!(error <= (o->adaptive ? 1 : FIXED_STEP_ALLOWANCE) * o->reconstruction_limit))
        return status_set(STATUS_NUMERIC, "continuous adjoint: backward reconstruction of y off by %.3g tolerances at t = %.6g; the flow cannot "
                          "be run backwards accurately, so this gradient would be wrong; use gradient = \"direct\" or tighter tolerances",
                          error, to);
    return STATUS_OK;
}

enum status gradient_adjoint(struct field *f, const struct solve_options *o, const double *times, int64_t n_times, const void *y, const void *ybar, void *y0bar, void *thetabar, struct solve_stats *stats)
{
    size_t size = dtype_size(f->dtype), bytes = (size_t)f->n * size, theta_bytes = (size_t)f->n_theta * size;
    size_t z_bytes = 2 * bytes + theta_bytes;
    struct augmented g = {.base = {.n = 2 * f->n + f->n_theta, .dtype = f->dtype, .eval = augmented_eval}, .inner = f};
    struct state_layout parts = {.n_parts = 3, .size = {f->n, f->n, f->n_theta}, .batch = 0, .controlled = g.base.n};
    struct solve_options back = *o;
    back.rtol = o->adjoint_rtol;
    back.atol = o->adjoint_atol;
    back.norm = NORM_PART; /* the parts have different scales, and theta must not drown y */
    back.overshoot = 0;
    if (o->steps > 0) { /* the grid of the forward solve, whatever the output times are */
        back.step_size = fabs(times[n_times - 1] - times[0]) / (double)o->steps;
        back.steps = 0;
    }
    struct solver s = {0};
    char *z = memory_zalloc(3, z_bytes), *out = z + z_bytes;
    if (!z) return memory_status();
    enum status status = STATUS_OK;
    for (int64_t i = n_times - 1; i > 0 && status == STATUS_OK; i--) {
        const void *cotangent = (const char *)ybar + (size_t)i * bytes;
        memcpy(z, (const char *)y + (size_t)i * bytes, bytes);
        loops->combine[f->dtype](f->n, z + bytes, 1, (double[]){1}, &cotangent, z + bytes);
        status = one_interval(&s, &g, &back, &parts, times[i], times[i - 1], (const char *)y + (size_t)(i - 1) * bytes, z, out, stats);
    }
    if (status == STATUS_OK) {
        loops->combine[f->dtype](f->n, z + bytes, 1, (double[]){1}, &ybar, y0bar);
        memcpy(thetabar, z + 2 * bytes, theta_bytes);
    }
    memory_free(z);
    solver_release(&s);
    return status;
}
