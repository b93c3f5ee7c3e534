#include "autodiff/field.h"

#include <string.h>

#include "autodiff/program.h"
#include "autodiff/vjp.h"
#include "base/memory.h"

enum status field_eval(struct field *f, double t, const void *y, void *dy)
{
    f->nfe++;
    return f->eval(f, t, y, dy);
}

enum status field_vjp(struct field *f, double t, const void *y, const void *a, void *dy, void *ybar, void *thetabar)
{
    if (!f->vjp)
        return status_set(STATUS_UNSUPPORTED, "this field is a callback (eager or plain), which has no gradient; record it instead: leave out "
                          "eager = true and plain = true");
    f->nfe_vjp++;
    return f->vjp(f, t, y, a, dy, ybar, thetabar);
}

void field_free(struct field *f)
{
    if (f) f->free(f);
}

/* ---- a field made from a tape ---- */

struct tape_field {
    struct field base;
    struct tape *tape;
    int dy, n_inputs, n_float;   /* n_inputs: t, y and the parameters */
    struct program *eval, *vjp[2]; /* vjp[1] gives dy as well */
    const void **inputs;         /* n_inputs, then the cotangent */
    void **outputs;              /* ybar, one per float parameter, dy */
    int64_t *theta_offset;       /* bytes of each float parameter's gradient in thetabar */
    union {
        float f32;
        double f64;
    } time; /* t in the state's dtype */
};

static void set_time(struct tape_field *f, double t)
{
    if (f->base.dtype == FLOAT32) f->time.f32 = (float)t;
    else f->time.f64 = t;
}

static enum status tape_field_eval(struct field *self, double t, const void *y, void *dy)
{
    struct tape_field *f = (struct tape_field *)self;
    if (!f->eval) TRY(program_new(&f->eval, f->tape, &f->dy, 1));
    set_time(f, t);
    f->inputs[1] = y;
    return program_run(f->eval, f->inputs, &dy);
}

/* The tape's own vjp, on a copy, so that the field's tape stays as it was recorded. */
static enum status make_vjp(struct tape_field *f, int with_dy)
{
    struct tape *t;
    int n_out = 1 + f->n_float + with_dy;
    int *nodes = memory_alloc((size_t)(2 * f->n_inputs + 2 * n_out + 2) * sizeof *nodes);
    if (!nodes) return memory_status();
    int *inputs = nodes, *wrt = inputs + f->n_inputs, *outputs = wrt + f->n_inputs + 1, n_wrt = 0;
    enum status status = tape_new(&t, NULL);
    if (status != STATUS_OK) {
        memory_free(nodes);
        return status;
    }
    for (int i = 0; i < f->n_inputs; i++) {
        const struct array *spec = tape_spec(f->tape, f->tape->inputs[i]);
        inputs[i] = tape_input(t, spec->dtype, spec->rank, spec->shape);
        if (i >= 1 && dtype_is_float(spec->dtype)) wrt[n_wrt++] = inputs[i];
    }
    int a = tape_input(t, f->base.dtype, 1, &f->base.n), dy = tape_inline(t, f->tape, inputs, f->dy);
    status = dy < 0 && t->status == STATUS_OK ? memory_status() : tape_status(t);
    if (status == STATUS_OK) status = tape_vjp(t, &dy, &a, 1, wrt, n_wrt, outputs);
    if (status == STATUS_OK) {
        outputs[n_wrt] = dy;
        status = program_new(&f->vjp[with_dy], t, outputs, n_out);
    }
    tape_release(t);
    memory_free(nodes);
    return status;
}

static enum status tape_field_vjp(struct field *self, double t, const void *y, const void *a, void *dy, void *ybar, void *thetabar)
{
    struct tape_field *f = (struct tape_field *)self;
    int with_dy = dy != NULL;
    if (!f->vjp[with_dy]) TRY(make_vjp(f, with_dy));
    set_time(f, t);
    f->inputs[1] = y;
    f->inputs[f->n_inputs] = a;
    f->outputs[0] = ybar;
    for (int i = 0; i < f->n_float; i++) f->outputs[1 + i] = (char *)thetabar + f->theta_offset[i];
    f->outputs[1 + f->n_float] = dy;
    return program_run(f->vjp[with_dy], f->inputs, f->outputs);
}

