#include "autodiff/batch.h"

#include <string.h>

#include "autodiff/op_rules.h"
#include "base/memory.h"

/* SHARED: the same for every sample, without a batch axis. UNIFORM: a shared value broadcast along a batch
 * axis, or what comes of such; it can be had in both forms. TIMED: what comes of t and is shared but for the
 * times, of which each sample has one: a value for each, along a first axis that the copy has in addition. */
enum sharing { SHARED, BATCHED, UNIFORM, TIMED };

struct rebatch {
    const struct tape *from;
    struct tape *to;
    int64_t batch, rows;
    enum rebatch_how how;
    const struct rebatch_ends *ends;
    char *label, *live;
    char *by_sample; /* inputs and constants that are cut with the batch; NULL: none may be */
    char *asked;     /* nodes that one of them may be behind */
    int found;       /* one more of them: the copy begins anew */
    int *copy;       /* node of `to`; for UNIFORM nodes the full size */
    int *narrow;     /* UNIFORM nodes cut to `rows`; those that are broadcasts -1 until needed */
};

static int64_t cut(const struct rebatch *r, int64_t extent) { return extent / r->batch * r->rows; }

/* May the first axis of what a node makes be that of its input j? Not of a weight, nor of a bias. */
static int keeps_first(const struct tape *t, const struct node *x, int j)
{
    const struct op *op = &op_table[x->op];
    if (op->batch == BATCH_IN_FIRST) return j == 0;
    int aligned = op->elementwise || x->op == OP_WHERE || x->op == OP_BROADCAST;
    return !aligned || tape_spec(t, x->in[j])->rank == x->spec.rank;
}

/* A value without a batch stands where one of the batch would: what it comes of may have entries for the
 * samples, as many of them in its first axis. Returns -1. */
static int wants_entries(struct rebatch *r, int node, int64_t extent)
{
    if (!r->by_sample || r->label[node] == BATCHED || r->label[node] == UNIFORM || extent % r->batch != 0)
        return -1;
    memset(r->asked, 0, (size_t)r->from->n);
    r->asked[node] = 1;
    for (int i = node; i >= 0; i--) {
        const struct node *x = &r->from->nodes[i];
        if (!r->asked[i]) continue;
        if ((x->op == OP_INPUT || x->op == OP_CONSTANT) && x->spec.rank > 0 && x->spec.shape[0] == extent)
            r->found = r->by_sample[i] = 1;
        for (int j = 0; j < x->n_in; j++) r->asked[x->in[j]] |= (char)keeps_first(r->from, x, j);
    }
    return -1;
}

static int narrow_of(struct rebatch *r, int node)
{
    if (r->narrow[node] < 0) {
        struct attrs attrs = *r->from->nodes[node].attrs;
        attrs.v[0] = r->rows;
        r->narrow[node] = tape_emit(r->to, OP_BROADCAST, &attrs, &r->copy[r->from->nodes[node].in[0]], 1);
    }
    return r->narrow[node];
}

/* A TIMED value as an operand of a result of `rank` axes, the first of them the samples'. */
static int along_samples(struct rebatch *r, int node, int rank)
{
    const struct array *spec = tape_spec(r->from, node);
    int64_t shape[MAX_RANK] = {r->rows};
    int drop = spec->rank == rank && spec->shape[0] == 1, own = spec->rank - drop;
    if (own > rank - 1 || rank > MAX_RANK) return -1;
    for (int i = 1; i < rank - own; i++) shape[i] = 1;
    for (int i = 0; i < own; i++) shape[rank - own + i] = spec->shape[drop + i];
    return emit_reshape(r->to, r->copy[node], rank, shape);
}

static int has_axis(const struct array *in, const struct array *out)
{
    return in->rank == out->rank && out->rank > 0 && in->shape[0] == out->shape[0];
}

/* The copy of an operand that has the axes of the result or is broadcast to them; -1 when it does not fit. */
static int batch_operand(struct rebatch *r, int node, const struct array *out)
{
    const struct array *spec = tape_spec(r->from, node);
    int same_axis = has_axis(spec, out);
    if (r->label[node] == BATCHED) return same_axis ? r->copy[node] : -1;
    if (r->label[node] == UNIFORM && same_axis) return narrow_of(r, node);
    if (r->label[node] == TIMED && !same_axis)
        return out->rank > 0 && out->shape[0] == r->batch ? along_samples(r, node, out->rank) : -1;
    if (spec->rank < out->rank || spec->shape[0] == 1) return r->copy[node];
    return same_axis ? wants_entries(r, node, spec->shape[0]) : -1;
}

