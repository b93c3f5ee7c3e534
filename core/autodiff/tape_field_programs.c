/* What a field made from a tape runs: its vjp, the values that are worth keeping between evaluation and vjp, programs in two stages. */
#include "autodiff/tape_field.h"

#include <string.h>

#include "autodiff/vjp.h"
#include "base/memory.h"

#define DEAR 32 /* multiply-adds per element of a product from which on it is better kept than computed again */

/* The vjp of the tape on a copy, so that the tape stays as it is. */
enum status tape_field_make_vjp(const struct tape_field *f, struct size *size)
{
    int n_wrt = 0, *nodes = memory_alloc((size_t)(3 * f->n_inputs + 4) * sizeof *nodes);
    if (!nodes) return memory_status();
    int *inputs = nodes, *wrt = inputs + f->n_inputs, *outputs = wrt + f->n_inputs + 1;
    struct tape *t;
    enum status status = tape_new(&t, NULL);
    if (status != STATUS_OK) {
        memory_free(nodes);
        return status;
    }
    for (int i = 0; i < f->n_inputs; i++) {
        const struct array *spec = tape_spec(size->tape, size->tape->inputs[i]);
        inputs[i] = tape_input(t, spec->dtype, spec->rank, spec->shape);
        if (i >= 1 && dtype_is_float(spec->dtype)) wrt[n_wrt++] = inputs[i];
    }
    const struct array *y = tape_spec(size->tape, size->tape->inputs[1]);
    int a = tape_input(t, y->dtype, 1, y->shape), dy = tape_inline(t, size->tape, inputs, size->dy);
    status = dy < 0 && t->status == STATUS_OK ? memory_status() : tape_status(t);
    if (status == STATUS_OK) status = tape_vjp(t, &dy, &a, 1, wrt, n_wrt, outputs);
    if (status == STATUS_OK && !(size->vjp_outputs = memory_alloc((size_t)(n_wrt + 1) * sizeof(int)))) status = memory_status();
    if (status == STATUS_OK) {
        memcpy(size->vjp_outputs, outputs, (size_t)n_wrt * sizeof(int));
        size->vjp_outputs[n_wrt] = size->vjp_dy = dy;
        size->vjp = tape_retain(t);
    }
    tape_release(t);
    memory_free(nodes);
    return status;
}

/* ---- what to keep ---- */

/* Nodes that the backward half of the vjp reads and that take a dear product to compute again: marked 2 in `mark`. Bit 0 tells the nodes
 * that depend on the cotangent. Returns how many. */
static int choose_kept(const struct tape *t, int cotangent, const int *outputs, int n_outputs, char *mark, char *live, char *used)
{
    int count = 0;
    for (int i = 0; i < n_outputs; i++) live[outputs[i]] = 1;
    for (int i = t->n - 1; i >= 0; i--)
        for (int j = 0; live[i] && j < t->nodes[i].n_in; j++) live[t->nodes[i].in[j]] = 1;
    mark[cotangent] = 1;
    for (int i = 0; i < t->n; i++)
        for (int j = 0; j < t->nodes[i].n_in && !mark[i]; j++) mark[i] = mark[t->nodes[i].in[j]];
    for (int i = 0; i < t->n; i++)
        for (int j = 0; live[i] && mark[i] && j < t->nodes[i].n_in; j++) used[t->nodes[i].in[j]] = 1;
    /* From here on live[i] = 2 says: dear to compute from what is kept so far. */
    for (int i = 0; i < t->n; i++) {
        const struct node *node = &t->nodes[i];
        int dear = tape_node_work(t, node) >= DEAR;
        for (int j = 0; j < node->n_in && !dear; j++) dear = live[node->in[j]] == 2;
        if (mark[i] || !dear) continue;
        live[i] = 2;
        if (!used[i] || node->op == OP_CUSTOM) continue; /* the gradient of a solve inside needs the solve itself to have run */
        live[i] = 1;
        mark[i] = 2;
        count++;
    }
    return count;
}

