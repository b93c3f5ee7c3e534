/* From a tape to a program. */
#include "autodiff/program.h"

#include <string.h>

#include "autodiff/op_rules.h"
#include "autodiff/passes.h"
#include "autodiff/program_memory.h"
#include "autodiff/program_small.h"
#include "base/memory.h"

/* State of the compilation. */
struct builder {
    struct program *p;
    const struct tape *tape;
    int *canonical; /* node -> node that computes the same */
    char *live;
    int *value_of; /* node -> value */
    int n_call_in, n_literals;
};

/* ---- passes over the tape ---- */

static int same_attrs(const struct attrs *a, const struct attrs *b)
{
    if (!a || !b) return a == b;
    return a->n == b->n && a->object == b->object && memcmp(&a->value, &b->value, sizeof a->value) == 0 &&
           memcmp(a->v, b->v, (size_t)a->n * sizeof a->v[0]) == 0;
}

static uint64_t mix(uint64_t h, uint64_t x) { return (h ^ x) * UINT64_C(0x9E3779B97F4A7C15) ^ (h >> 29); }

static uint64_t hash_node(const struct node *node, const int *canonical)
{
    uint64_t h = mix(17, (uint64_t)node->op);
    for (int i = 0; i < node->n_in; i++) h = mix(h, (uint64_t)canonical[node->in[i]]);
    if (node->attrs) {
        for (int i = 0; i < node->attrs->n; i++) h = mix(h, (uint64_t)node->attrs->v[i]);
        uint64_t bits;
        memcpy(&bits, &node->attrs->value, sizeof bits);
        h = mix(h, bits);
    }
    return h;
}

static int same_node(const struct tape *t, const int *canonical, int a, int b)
{
    const struct node *x = &t->nodes[a], *y = &t->nodes[b];
    if (x->op != y->op || x->n_in != y->n_in || !same_attrs(x->attrs, y->attrs)) return 0;
    for (int i = 0; i < x->n_in; i++)
        if (canonical[x->in[i]] != canonical[y->in[i]]) return 0;
    return 1;
}

/* Common subexpressions: each node is represented by the first one that computes the same. */
static enum status find_common(struct builder *b)
{
    const struct tape *t = b->tape;
    size_t size = 16;
    while (size < 2 * (size_t)t->n) size *= 2;
    int *table = memory_alloc(size * sizeof *table);
    if (!table) return memory_status();
    memset(table, 0xff, size * sizeof *table);
    for (int i = 0; i < t->n; i++) {
        b->canonical[i] = i;
        if (t->nodes[i].op == OP_INPUT || t->nodes[i].op == OP_CONSTANT ||
            (op_table[t->nodes[i].op].flags & OP_FRESH))
            continue;
        size_t at = hash_node(&t->nodes[i], b->canonical) & (size - 1);
        while (table[at] >= 0 && !same_node(t, b->canonical, table[at], i)) at = (at + 1) & (size - 1);
        if (table[at] >= 0)
            b->canonical[i] = table[at];
        else
            table[at] = i;
    }
    memory_free(table);
    return STATUS_OK;
}

static void find_live(struct builder *b, const int *outputs, int n_outputs)
{
    for (int i = 0; i < n_outputs; i++) b->live[b->canonical[outputs[i]]] = 1;
    for (int i = b->tape->n - 1; i >= 0; i--) {
        const struct node *node = &b->tape->nodes[i];
        b->live[i] |= (op_table[node->op].flags & OP_FRESH) !=
                      0; /* a draw moves the generator, whether or not it is read */
        if (!b->live[i]) continue;
        for (int j = 0; j < node->n_in; j++) b->live[b->canonical[node->in[j]]] = 1;
    }
}

/* ---- values and calls ---- */

static struct value_plan *new_value(struct builder *b, const struct array *layout, int *index)
{
    *index = b->p->n_values++;
    struct value_plan *v = &b->p->values[*index];
    *v = (struct value_plan){.layout = *layout, .root = *index, .place = NOWHERE, .call = -1, .last_use = -1};
    v->layout.data = NULL;
    v->bytes = array_bytes(layout);
    return v;
}