/* May the first axis of a batched operand pass through this op, and with which attributes? */
static int cut_attrs(const struct rebatch *r, const struct node *node, struct attrs *attrs)
{
    const struct array *second = node->n_in > 1 ? tape_spec(r->from, node->in[1]) : NULL;
    struct cut c = {.in = {tape_spec(r->from, node->in[0]), second},
                    .out = &node->spec,
                    .batch = r->batch,
                    .rows = r->rows,
                    .alike = r->how != REBATCH_ANY,
                    .attrs = attrs};
    const struct op *op = &op_table[node->op];
    if (c.alike && op->work && !op->elementwise && !(op->flags & OP_ALIKE)) return 0;
    return op->cut && op->cut(&c);
}

/* Input j of the copy, -1 when it does not fit. */
static int cut_operand(struct rebatch *r, const struct node *node, int j)
{
    int in = node->in[j];
    switch (op_table[node->op].batch) {
    case BATCH_IN_FIRST:
        return (r->label[in] == BATCHED) == (j == 0) && r->label[in] != TIMED ? r->copy[in] : -1;
    case BATCH_IN_ALL:
        if (r->label[in] == BATCHED || r->label[in] == UNIFORM) return batch_operand(r, in, &node->spec);
        return node->spec.rank > 0 ? wants_entries(r, in, node->spec.shape[0]) : -1;
    default: return batch_operand(r, in, &node->spec);
    }
}

static int copy_batched(struct rebatch *r, const struct node *node)
{
    struct attrs attrs = node->attrs ? *node->attrs : (struct attrs){0};
    int few[8], *in = few, result = -1, fits = 1;
    if (!cut_attrs(r, node, &attrs)) return -1;
    if (node->n_in > 8 && !(in = memory_alloc((size_t)node->n_in * sizeof *in))) return -1;
    for (int j = 0; j < node->n_in && fits; j++) fits = (in[j] = cut_operand(r, node, j)) >= 0;
    if (fits) result = tape_emit(r->to, node->op, node->attrs ? &attrs : NULL, in, node->n_in);
    if (in != few) memory_free(in);
    return result;
}

/* Elementwise of TIMED operands and others without samples, or with a row for each that are alike. */
static int copy_timed_numbers(struct rebatch *r, int i)
{
    const struct node *node = &r->from->nodes[i];
    int in[3], rank = node->spec.rank, fits = 1;
    r->label[i] = TIMED;
    for (int j = 0; j < node->n_in; j++)
        if (r->label[node->in[j]] == UNIFORM && has_axis(tape_spec(r->from, node->in[j]), &node->spec))
            r->label[i] = BATCHED;
    rank += r->label[i] == TIMED;
    for (int j = 0; j < node->n_in && fits; j++) {
        int of = node->in[j];
        in[j] = r->label[of] == TIMED    ? along_samples(r, of, rank)
                : r->label[i] == BATCHED ? batch_operand(r, of, &node->spec)
                                         : r->copy[of];
        fits = in[j] >= 0;
    }
    return fits && rank <= MAX_RANK ? tape_emit(r->to, node->op, node->attrs, in, node->n_in) : -1;
}

/* A node with TIMED operands, and none that belong to samples. */
static int copy_timed(struct rebatch *r, int i)
{
    const struct node *node = &r->from->nodes[i];
    const struct array *in = tape_spec(r->from, node->in[0]), *out = &node->spec;
    if (op_table[node->op].elementwise || node->op == OP_WHERE || node->op == OP_CAST)
        return copy_timed_numbers(r, i);
    if (node->op == OP_RESHAPE && out->rank < MAX_RANK) {
        int64_t shape[MAX_RANK] = {r->rows};
        memcpy(shape + 1, out->shape, (size_t)out->rank * sizeof *shape);
        r->label[i] = TIMED;
        return emit_reshape(r->to, r->copy[node->in[0]], out->rank + 1, shape);
    }
    if (node->op != OP_BROADCAST || out->rank == 0 || out->rank == MAX_RANK) return -1;
    int batched = out->shape[0] == r->batch && (in->rank < out->rank || in->shape[0] == 1),
        rank = out->rank + !batched, column = along_samples(r, node->in[0], rank);
    struct attrs attrs = {.n = rank, .v = {r->rows}};
    memcpy(attrs.v + !batched, out->shape, (size_t)out->rank * sizeof *attrs.v);
    r->label[i] = batched ? BATCHED : TIMED;
    return column < 0 ? -1 : tape_emit(r->to, OP_BROADCAST, &attrs, &column, 1);
}

