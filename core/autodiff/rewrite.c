#include "autodiff/passes.h"
#include "base/memory.h"

enum status rewrite_begin(struct rewrite *r, const struct tape *from)
{
    int most = 1;
    for (int i = 0; i < from->n; i++) most = from->nodes[i].n_in > most ? from->nodes[i].n_in : most;
    *r = (struct rewrite){.from = from, .copy = memory_alloc((size_t)(from->n + most) * sizeof *r->copy)};
    if (!r->copy) return memory_status();
    r->in = r->copy + from->n;
    for (int i = 0; i < from->n; i++) r->copy[i] = -1;
    enum status status = tape_new(&r->to, NULL);
    if (status != STATUS_OK) rewrite_end(r);
    return status;
}

int rewrite_copy(struct rewrite *r, int i)
{
    const struct node *node = &r->from->nodes[i];
    if (node->op == OP_INPUT) return r->copy[i] = tape_input(r->to, node->spec.dtype, node->spec.rank, node->spec.shape);
    if (node->op == OP_CONSTANT) return r->copy[i] = tape_constant(r->to, node->constant);
    for (int j = 0; j < node->n_in; j++) r->in[j] = r->copy[node->in[j]];
    return r->copy[i] = tape_emit(r->to, node->op, node->attrs, r->in, node->n_in);
}

void rewrite_end(struct rewrite *r)
{
    memory_free(r->copy);
    r->copy = NULL;
}

void tape_mark_live(const struct tape *t, const int *outputs, int n_outputs, char *live)
{
    for (int i = 0; i < n_outputs; i++) live[outputs[i]] = 1;
    for (int i = t->n - 1; i >= 0; i--)
        for (int j = 0; live[i] && j < t->nodes[i].n_in; j++) live[t->nodes[i].in[j]] = 1;
    for (int i = 0; i < t->n_inputs; i++) live[t->inputs[i]] = 1; /* their order is the interface */
}