/* Append a call that reads values in[] and writes a new value. */
static enum status add_call(struct builder *b, enum op_id op, const struct attrs *attrs, const int *in,
                            int n_in, int *out)
{
    struct program *p = b->p;
    struct call *c = &p->calls[p->n_calls];
    struct attrs *own = &p->attrs[p->n_calls];
    memset(own, 0, sizeof *own);
    if (attrs) *own = *attrs;
    object_retain(own->object);
    *c = (struct call){.op = &op_table[op], .attrs = own, .n_in = n_in, .in = p->arrays + b->n_call_in};
    p->n_calls++;
    for (int i = 0; i < n_in; i++) {
        struct value_plan *root = &p->values[p->values[in[i]].root];
        c->in[i] = p->values[in[i]].layout;
        p->call_in[b->n_call_in + i] = in[i];
        root->last_use = p->n_calls - 1;
    }
    b->n_call_in += n_in;
    TRY(c->op->infer(c));
    TRY(c->op->prepare(c));
    struct value_plan *v = new_value(b, &c->out, out);
    v->place = ARENA;
    v->call = p->n_calls - 1;
    p->call_out[p->n_calls - 1] = *out;
    return STATUS_OK;
}

static enum status add_leaf(struct builder *b, int i)
{
    const struct node *node = &b->tape->nodes[i];
    struct array dense;
    TRY(array_init(&dense, node->spec.dtype, node->spec.rank, node->spec.shape));
    struct value_plan *v =
        new_value(b, node->op == OP_CONSTANT ? &node->constant->array : &dense, &b->value_of[i]);
    v->place = FIXED;
    if (node->op == OP_CONSTANT) {
        b->p->constants[b->p->n_constants++] = tensor_retain(node->constant);
        v->fixed = node->constant->array.data;
    } else if (node->op == OP_LITERAL) {
        dense.data = v->fixed = (char *)&b->p->literals[b->n_literals++];
        literal_write(node->attrs, &dense);
    } else {
        v->place = INPUT;
        for (v->slot = 0; b->tape->inputs[v->slot] != i;) v->slot++;
    }
    return STATUS_OK;
}

/* A view costs nothing: record the layout and whose memory it is. Returns 0 when it has to be a copy. */
static int add_view(struct builder *b, int i, int source)
{
    const struct node *node = &b->tape->nodes[i];
    static const struct attrs none;
    struct value_plan *x = &b->p->values[source];
    struct call c = {
        .op = &op_table[node->op], .attrs = node->attrs ? node->attrs : &none, .n_in = 1, .in = &x->layout};
    int64_t offset;
    if (c.op->infer(&c) != STATUS_OK || !c.op->view(&c, &offset)) return 0;
    int root = x->root;
    offset += x->offset;
    struct value_plan *v = new_value(b, &c.out, &b->value_of[i]);
    v->root = root;
    v->offset = offset;
    return 1;
}

static enum status add_node(struct builder *b, int i)
{
    const struct node *node = &b->tape->nodes[i];
    if (node->n_in == 0 && !(op_table[node->op].flags & OP_FRESH)) return add_leaf(b, i);
    int few[8], *in = few;
    if (node->n_in > 8 && !(in = memory_alloc((size_t)node->n_in * sizeof *in))) return memory_status();
    enum status status = STATUS_OK;
    for (int j = 0; j < node->n_in && status == STATUS_OK; j++) {
        in[j] = b->value_of[b->canonical[node->in[j]]];
        if ((op_table[node->op].flags & OP_DENSE) && !array_is_contiguous(&b->p->values[in[j]].layout))
            status = add_call(b, OP_COPY, NULL, &in[j], 1, &in[j]);
    }
    if (status == STATUS_OK && !(op_table[node->op].view && add_view(b, i, in[0])))
        status = add_call(b, node->op, node->attrs, in, node->n_in, &b->value_of[i]);
    if (in != few) memory_free(in);
    return status;
}