static int copy_shared(struct rebatch *r, const struct node *node)
{
    if (op_table[node->op].flags & OP_STATEFUL) return -1; /* threads that work on tiles must not share it */
    int few[8], *in = few;
    if (node->n_in > 8 && !(in = memory_alloc((size_t)node->n_in * sizeof *in))) return -1;
    for (int j = 0; j < node->n_in; j++) in[j] = r->copy[node->in[j]];
    int result = tape_emit(r->to, node->op, node->attrs, in, node->n_in);
    if (in != few) memory_free(in);
    return result;
}

/* Input j of what comes of UNIFORM ones alone, -1 when it does not; *found counts these. */
static int uniform_operand(struct rebatch *r, const struct node *node, int j, int *found)
{
    int in = node->in[j], first = op_table[node->op].batch == BATCH_IN_FIRST;
    const struct array *spec = tape_spec(r->from, in);
    if (r->label[in] == UNIFORM && (first ? j == 0 : has_axis(spec, &node->spec))) {
        ++*found;
        return narrow_of(r, in);
    }
    if (op_table[node->op].batch == BATCH_IN_ALL) return -1;
    return first ? (j > 0 ? r->copy[in] : -1)
                 : (spec->rank < node->spec.rank || spec->shape[0] == 1 ? r->copy[in] : -1);
}

/* The narrow form of such a node, -1: it has none. */
static int copy_narrow(struct rebatch *r, const struct node *node)
{
    struct attrs attrs = node->attrs ? *node->attrs : (struct attrs){0};
    int in[8], found = 0, fits = 1, n = node->n_in;
    for (int j = 0; j < n; j++) found += r->label[node->in[j]] == UNIFORM;
    if (found == 0 || n > 8 || !cut_attrs(r, node, &attrs)) return -1;
    found = 0;
    for (int j = 0; j < n && fits; j++) fits = (in[j] = uniform_operand(r, node, j, &found)) >= 0;
    return fits && found > 0 ? tape_emit(r->to, node->op, node->attrs ? &attrs : NULL, in, n) : -1;
}

static int is_cut(const struct rebatch *r, int i)
{
    for (int k = 0; k < r->ends->n_inputs; k++)
        if (r->ends->inputs[k] == i) return 1;
    return r->by_sample && r->by_sample[i];
}

static int copy_node(struct rebatch *r, int i)
{
    const struct node *node = &r->from->nodes[i];
    const struct array *spec = &node->spec;
    int cuts = is_cut(r, i), timed = 0;
    if (r->how == REBATCH_TIMED && i == r->from->inputs[0]) {
        r->label[i] = TIMED;
        return tape_input(r->to, spec->dtype, 1, &r->rows);
    }
    if (node->op == OP_INPUT || (node->op == OP_CONSTANT && cuts)) {
        struct array copy = *spec;
        r->label[i] = cuts ? BATCHED : SHARED;
        if (cuts) copy.shape[0] = cut(r, spec->shape[0]);
        return tape_input(r->to, spec->dtype, spec->rank, copy.shape);
    }
    if (node->op == OP_CONSTANT) return tape_constant(r->to, node->constant);
    for (int j = 0; j < node->n_in; j++)
        if (r->label[node->in[j]] == BATCHED) {
            r->label[i] = BATCHED;
            return copy_batched(r, node);
        }
    for (int j = 0; j < node->n_in; j++) timed |= r->label[node->in[j]] == TIMED;
    if (timed) return copy_timed(r, i);
    if (node->op == OP_BROADCAST && spec->rank > 0 && spec->shape[0] == r->batch) {
        const struct array *in = tape_spec(r->from, node->in[0]);
        if (r->label[node->in[0]] == SHARED && (in->rank < spec->rank || in->shape[0] == 1))
            r->label[i] = UNIFORM;
    }
    if (r->label[i] == SHARED && (r->narrow[i] = copy_narrow(r, node)) >= 0) r->label[i] = UNIFORM;
    return copy_shared(r, node);
}

