#include "autodiff/field_op.h"

#include <string.h>

#include "autodiff/op_rules.h"
#include "base/memory.h"

struct field_op {
    struct custom custom;
    struct field *field;
};

/* A product with the Jacobian as a node; its inputs are t, y, what it multiplies, theta... The gradient's
 * ("vjp") takes a cotangent and is flat: ybar, then the gradient of each float theta. The other ("jvp") takes
 * a direction and is as y. */
struct field_op_product {
    struct custom custom;
    struct field_op *op; /* owned */
    int by_theta;        /* of a gradient: somebody wants those of theta */
};

/* Where the parameters are, for each node by itself, then room for the gradients of the field's own
 * parameters. */
static enum status plan_call(struct call *c, const struct field *f, int first, int64_t n_own)
{
    size_t addresses = ((size_t)(c->n_in - first) * sizeof(void *) + 63) & ~(size_t)63;
    c->plan = memory_alloc(addresses + (size_t)n_own * dtype_size(f->dtype));
    return c->plan ? STATUS_OK : memory_status();
}

static enum status bind(struct call *c, struct field *f, int first, char **own)
{
    const void **addresses = c->plan;
    for (int i = first; i < c->n_in; i++) addresses[i - first] = c->in[i].data;
    *own = (char *)c->plan + (((size_t)(c->n_in - first) * sizeof *addresses + 63) & ~(size_t)63);
    return field_bind(f, addresses);
}

static enum status op_infer(struct custom *self, struct call *c)
{
    const struct field *f = ((struct field_op *)self)->field;
    if (c->n_in < 2 || c->in[0].dtype != FLOAT64 || c->in[0].rank != 0 || c->in[1].dtype != f->dtype ||
        array_numel(&c->in[1]) != f->n)
        return status_set(STATUS_SHAPE, "this field takes t, a float64 scalar, and y, %lld numbers of %s",
                          (long long)f->n, dtype_name(f->dtype));
    return array_init(&c->out, f->dtype, c->in[1].rank, c->in[1].shape);
}

static enum status run_op(struct call *c)
{
    struct field *f = ((struct field_op *)c->attrs->object)->field;
    char *own;
    TRY(bind(c, f, 2, &own));
    return field_eval(f, *(const double *)c->in[0].data, c->in[1].data, c->out.data);
}

static enum status op_prepare(struct custom *self, struct call *c)
{
    struct field *f = ((struct field_op *)self)->field;
    c->run = run_op;
    TRY(field_prepare(f, FIELD_MASK(FIELD_EVAL)));
    return plan_call(c, f, 2, 0);
}

static enum status vjp_infer(struct custom *self, struct call *c)
{
    int64_t n = ((struct field_op_product *)self)->op->field->n;
    for (int i = 3; i < c->n_in; i++)
        if (dtype_is_float(c->in[i].dtype)) n += array_numel(&c->in[i]);
    return array_init(&c->out, c->in[1].dtype, 1, &n);
}

static enum status run_vjp(struct call *c)
{
    struct field *f = ((struct field_op_product *)c->attrs->object)->op->field;
    char *ybar = c->out.data, *own;
    TRY(bind(c, f, 3, &own));
    TRY(field_vjp(f, *(const double *)c->in[0].data, c->in[1].data, c->in[2].data, NULL, ybar, own));
    return field_theta_gradient(f, own, ybar + (size_t)f->n * dtype_size(f->dtype));
}

static enum status vjp_prepare(struct custom *self, struct call *c)
{
    struct field *f = ((struct field_op_product *)self)->op->field;
    c->run = run_vjp;
    TRY(field_prepare(f, FIELD_MASK(FIELD_VJP)));
    return plan_call(c, f, 3, f->n_theta);
}

static enum status jvp_infer(struct custom *self, struct call *c)
{
    (void)self;
    return array_init(&c->out, c->in[1].dtype, c->in[1].rank, c->in[1].shape);
}

static enum status run_jvp(struct call *c)
{
    struct field *f = ((struct field_op_product *)c->attrs->object)->op->field;
    char *own;
    TRY(bind(c, f, 3, &own));
    return field_jvp(f, *(const double *)c->in[0].data, c->in[1].data, c->in[2].data, c->out.data);
}

