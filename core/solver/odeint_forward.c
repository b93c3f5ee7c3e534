#include "solver/odeint_forward.h"

#include <string.h>

#include "base/memory.h"
#include "base/tuning.h"

struct odeint_forward {
    struct odeint *tangent;
    const char *wanted;      /* borrowed */
    int64_t n, share, pair;  /* numbers of y0; of a sample; of its pair of y and v, and a mark or not */
    const void **parameters; /* of the tangent: theta..., then u of each float theta */
    char *u, *start, *states;
    size_t u_bytes;
};

/* Numbers that the gradient is wanted by. */
static int64_t directions(const struct call *c, const char *wanted)
{
    int64_t sum = wanted[0] ? array_numel(&c->in[2]) : 0;
    for (int i = 4; i < c->n_in; i++)
        if (wanted[i - 2] && dtype_is_float(c->in[i].dtype)) sum += array_numel(&c->in[i]);
    return sum;
}

static size_t bytes_of_u(const struct call *c)
{
    size_t sum = 0;
    for (int i = 4; i < c->n_in; i++)
        if (dtype_is_float(c->in[i].dtype)) sum += array_bytes(&c->in[i]);
    return sum;
}

void odeint_forward_free(struct odeint_forward *w)
{
    if (!w) return;
    if (w->tangent) object_release(odeint_object(w->tangent));
    void *blocks[] = {w->parameters, w->u, w->start, w->states, w};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

static enum status make(struct odeint_forward *w, const struct odeint *op, const struct call *c)
{
    TRY(odeint_tangent(op, &w->tangent));
    w->tangent->options.on_step = NULL; /* it has seen the steps */
    w->u_bytes = bytes_of_u(c);
    w->u = memory_alloc(w->u_bytes);
    w->parameters = memory_alloc((size_t)(2 * c->n_in) * sizeof *w->parameters);
    size_t bytes = (size_t)w->tangent->field->n * dtype_size(c->in[2].dtype);
    w->start = memory_alloc(bytes);
    w->states = memory_alloc((size_t)c->in[3].shape[0] * bytes);
    if (!w->u || !w->parameters || !w->start || !w->states) return memory_status();
    return odeint_ready(w->tangent);
}

enum status odeint_forward_new(struct odeint_forward **out, const struct odeint *op, const char *wanted,
                               const struct call *c)
{
    int64_t n = directions(c, wanted);
    *out = NULL;
    if (n > FORWARD_DIRECTIONS)
        return status_set(STATUS_UNSUPPORTED,
                          "odeint: gradient = \"forward\" makes a solve for each number that the gradient is "
                          "taken by, %d at most, and here these are %lld; take \"direct\" or \"checkpoint\"",
                          FORWARD_DIRECTIONS, (long long)n);
    struct odeint_forward *w = memory_zalloc(1, sizeof *w);
    if (!w) return memory_status();
    w->wanted = wanted;
    w->n = array_numel(&c->in[2]);
    int64_t samples = odeint_pairs(op);
    w->share = w->n / samples;
    enum status status = make(w, op, c);
    if (status == STATUS_OK) w->pair = w->tangent->field->n / samples;
    if (status == STATUS_OK)
        *out = w;
    else
        odeint_forward_free(w);
    return status;
}

/* ---- a run ---- */

static double number(enum dtype dtype, const void *x, int64_t i)
{
    return dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static void set(enum dtype dtype, void *x, int64_t i, double v)
{
    if (dtype == FLOAT32)
        ((float *)x)[i] = (float)v;
    else
        ((double *)x)[i] = v;
}

/* Where the element i of y is in a state of pairs; that of v is `share` behind it. */
static int64_t place(const struct odeint_forward *w, int64_t i)
{
    return i / w->share * w->pair + i % w->share;
}

/* Where parameters and their tangents are; the latter are zero, and so is that of y0. */
static void begin(struct odeint_forward *w, const struct call *c)
{
    int count = 0;
    char *u = w->u;
    memset(w->u, 0, w->u_bytes);
    memset(w->start, 0, (size_t)w->tangent->field->n * dtype_size(c->in[2].dtype));
    for (int64_t i = 0; i < w->n; i++)
        set(c->in[2].dtype, w->start, place(w, i), number(c->in[2].dtype, c->in[2].data, i));
    for (int i = 4; i < c->n_in; i++) w->parameters[count++] = c->in[i].data;
    for (int i = 4; i < c->n_in; i++) {
        if (!dtype_is_float(c->in[i].dtype)) continue;
        w->parameters[count++] = u;
        u += array_bytes(&c->in[i]);
    }
}

/* The solve of the tangent that was set: its product with the cotangents. */
static enum status one(struct odeint_forward *w, struct odeint *op, const struct call *c, double *product)
{
    enum dtype dtype = c->in[2].dtype, of_bar = c->in[1].dtype;
    int64_t whole = w->tangent->field->n, times = c->in[3].shape[0], ends = odeint_ends(op);
    *product = 0;
    TRY(odeint_run(w->tangent, w->parameters, w->start, c->in[3].data, times, w->states));
    op->stats.nfe_backward += w->tangent->stats.nfe;
    if (w->tangent->stats.accepted != op->stats.accepted)
        return status_set(STATUS_NUMERIC,
                          "odeint: the tangents of gradient = \"forward\" took %lld steps where the solve "
                          "took %lld, so this gradient would not be that of its steps; take \"direct\"",
                          (long long)w->tangent->stats.accepted, (long long)op->stats.accepted);
    for (int64_t k = 0; k < times; k++)
        for (int64_t i = 0; i < w->n; i++)
            *product += number(dtype, w->states, k * whole + place(w, i) + w->share) *
                        number(of_bar, c->in[1].data, k * w->n + i);
    for (int64_t i = 0; i < ends; i++) /* by what their times move, which is the mark behind the last pair */
        *product += number(dtype, w->states, (times - 1) * whole + (i + 1) * w->pair - 1) *
                    number(of_bar, c->in[1].data, times * w->n + i);
    return STATUS_OK;
}

/* By each number of one input, whose tangent is `u`; the gradient goes to c->out from *at on. */
static enum status by_each(struct odeint_forward *w, struct odeint *op, const struct call *c, int in, char *u,
                           int64_t *at)
{
    enum dtype dtype = c->in[in].dtype;
    int64_t n = array_numel(&c->in[in]);
    for (int64_t i = 0; i < n && w->wanted[in - 2]; i++) {
        double product;
        int64_t where = in == 2 ? place(w, i) + w->share : i;
        set(dtype, u, where, 1);
        TRY(one(w, op, c, &product));
        set(dtype, u, where, 0);
        set(c->out.dtype, c->out.data, *at + i, product);
    }
    *at += n;
    return STATUS_OK;
}

enum status odeint_forward_run(struct odeint_forward *w, struct odeint *op, const struct call *c)
{
    int64_t at = 0;
    char *u = w->u;
    if (op->stats.stopped)
        return status_set(STATUS_UNSUPPORTED, "odeint: a solve that on_step has stopped has no gradient "
                                              "\"forward\"; take \"direct\"");
    memset(c->out.data, 0, array_bytes(&c->out));
    begin(w, c);
    TRY(by_each(w, op, c, 2, w->start, &at));
    for (int i = 4; i < c->n_in; i++) {
        if (!dtype_is_float(c->in[i].dtype)) continue;
        TRY(by_each(w, op, c, i, u, &at));
        u += array_bytes(&c->in[i]);
    }
    return STATUS_OK;
}
