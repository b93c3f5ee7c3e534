#include "autodiff/field.h"

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

enum status field_eval_keep(struct field *f, double t, const void *y, void *dy, void *residual)
{
    if (!residual) return field_eval(f, t, y, dy);
    f->nfe++;
    return f->eval_keep(f, t, y, dy, residual);
}

enum status field_vjp_kept(struct field *f, double t, const void *y, const void *a, const void *residual, void *ybar, void *thetabar)
{
    if (!residual) return field_vjp(f, t, y, a, NULL, ybar, thetabar);
    f->nfe_vjp++;
    return f->vjp_kept(f, t, y, a, residual, ybar, thetabar);
}

void field_free(struct field *f)
{
    if (f) f->free(f);
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
