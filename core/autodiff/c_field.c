#include "autodiff/c_field.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"

struct c_field {
    struct field base;
    struct c_code *code;
    struct tide_field_call call;
    unsigned looked_at; /* mask of the kinds of work whose results were seen to be complete */
    char message[256];
};

enum status c_code_read(struct c_code *code, const void *symbol)
{
    const struct tide_field *given = symbol;
    struct tide_field *own = &code->functions;
    if (given->version >> 8 != TIDE_FIELD_VERSION >> 8)
        return status_set(
            STATUS_FORMAT,
            "%s is no struct tide_field; export one with TIDE_FIELD(...) = {TIDE_FIELD_HEAD, ...}",
            code->name);
    if (given->version != TIDE_FIELD_VERSION)
        return status_set(STATUS_FORMAT,
                          "%s was made with version %u of tide/field.h, this is version %u; compile it anew",
                          code->name, given->version & 0xff, TIDE_FIELD_VERSION & 0xff);
    if (given->size < offsetof(struct tide_field, vjp))
        return status_set(STATUS_FORMAT, "%s has %u bytes, too few for f; begin it with TIDE_FIELD_HEAD",
                          code->name, (unsigned)given->size);
    *own = (struct tide_field){0}; /* an older header ends earlier, a newer one later */
    memcpy(own, given, given->size < sizeof *own ? given->size : sizeof *own);
    if (!own->f) return status_set(STATUS_FORMAT, "%s has no f", code->name);
    if (own->width < TIDE_ANY || own->width == 0 || own->n_theta < TIDE_ANY)
        return status_set(STATUS_FORMAT,
                          "%s: width = %" PRId64 " and n_theta = %" PRId64
                          "; a width is > 0, n_theta >= 0, both may be TIDE_ANY",
                          code->name, own->width, own->n_theta);
    return STATUS_OK;
}

static const char *const function_name[FIELD_WORKS] = {
    [FIELD_EVAL] = "f", [FIELD_VJP] = "vjp", [FIELD_JVP] = "jvp"};

/* Bytes that no arithmetic makes: a NaN, and it stays this one when something is added to it. */
static void mark_unwritten(double *x, int64_t n)
{
    if (n > 0) memset(x, 0xff, (size_t)n * sizeof *x);
}

static enum status check_written(const struct c_field *f, enum field_work work, const char *what,
                                 const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, x + i, sizeof bits);
        if (bits == UINT64_MAX)
            return status_set(STATUS_CALLBACK,
                              "the C field %s: %s has not written %s[%" PRId64
                              "] (counted from 0; results are written, not added to)",
                              f->code->name, function_name[work], what, i);
    }
    return STATUS_OK;
}

static enum status check_result(struct c_field *f, enum field_work work, int result, double t)
{
    if (result == 0) return STATUS_OK;
    f->message[sizeof f->message - 1] = 0;
    return status_set(STATUS_CALLBACK, "the C field %s: %s returned %d at t = %.6g%s%s", f->code->name,
                      function_name[work], result, t, f->message[0] ? ": " : "", f->message);
}

/* Is this the field's first call of that kind? Its results are then looked at. */
static int is_first(struct c_field *f, enum field_work work)
{
    int first = !(f->looked_at & FIELD_MASK(work));
    f->looked_at |= FIELD_MASK(work);
    f->message[0] = 0;
    return first;
}

static enum status c_field_eval(struct field *self, double t, const void *y, void *dy)
{
    struct c_field *f = (struct c_field *)self;
    int first = is_first(f, FIELD_EVAL);
    if (first) mark_unwritten(dy, self->n);
    TRY(check_result(f, FIELD_EVAL, f->code->functions.f(&f->call, t, y, dy), t));
    return first ? check_written(f, FIELD_EVAL, "dy", dy, self->n) : STATUS_OK;
}

static enum status c_field_vjp(struct field *self, double t, const void *y, const void *a, void *dy,
                               void *ybar, void *thetabar)
{
    struct c_field *f = (struct c_field *)self;
    double *by_theta = f->base.n_theta > 0 ? thetabar : NULL;
    if (dy) TRY(c_field_eval(self, t, y, dy));
    int first = is_first(f, FIELD_VJP);
    if (first) mark_unwritten(ybar, self->n);
    if (first) mark_unwritten(by_theta, self->n_theta);
    TRY(check_result(f, FIELD_VJP, f->code->functions.vjp(&f->call, t, y, a, ybar, by_theta), t));
    if (!first) return STATUS_OK;
    TRY(check_written(f, FIELD_VJP, "ybar", ybar, self->n));
    return check_written(f, FIELD_VJP, "thetabar", by_theta, self->n_theta);
}