/* Give each output a memory of its own: the caller's, written directly where possible, else by a copy at the
 * end. */
static enum status add_output(struct builder *b, int slot, int node)
{
    struct program *p = b->p;
    int v = b->value_of[b->canonical[node]], root = p->values[v].root;
    p->outputs[slot] = p->values[v].layout;
    if (p->values[root].place != ARENA || p->values[v].offset != 0 ||
        !array_is_contiguous(&p->values[v].layout) ||
        array_bytes(&p->values[v].layout) != p->values[root].bytes) {
        TRY(add_call(b, OP_COPY, NULL, &v, 1, &root));
    }
    p->values[root].place = OUTPUT;
    p->values[root].slot = slot;
    return STATUS_OK;
}

/* ---- making and running ---- */

static enum status reserve(struct builder *b, int n_outputs)
{
    struct program *p = b->p;
    const struct tape *t = b->tape;
    int inputs = 0, copies = n_outputs, nodes = t->n;
    for (int i = 0; i < nodes; i++) {
        inputs += t->nodes[i].n_in;
        if (op_table[t->nodes[i].op].flags & OP_DENSE) copies += t->nodes[i].n_in;
    }
    /* Each node is at most one call, plus a copy for each input that has to be dense and is not, plus a copy
     * for each output. */
    size_t calls = (size_t)(nodes + copies), reads = (size_t)(inputs + copies);
    p->calls = memory_zalloc(calls, sizeof *p->calls);
    p->call_out = memory_zalloc(calls, sizeof *p->call_out);
    p->attrs = memory_zalloc(calls, sizeof *p->attrs);
    p->scratch_position = memory_zalloc(calls, sizeof *p->scratch_position);
    p->call_in = memory_zalloc(reads, sizeof *p->call_in);
    p->arrays = memory_zalloc(reads, sizeof *p->arrays);
    p->patches = memory_zalloc(reads + calls, sizeof *p->patches);
    p->values = memory_zalloc((size_t)nodes + calls, sizeof *p->values);
    p->constants = memory_zalloc((size_t)nodes, sizeof *p->constants);
    p->literals = memory_zalloc((size_t)nodes, sizeof *p->literals);
    p->inputs = memory_zalloc((size_t)t->n_inputs, sizeof *p->inputs);
    p->outputs = memory_zalloc((size_t)n_outputs, sizeof *p->outputs);
    b->canonical = memory_alloc((size_t)nodes * sizeof *b->canonical);
    b->live = memory_zalloc((size_t)nodes, 1);
    b->value_of = memory_zalloc((size_t)nodes, sizeof *b->value_of);
    return p->calls && p->call_out && p->attrs && p->scratch_position && p->call_in && p->arrays &&
                   p->patches && p->values && p->constants && p->literals && p->inputs && p->outputs &&
                   b->canonical && b->live && b->value_of
               ? STATUS_OK
               : memory_status();
}

static enum status build(struct builder *b, const int *outputs, int n_outputs)
{
    struct program *p = b->p;
    const struct tape *t = b->tape;
    TRY(reserve(b, n_outputs));
    TRY(find_common(b));
    find_live(b, outputs, n_outputs);
    p->n_inputs = t->n_inputs;
    p->n_outputs = n_outputs;
    for (int i = 0; i < t->n_inputs; i++) p->inputs[i] = t->nodes[t->inputs[i]].spec;
    for (int i = 0; i < t->n; i++)
        if (b->live[i]) TRY(add_node(b, i));
    for (int i = 0; i < n_outputs; i++) TRY(add_output(b, i, outputs[i]));
    TRY(program_plan_memory(p));
    program_set_addresses(p);
    return program_make_small(p);
}