/* The vjp tape with the kept nodes as inputs behind the others; what only they needed is dead there. */
static enum status copy_with_kept(struct size *size, int n_outputs, const char *mark)
{
    const struct tape *from = size->vjp;
    int *copy = memory_alloc((size_t)from->n * sizeof *copy), capacity = 8, *in = memory_alloc((size_t)capacity * sizeof *in), kept = 0;
    enum status status = copy && in ? tape_new(&size->kept_vjp, NULL) : memory_status();
    if (status == STATUS_OK) {
        for (int i = 0; i < from->n_inputs; i++) {
            const struct array *spec = tape_spec(from, from->inputs[i]);
            copy[from->inputs[i]] = tape_input(size->kept_vjp, spec->dtype, spec->rank, spec->shape);
        }
        for (int i = 0; i < from->n; i++)
            if (mark[i] == 2) {
                const struct array *spec = tape_spec(from, i);
                size->kept[kept] = i;
                size->kept_offset[kept++] = size->kept_bytes;
                size->kept_bytes += ((int64_t)array_bytes(spec) + 63) & ~INT64_C(63);
                copy[i] = tape_input(size->kept_vjp, spec->dtype, spec->rank, spec->shape);
            }
    }
    if (kept > 0) size->kept_bytes += MEMORY_SLACK; /* vector loads may run over the end, but not into what another thread is writing */
    for (int i = 0; i < from->n && status == STATUS_OK; i++) {
        const struct node *node = &from->nodes[i];
        if (node->op == OP_INPUT || mark[i] == 2) continue;
        if (node->n_in > capacity) {
            memory_free(in);
            capacity = node->n_in;
            if (!(in = memory_alloc((size_t)capacity * sizeof *in))) status = memory_status();
        }
        for (int j = 0; in && j < node->n_in; j++) in[j] = copy[node->in[j]];
        if (in) copy[i] = node->constant ? tape_constant(size->kept_vjp, node->constant) : tape_emit(size->kept_vjp, node->op, node->attrs, in, node->n_in);
        if (status == STATUS_OK && copy[i] < 0) status = tape_status(size->kept_vjp);
    }
    for (int i = 0; i < n_outputs && status == STATUS_OK; i++) size->kept_outputs[i] = copy[size->vjp_outputs[i]];
    memory_free(copy);
    memory_free(in);
    return status;
}

enum status tape_field_make_kept(const struct tape_field *f, struct size *size)
{
    int n = size->vjp->n, n_outputs = 1 + f->n_float;
    char *marks = memory_zalloc(3, (size_t)n);
    if (!marks) return memory_status();
    size->n_kept = choose_kept(size->vjp, size->vjp->inputs[f->n_inputs], size->vjp_outputs, n_outputs, marks, marks + n, marks + 2 * n);
    size->kept = memory_alloc((size_t)(size->n_kept + 1) * sizeof *size->kept);
    size->kept_offset = memory_alloc((size_t)(size->n_kept + 1) * sizeof *size->kept_offset);
    size->kept_outputs = memory_alloc((size_t)n_outputs * sizeof *size->kept_outputs);
    enum status status = size->kept && size->kept_offset && size->kept_outputs ? copy_with_kept(size, n_outputs, marks) : memory_status();
    memory_free(marks);
    return status;
}

/* The two stages of what a kind of job runs. */
static enum status make_staged(const struct tape_field *f, struct size *size, enum job_kind kind)
{
    const struct tape *tape = size->tape;
    int few[2], *outputs = size->vjp_outputs, n_outputs = 1 + f->n_float + (kind == VJP_AND_EVAL), *own = NULL;
    if (kind == EVAL) {
        few[0] = size->dy;
        outputs = few;
        n_outputs = 1;
    } else if (kind == VJP_KEPT) {
        tape = size->kept_vjp;
        outputs = size->kept_outputs;
    } else {
        tape = size->vjp;
    }
    char *varies = memory_alloc((size_t)tape->n_inputs);
    if (kind == EVAL_KEEP) {
        n_outputs = size->n_kept + 1;
        if ((outputs = own = memory_alloc((size_t)n_outputs * sizeof *own))) {
            own[0] = size->vjp_dy;
            memcpy(own + 1, size->kept, (size_t)size->n_kept * sizeof *own);
        }
    }
    enum status status = memory_status();
    if (varies && outputs) {
        for (int i = 0; i < tape->n_inputs; i++) varies[i] = i < 2 || i >= f->n_inputs;
        status = staged_new(&size->staged[kind], tape, varies, outputs, n_outputs, 1);
    }
    memory_free(varies);
    memory_free(own);
    return status;
}

static enum status ensure_staged(struct tape_field *f, struct size *size, enum job_kind kind, int bind)
{
    if (!size->staged[kind]) {
        if (kind != EVAL && !size->vjp) TRY(tape_field_make_vjp(f, size));
        if ((kind == EVAL_KEEP || kind == VJP_KEPT) && !size->kept_vjp) TRY(tape_field_make_kept(f, size));
        TRY(make_staged(f, size, kind));
    }
    if (size->bound[kind] || !bind) return STATUS_OK;
    size->bound[kind] = 1;
    return staged_bind(size->staged[kind], f->simplified->fixed);
}

/* Programs are made before the threads start: counted references are not for several threads at once. */
enum status tape_field_programs(struct tape_field *f, enum job_kind kind, int bind)
{
    for (int k = 0; k < 2; k++) {
        struct size *size = &f->size[k];
        if (!size->tape) continue;
        TRY(ensure_staged(f, size, kind, bind));
        const struct staged *staged = size->staged[kind];
        for (int64_t i = 0; i < f->n_lanes; i++)
            if (!f->lanes[i].instance[k].program[kind])
                TRY(program_new(&f->lanes[i].instance[k].program[kind], staged->body, staged->outputs, staged->n_outputs));
    }
    return STATUS_OK;
}