static enum status c_field_jvp(struct field *self, double t, const void *y, const void *v, void *ydot)
{
    struct c_field *f = (struct c_field *)self;
    int first = is_first(f, FIELD_JVP);
    if (first) mark_unwritten(ydot, self->n);
    TRY(check_result(f, FIELD_JVP, f->code->functions.jvp(&f->call, t, y, v, ydot), t));
    return first ? check_written(f, FIELD_JVP, "ydot", ydot, self->n) : STATUS_OK;
}

static int c_field_can(const struct field *self, enum field_work work)
{
    const struct tide_field *functions = &((const struct c_field *)self)->code->functions;
    if (work == FIELD_EVAL || work == FIELD_EVAL_KEEP) return 1;
    if (work == FIELD_RATE || work == FIELD_CURVE) return 0;
    return work == FIELD_JVP ? functions->jvp != NULL : functions->vjp != NULL;
}

static enum status c_field_prepare(struct field *self, unsigned works)
{
    const struct c_code *code = ((struct c_field *)self)->code;
    if (works & FIELD_MASK(FIELD_CURVE))
        return status_set(
            STATUS_UNSUPPORTED,
            "the C field %s has no second derivatives, which the direct gradient of a Rosenbrock "
            "method takes; choose gradient = \"adjoint\" or \"interpolated\", or another method",
            code->name);
    const unsigned vjps = FIELD_MASK(FIELD_VJP) | FIELD_MASK(FIELD_VJP_AND_EVAL) | FIELD_MASK(FIELD_VJP_KEPT);
    if ((works & vjps) && !code->functions.vjp)
        return status_set(
            STATUS_UNSUPPORTED,
            "the C field %s has no gradient, because it exports no vjp; write one into its struct tide_field",
            code->name);
    if ((works & FIELD_MASK(FIELD_JVP)) && !code->functions.jvp)
        return status_set(
            STATUS_UNSUPPORTED,
            "the C field %s has no Jacobian, because it exports no jvp; write one into its struct tide_field",
            code->name);
    return STATUS_OK;
}

static enum status c_field_bind(struct field *self, const void *const *parameters)
{
    struct c_field *f = (struct c_field *)self;
    f->call.theta = f->call.n_theta > 0 ? parameters[0] : NULL;
    return STATUS_OK;
}

static enum status c_field_theta_gradient(struct field *self, const void *own, void *thetabar)
{
    if (self->n_theta > 0) memmove(thetabar, own, (size_t)self->n_theta * sizeof(double));
    return STATUS_OK;
}

static enum status c_field_cut(const struct field *self, int64_t rows, int by_sample, struct field **out)
{
    (void)by_sample;
    const struct c_field *f = (const struct c_field *)self;
    int64_t width = f->code->functions.width;
    if (width == TIDE_ANY || self->n != self->batch * width) return STATUS_OK;
    return field_from_c(out, f->code, rows * width, f->call.n_theta);
}

static void c_field_free(struct field *self)
{
    object_release(&((struct c_field *)self)->code->base);
    memory_free(self);
}

enum status field_from_c(struct field **out, struct c_code *code, int64_t n, int64_t n_theta)
{
    static const struct field_type type = {.name = "a C field",
                                           .one_thread = 1,
                                           .can = c_field_can,
                                           .prepare = c_field_prepare,
                                           .bind = c_field_bind,
                                           .eval = c_field_eval,
                                           .vjp = c_field_vjp,
                                           .theta_gradient = c_field_theta_gradient,
                                           .jvp = c_field_jvp,
                                           .cut = c_field_cut,
                                           .free = c_field_free};
    const struct tide_field *functions = &code->functions;
    if (functions->width != TIDE_ANY && n % functions->width != 0)
        return status_set(STATUS_SHAPE,
                          "the C field %s takes samples of %" PRId64 " numbers, got %" PRId64 " numbers",
                          code->name, functions->width, n);
    if (functions->n_theta != TIDE_ANY && n_theta != functions->n_theta)
        return status_set(STATUS_SHAPE, "the C field %s takes %" PRId64 " parameters, got %" PRId64,
                          code->name, functions->n_theta, n_theta);
    struct c_field *f = memory_zalloc(1, sizeof *f);
    if (!f) return memory_status();
    int64_t rows = functions->width == TIDE_ANY ? 1 : n / functions->width;
    f->base =
        (struct field){.type = &type, .n = n, .dtype = FLOAT64, .independent = rows, .n_theta = n_theta};
    f->code = code;
    object_retain(&code->base);
    f->call = (struct tide_field_call){.n = n,
                                       .rows = rows,
                                       .n_theta = n_theta,
                                       .constants = code->constants,
                                       .n_constants = code->n_constants,
                                       .message = f->message,
                                       .message_size = sizeof f->message};
    *out = &f->base;
    return STATUS_OK;
}