static void tape_field_free(struct field *self)
{
    struct tape_field *f = (struct tape_field *)self;
    program_free(f->eval);
    program_free(f->vjp[0]);
    program_free(f->vjp[1]);
    tape_release(f->tape);
    memory_free(f->inputs);
    memory_free(f->outputs);
    memory_free(f->theta_offset);
    memory_free(f);
}

enum status field_from_tape(struct field **out, struct tape *tape, int dy)
{
    TRY(tape_status(tape));
    struct tape_field *f = memory_zalloc(1, sizeof *f);
    if (!f) return memory_status();
    f->tape = tape_retain(tape);
    f->dy = dy;
    f->n_inputs = tape->n_inputs;
    f->inputs = memory_zalloc((size_t)f->n_inputs + 1, sizeof *f->inputs);
    f->outputs = memory_zalloc((size_t)f->n_inputs + 2, sizeof *f->outputs);
    f->theta_offset = memory_zalloc((size_t)f->n_inputs, sizeof *f->theta_offset);
    f->base = (struct field){.eval = tape_field_eval, .vjp = tape_field_vjp, .free = tape_field_free};
    if (!f->inputs || !f->outputs || !f->theta_offset) {
        tape_field_free(&f->base);
        return memory_status();
    }
    const struct array *y = tape_spec(tape, tape->inputs[1]);
    f->base.n = y->shape[0];
    f->base.dtype = y->dtype;
    for (int i = 2; i < f->n_inputs; i++) {
        const struct array *spec = tape_spec(tape, tape->inputs[i]);
        if (!dtype_is_float(spec->dtype)) continue;
        if (spec->dtype != y->dtype) {
            tape_field_free(&f->base);
            return status_set(STATUS_DTYPE, "the state is %s but a parameter of the field is %s; convert one of them with x:to(...)",
                              dtype_name(y->dtype), dtype_name(spec->dtype));
        }
        f->theta_offset[f->n_float++] = f->base.n_theta * (int64_t)dtype_size(y->dtype);
        f->base.n_theta += array_numel(spec);
    }
    f->inputs[0] = &f->time;
    *out = &f->base;
    return STATUS_OK;
}

void field_set_parameters(struct field *self, const void *const *parameters)
{
    struct tape_field *f = (struct tape_field *)self;
    for (int i = 2; i < f->n_inputs; i++) f->inputs[i] = parameters[i - 2];
}

/* The nodes of src on dst: copy[i] for src's node i. */
static enum status copy_nodes(struct tape *dst, const struct tape *src, const int *inputs, int *copy)
{
    int capacity = MAX_RANK, next_input = 0, *in = memory_alloc((size_t)capacity * sizeof *in);
    enum status status = in ? STATUS_OK : memory_status();
    for (int i = 0; i < src->n && status == STATUS_OK; i++) {
        const struct node *node = &src->nodes[i];
        if (node->op == OP_INPUT) copy[i] = inputs[next_input++];
        else if (node->op == OP_CONSTANT) copy[i] = tape_constant(dst, node->constant);
        else {
            if (node->n_in > capacity) {
                memory_free(in);
                capacity = node->n_in;
                if (!(in = memory_alloc((size_t)capacity * sizeof *in))) return memory_status();
            }
            for (int j = 0; j < node->n_in; j++) in[j] = copy[node->in[j]];
            copy[i] = tape_emit(dst, node->op, node->attrs, in, node->n_in);
        }
        if (copy[i] < 0) status = tape_status(dst);
    }
    memory_free(in);
    return status;
}

enum status tape_inline_outputs(struct tape *dst, const struct tape *src, const int *inputs, const int *outputs, int n_outputs, int *nodes)
{
    int *copy = memory_alloc((size_t)src->n * sizeof *copy);
    if (!copy) return memory_status();
    enum status status = copy_nodes(dst, src, inputs, copy);
    for (int i = 0; i < n_outputs && status == STATUS_OK; i++) nodes[i] = copy[outputs[i]];
    memory_free(copy);
    return status;
}

int tape_inline(struct tape *dst, const struct tape *src, const int *inputs, int output)
{
    int node;
    return tape_inline_outputs(dst, src, inputs, &output, 1, &node) == STATUS_OK ? node : -1;
}