static enum status jvp_prepare(struct custom *self, struct call *c)
{
    struct field *f = ((struct field_op_product *)self)->op->field;
    c->run = run_jvp;
    TRY(field_prepare(f, FIELD_MASK(FIELD_JVP)));
    return plan_call(c, f, 3, 0);
}

static void no_second_derivative(struct tape *t)
{
    tape_fail(t, status_set(STATUS_UNSUPPORTED,
                            "a field that is not recorded has no second derivative; record it "
                            "as a Lua function for that"));
}

static void jvp_vjp(struct custom *self, struct vjp *v)
{
    (void)self;
    no_second_derivative(v->tape);
}

static void product_free(struct object *self)
{
    object_release(&((struct field_op_product *)self)->op->custom.base);
    memory_free(self);
}

/* The node of a product with `factor`, at t and y of the node that v is of and its inputs from `theta` on. */
static int emit_product(struct vjp *v, const struct field_op_product *product, int factor, int theta)
{
    struct field_op_product *object = memory_alloc(sizeof *object);
    int n = 3 + v->n_in - theta, *in = memory_alloc((size_t)n * sizeof *in), node = -1;
    if (object && in) {
        *object = *product;
        object_retain(&object->op->custom.base);
        memcpy(in, v->in, 2 * sizeof *in);
        in[2] = factor;
        memcpy(in + 3, v->in + theta, (size_t)(v->n_in - theta) * sizeof *in);
        node = tape_emit(v->tape, OP_CUSTOM, &(struct attrs){.n = 0, .object = &object->custom.base}, in, n);
        object_release(&object->custom.base);
    } else {
        memory_free(object);
        tape_fail(v->tape, memory_status());
    }
    memory_free(in);
    return node;
}

/* The gradient is linear in its cotangent, so its transpose is a product with a direction. */
static void vjp_vjp(struct custom *self, struct vjp *v)
{
    struct field_op_product *vjp = (struct field_op_product *)self;
    struct array y = *tape_spec(v->tape, v->in[1]);
    int others = vjp->by_theta;
    for (int i = 0; i < v->n_in; i++) others |= i != 2 && v->need[i];
    if (others) {
        no_second_derivative(v->tape);
        return;
    }
    int direction = emit_slice_flat(v->tape, v->ybar, 0, array_numel(&y));
    struct field_op_product jvp = {.op = vjp->op};
    jvp.custom = (struct custom){{1, product_free}, "field_jvp", jvp_infer, jvp_prepare, jvp_vjp, NULL};
    v->xbar[2] = emit_product(v, &jvp, emit_reshape(v->tape, direction, y.rank, y.shape), 3);
}

static void op_vjp(struct custom *self, struct vjp *v)
{
    struct field_op *op = (struct field_op *)self;
    if (v->need[0]) {
        tape_fail(
            v->tape,
            status_set(STATUS_UNSUPPORTED,
                       "a field that is not recorded has no derivative by t; wrap t in tide.stop_gradient"));
        return;
    }
    struct field_op_product vjp = {.op = op};
    vjp.custom = (struct custom){{1, product_free}, "field_vjp", vjp_infer, vjp_prepare, vjp_vjp, NULL};
    for (int i = 2; i < v->n_in; i++) vjp.by_theta |= v->need[i];
    int flat = emit_product(v, &vjp, v->ybar, 2);
    int64_t at = 0;
    for (int i = 1; i < v->n_in && flat >= 0; i++) {
        struct array spec = *tape_spec(v->tape, v->in[i]);
        if (!dtype_is_float(spec.dtype)) continue;
        int64_t n = array_numel(&spec);
        if (v->need[i])
            v->xbar[i] = emit_reshape(v->tape, emit_slice_flat(v->tape, flat, at, n), spec.rank, spec.shape);
        at += n;
    }
}

static int op_differentiable(const struct custom *self, int directional)
{
    return field_can(((const struct field_op *)self)->field, directional ? FIELD_JVP : FIELD_VJP);
}

static void op_free(struct object *self)
{
    field_free(((struct field_op *)self)->field);
    memory_free(self);
}

enum status field_op_new(struct object **out, struct field *field)
{
    struct field_op *op = memory_zalloc(1, sizeof *op);
    if (!op) {
        field_free(field);
        return memory_status();
    }
    op->custom = (struct custom){{1, op_free}, "field", op_infer, op_prepare, op_vjp, op_differentiable};
    op->field = field;
    *out = &op->custom.base;
    return STATUS_OK;
}