/* A node that another one represents is common when it is needed by itself; see find_common. */
static enum status take_notes(const struct builder *b, const int *outputs, int n_outputs,
                              struct program_notes *notes)
{
    const struct tape *t = b->tape;
    char *wanted = memory_zalloc((size_t)t->n + 1, 1);
    if (!wanted) return memory_status();
    for (int i = 0; i < n_outputs; i++) wanted[outputs[i]] = 1;
    for (int i = t->n - 1; i >= 0; i--)
        for (int j = 0; wanted[i] && j < t->nodes[i].n_in; j++) wanted[t->nodes[i].in[j]] = 1;
    notes->common = notes->dead = notes->views = 0;
    for (int i = 0; i < t->n; i++) {
        int value = notes->value_of[i] =
            b->live[b->canonical[i]] && (wanted[i] || b->live[i]) ? b->value_of[b->canonical[i]] : -1;
        if (t->nodes[i].op == OP_INPUT) continue;
        if (value < 0)
            notes->dead++;
        else if (!b->live[i])
            notes->common++;
        else if (b->p->values[value].root != value)
            notes->views++;
    }
    memory_free(wanted);
    return STATUS_OK;
}

static enum status compile(struct program **out, const struct tape *tape, const int *outputs, int n_outputs,
                           struct program_notes *notes)
{
    struct program *p = memory_zalloc(1, sizeof *p);
    if (!p) return memory_status();
    struct builder b = {.p = p, .tape = tape};
    enum status status = build(&b, outputs, n_outputs);
    if (status == STATUS_OK && notes) status = take_notes(&b, outputs, n_outputs, notes);
    memory_free(b.canonical);
    memory_free(b.live);
    memory_free(b.value_of);
    if (status != STATUS_OK) {
        program_free(p);
        return status;
    }
    *out = p;
    return STATUS_OK;
}

/* What became of the nodes of `tape`, from what became of those of the fused tape. A live node without a
 * counterpart is part of a layer. */
static enum status note_fused(const struct tape *tape, const int *outputs, int n_outputs,
                              const int *counterpart, const int *value, struct program_notes *notes)
{
    char *live = memory_zalloc((size_t)tape->n, 1);
    if (!live) return memory_status();
    tape_mark_live(tape, outputs, n_outputs, live);
    notes->fused = notes->dead = 0;
    for (int i = 0; i < tape->n; i++) {
        notes->value_of[i] = counterpart[i] >= 0 ? value[counterpart[i]] : -1;
        if (tape->nodes[i].op == OP_INPUT || notes->value_of[i] >= 0) continue;
        if (live[i])
            notes->fused++;
        else
            notes->dead++;
    }
    memory_free(live);
    return STATUS_OK;
}

enum status program_new_noted(struct program **out, const struct tape *tape, const int *outputs,
                              int n_outputs, struct program_notes *notes)
{
    TRY(tape_status(tape));
    struct tape *fused;
    struct program_notes inner = {0};
    int *nodes = memory_alloc((size_t)(n_outputs + 2 * tape->n + 1) * sizeof *nodes);
    if (!nodes) return memory_status();
    int *counterpart = nodes + n_outputs;
    inner.value_of = counterpart + tape->n; /* the fused tape has no more nodes */
    enum status status = tape_fuse(&fused, tape, outputs, n_outputs, nodes, counterpart);
    if (status == STATUS_OK) {
        status = compile(out, fused, nodes, n_outputs, notes ? &inner : NULL);
        tape_release(fused);
    }
    if (status == STATUS_OK && notes) {
        notes->common = inner.common;
        notes->views = inner.views;
        status = note_fused(tape, outputs, n_outputs, counterpart, inner.value_of, notes);
        if (status != STATUS_OK) {
            program_free(*out);
            *out = NULL;
        }
    }
    memory_free(nodes);
    return status;
}

enum status program_new(struct program **out, const struct tape *tape, const int *outputs, int n_outputs)
{
    return program_new_noted(out, tape, outputs, n_outputs, NULL);
}
