/* Applying an op at once. */
#include "autodiff/op.h"

#include "base/interrupt.h"
#include "base/memory.h"
#include "kernels/elementwise.h"

int64_t op_work(const struct call *c) { return c->op->work ? c->op->work(c) : 0; }

/* Replace inputs that are not dense by dense copies. */
static enum status make_dense(struct tensor **in, int n_in)
{
    for (int i = 0; i < n_in; i++) {
        if (array_is_contiguous(&in[i]->array)) continue;
        struct tensor *copy;
        TRY(tensor_new(&copy, in[i]->array.dtype, in[i]->array.rank, in[i]->array.shape));
        array_copy_dense(&in[i]->array, copy->array.data);
        tensor_release(in[i]);
        in[i] = copy;
    }
    return STATUS_OK;
}

static enum status run_kernel(struct call *c, struct tensor **out)
{
    TRY(tensor_new(out, c->out.dtype, c->out.rank, c->out.shape));
    c->out = (*out)->array;
    enum status status = c->op->prepare(c);
    if (status == STATUS_OK && c->scratch_bytes > 0 && !(c->scratch = memory_alloc(c->scratch_bytes)))
        status = memory_status();
    if (status == STATUS_OK) status = c->run(c);
    memory_free(c->scratch);
    memory_free(c->plan);
    if (status != STATUS_OK) {
        tensor_release(*out);
        *out = NULL;
    }
    return status;
}

static enum status apply(struct call *c, struct tensor **in, struct tensor **out)
{
    if (c->op->flags & OP_DENSE) TRY(make_dense(in, c->n_in));
    for (int i = 0; i < c->n_in; i++) c->in[i] = in[i]->array;
    TRY(c->op->infer(c));
    int64_t offset = 0;
    if (c->op->view && c->op->view(c, &offset)) {
        c->out.data = (char *)in[0]->array.data + offset;
        return tensor_view(out, in[0], &c->out);
    }
    return run_kernel(c, out);
}

enum status op_apply(enum op_id id, const struct attrs *attrs, struct tensor *const *in, int n_in,
                     struct tensor **out)
{
    static const struct attrs none;
    struct array few_arrays[8];
    struct tensor *few_tensors[8];
    struct call call = {.op = &op_table[id], .attrs = attrs ? attrs : &none, .n_in = n_in, .in = few_arrays};
    struct tensor **held = few_tensors;
    void *block = NULL;
    if (n_in > 8) {
        if (!(block = memory_alloc((size_t)n_in * (sizeof *call.in + sizeof *held)))) return memory_status();
        call.in = block;
        held = (struct tensor **)(call.in + n_in);
    }
    for (int i = 0; i < n_in; i++) held[i] = tensor_retain(in[i]);
    interrupt_begin();
    *out = NULL;
    enum status status = interrupt_end(apply(&call, held, out));
    if (status != STATUS_OK && *out) {
        tensor_release(*out);
        *out = NULL;
    }
    for (int i = 0; i < n_in; i++) tensor_release(held[i]);
    memory_free(block);
    return status;
}
