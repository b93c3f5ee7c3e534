#include "autodiff/passes.h"

#include <math.h>

#include "autodiff/field.h"
#include "base/memory.h"
#include "base/tuning.h"

static enum status begin(struct rewrite *r, const struct tape *from, struct tape *to)
{
    int most = 1;
    for (int i = 0; i < from->n; i++) most = from->nodes[i].n_in > most ? from->nodes[i].n_in : most;
    *r = (struct rewrite){
        .from = from, .to = to, .copy = memory_alloc((size_t)(from->n + most) * sizeof *r->copy)};
    if (!r->copy) return memory_status();
    r->in = r->copy + from->n;
    for (int i = 0; i < from->n; i++) r->copy[i] = -1;
    return STATUS_OK;
}

enum status rewrite_begin(struct rewrite *r, const struct tape *from)
{
    TRY(begin(r, from, NULL));
    enum status status = tape_new(&r->to, NULL);
    if (status != STATUS_OK) rewrite_end(r);
    return status;
}

int rewrite_copy(struct rewrite *r, int i)
{
    const struct node *node = &r->from->nodes[i];
    if (node->op == OP_INPUT)
        return r->copy[i] = tape_input(r->to, node->spec.dtype, node->spec.rank, node->spec.shape);
    if (node->op == OP_CONSTANT) return r->copy[i] = tape_constant(r->to, node->constant);
    for (int j = 0; j < node->n_in; j++) r->in[j] = r->copy[node->in[j]];
    return r->copy[i] = tape_emit(r->to, node->op, node->attrs, r->in, node->n_in);
}

void rewrite_end(struct rewrite *r)
{
    memory_free(r->copy);
    r->copy = NULL;
}

enum status tape_inline_outputs(struct tape *dst, const struct tape *src, const int *inputs,
                                const int *outputs, int n_outputs, int *nodes)
{
    struct rewrite r;
    TRY(begin(&r, src, dst));
    for (int i = 0; i < src->n_inputs; i++) r.copy[src->inputs[i]] = inputs[i];
    for (int i = 0; i < src->n; i++)
        if (r.copy[i] < 0 && rewrite_copy(&r, i) < 0) break;
    enum status status = tape_status(dst);
    for (int i = 0; i < n_outputs && status == STATUS_OK; i++) nodes[i] = r.copy[outputs[i]];
    rewrite_end(&r);
    return status;
}

void tape_mark_live(const struct tape *t, const int *outputs, int n_outputs, char *live)
{
    for (int i = 0; i < n_outputs; i++) live[outputs[i]] = 1;
    for (int i = 0; i < t->n; i++)
        live[i] |=
            (op_table[t->nodes[i].op].flags & OP_FRESH) != 0; /* a draw moves the generator, read or not */
    for (int i = t->n - 1; i >= 0; i--)
        for (int j = 0; live[i] && j < t->nodes[i].n_in; j++) live[t->nodes[i].in[j]] = 1;
    for (int i = 0; i < t->n_inputs; i++) live[t->inputs[i]] = 1; /* their order is the interface */
}

int64_t tape_node_work(const struct tape *t, const struct node *node)
{
    struct array in[2];
    for (int j = 0; j < 2 && j < node->n_in; j++) in[j] = *tape_spec(t, node->in[j]);
    return op_work(&(struct call){
        .op = &op_table[node->op], .attrs = node->attrs, .n_in = node->n_in, .in = in, .out = node->spec});
}

static int64_t multiply_adds(const struct tape *t, const struct node *node)
{
    return op_table[node->op].flags & OP_DEAR ? tape_node_work(t, node) / 2 : 0;
}

int64_t tape_node_dearness(const struct tape *t, const struct node *node)
{
    int64_t n = array_numel(&node->spec);
    return n > 0 ? multiply_adds(t, node) / n : 0;
}

void tape_cost(const struct tape *t, int64_t batch, struct field_cost *out)
{
    double parameters = 0;
    *out = (struct field_cost){.least_rows = 1};
    for (int i = 0; i < t->n; i++) {
        const struct node *node = &t->nodes[i];
        out->work += (double)multiply_adds(t, node);
        if (node->n_in > 0 && !op_table[node->op].view) out->bytes += (int64_t)array_bytes(&node->spec);
    }
    for (int i = 2; i < t->n_inputs; i++) parameters += (double)array_numel(tape_spec(t, t->inputs[i]));
    if (batch > 0 && out->work > 0 && parameters > 0)
        out->least_rows = (int64_t)ceil(
            fmin(TILES_LEAST_USES * parameters / (out->work / (double)batch), TILES_LEAST_USES));
}