static void mark_live(const struct tape *t, int output, char *live)
{
    live[output] = 1;
    for (int i = output; i >= 0; i--)
        for (int j = 0; live[i] && j < t->nodes[i].n_in; j++) live[t->nodes[i].in[j]] = 1;
    for (int i = 0; i < t->n_inputs; i++) live[t->inputs[i]] = 1; /* their order is the interface */
}

/* Inputs, constants that are cut, all else: in this order they are inputs of the copy. */
static int turn_of(const struct rebatch *r, int i)
{
    if (r->from->nodes[i].op == OP_INPUT) return 0;
    return r->by_sample && r->by_sample[i] ? 1 : 2;
}

/* Does each output belong to the samples? */
static int outputs_cut(struct rebatch *r)
{
    for (int k = 0; k < r->ends->n_outputs; k++) {
        int output = r->ends->outputs[k];
        const struct array *spec = tape_spec(r->from, output);
        if (r->label[output] == BATCHED) continue;
        if (spec->rank > 0) wants_entries(r, output, spec->shape[0]);
        return 0;
    }
    return 1;
}

static enum status rebatch_nodes(struct rebatch *r, int *possible)
{
    int n = 0;
    for (int i = 0; i < r->from->n_inputs; i++) n = r->from->inputs[i] >= n ? r->from->inputs[i] + 1 : n;
    memset(r->label, 0, 2 * (size_t)r->from->n); /* live as well */
    for (int k = 0; k < r->ends->n_outputs; k++) {
        int output = r->ends->outputs[k];
        n = output >= n ? output + 1 : n;
        mark_live(r->from, output, r->live);
    }
    *possible = 1;
    r->found = 0;
    for (int k = 0; k < 3 * n && *possible; k++) {
        int i = k % n;
        if (!r->live[i] || turn_of(r, i) != k / n) continue;
        r->narrow[i] = -1;
        r->copy[i] = copy_node(r, i);
        *possible = r->copy[i] >= 0;
    }
    if (*possible) *possible = outputs_cut(r);
    /* A node that did not fit is an answer, but running out of memory is not. */
    return r->to->status == STATUS_MEMORY ? tape_status(r->to) : STATUS_OK;
}

/* Until no more is found that has entries for the samples. */
static enum status rebatch(struct rebatch *r, int *possible)
{
    enum status status;
    if (r->by_sample) memset(r->by_sample, 0, (size_t)r->from->n);
    do {
        tape_release(r->to);
        r->to = NULL;
        status = tape_new(&r->to, NULL);
        if (status == STATUS_OK) status = rebatch_nodes(r, possible);
    } while (status == STATUS_OK && !*possible && r->found);
    return status;
}

enum status tape_rebatch_parts(struct tape **out, const struct tape *tape, enum rebatch_how how,
                               const struct rebatch_ends *ends, int64_t batch, int64_t rows, int *new_outputs,
                               char *by_sample)
{
    struct rebatch r = {
        .from = tape, .how = how, .ends = ends, .batch = batch, .rows = rows, .by_sample = by_sample};
    int possible = 0;
    *out = NULL;
    char *block = memory_zalloc((size_t)tape->n, 2 * sizeof(int) + 3);
    enum status status = block ? STATUS_OK : memory_status();
    if (status == STATUS_OK) {
        r.copy = (int *)block;
        r.narrow = r.copy + tape->n;
        r.label = (char *)(r.narrow + tape->n);
        r.live = r.label + tape->n;
        r.asked = r.live + tape->n;
        status = rebatch(&r, &possible);
    }
    if (status == STATUS_OK && possible) {
        for (int k = 0; k < ends->n_outputs; k++) new_outputs[k] = r.copy[ends->outputs[k]];
        *out = r.to;
    } else {
        tape_release(r.to);
    }
    memory_free(block);
    return status;
}

enum status tape_rebatch(struct tape **out, const struct tape *tape, enum rebatch_how how, int batched,
                         int64_t batch, int64_t rows, int output, int *new_output, char *by_sample)
{
    struct rebatch_ends ends = {&batched, &output, 1, 1};
    return tape_rebatch_parts(out, tape, how, &ends, batch, rows, new_output, by_sample);
}
