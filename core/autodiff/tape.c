#include "autodiff/tape.h"

#include <string.h>

#include "base/memory.h"
#include "base/tuning.h"

struct object *object_retain(struct object *o)
{
    if (o) o->refs++;
    return o;
}

void object_release(struct object *o)
{
    if (o && --o->refs == 0) o->free(o);
}

enum status tape_new(struct tape **out, struct tape *parent)
{
    struct tape *t = memory_zalloc(1, sizeof *t);
    if (!t) return memory_status();
    t->refs = 1;
    t->parent = parent ? tape_retain(parent) : NULL;
    *out = t;
    return STATUS_OK;
}

struct tape *tape_retain(struct tape *t)
{
    t->refs++;
    return t;
}

static void node_free(struct node *node)
{
    memory_free(node->in);
    if (node->attrs) object_release(node->attrs->object);
    memory_free(node->attrs);
    tensor_release(node->constant);
}

void tape_release(struct tape *t)
{
    if (!t || --t->refs > 0) return;
    for (int i = 0; i < t->n; i++) node_free(&t->nodes[i]);
    memory_free(t->nodes);
    memory_free(t->inputs);
    memory_free(t->captured);
    memory_free(t->message);
    tape_release(t->parent);
    memory_free(t);
}

enum status tape_status(const struct tape *t)
{
    if (t->status == STATUS_OK) return STATUS_OK;
    return status_set(t->status, "%s", t->message ? t->message : "out of memory");
}

enum status tape_take_status(struct tape *t)
{
    enum status status = tape_status(t);
    memory_free(t->message);
    t->message = NULL;
    t->status = STATUS_OK;
    return status;
}

int tape_fail(struct tape *t, enum status status)
{
    if (t->status == STATUS_OK) {
        char text[1024];
        strncpy(text, status_message(), sizeof text - 1);
        text[sizeof text - 1] = 0;
        t->message = memory_strdup(text);
        t->status = status;
    }
    return -1;
}

static enum status grow_list(void **block, int *capacity, int wanted, size_t size)
{
    if (wanted <= *capacity) return STATUS_OK;
    int next = *capacity ? 2 * *capacity : 16;
    void *fresh = memory_realloc(*block, (size_t)next * size);
    if (!fresh) return memory_status();
    *block = fresh;
    *capacity = next;
    return STATUS_OK;
}

/* Append a node that owns what it points to; frees it on failure. */
static int append(struct tape *t, struct node node)
{
    enum status status = t->status;
    if (status == STATUS_OK) status = grow_list((void **)&t->nodes, &t->capacity, t->n + 1, sizeof *t->nodes);
    if (status != STATUS_OK) {
        node_free(&node);
        return tape_fail(t, status);
    }
    t->nodes[t->n] = node;
    return t->n++;
}

static int append_input(struct tape *t, const struct array *spec, int captured)
{
    if (t->status != STATUS_OK) return -1;
    int capacity = t->inputs_capacity;
    enum status status = grow_list((void **)&t->inputs, &capacity, t->n_inputs + 1, sizeof(int));
    if (status == STATUS_OK)
        status = grow_list((void **)&t->captured, &t->inputs_capacity, t->n_inputs + 1, sizeof(int));
    if (status != STATUS_OK) return tape_fail(t, status);
    int node = append(t, (struct node){.op = OP_INPUT, .spec = *spec});
    if (node < 0) return -1;
    t->captured[t->n_inputs] = captured;
    t->inputs[t->n_inputs++] = node;
    return node;
}

int tape_input(struct tape *t, enum dtype dtype, int rank, const int64_t *shape)
{
    struct array spec;
    enum status status = array_init(&spec, dtype, rank, shape);
    return status == STATUS_OK ? append_input(t, &spec, -1) : tape_fail(t, status);
}

int tape_constant(struct tape *t, struct tensor *borrowed)
{
    for (int i = t->n - 1; i >= 0 && i >= t->n - TAPE_CONSTANT_LOOK_BACK; i--)
        if (t->nodes[i].constant == borrowed) return i;
    return append(
        t, (struct node){.op = OP_CONSTANT, .spec = borrowed->array, .constant = tensor_retain(borrowed)});
}

int tape_literal(struct tape *t, enum dtype dtype, double value)
{
    if (dtype == INT64) return tape_whole(t, (int64_t)value);
    return tape_emit(t, OP_LITERAL, &(struct attrs){.n = 1, .v = {dtype}, .value = value}, NULL, 0);
}

int tape_whole(struct tape *t, int64_t value)
{
    return tape_emit(t, OP_LITERAL, &(struct attrs){.n = 2, .v = {INT64, value}, .value = (double)value},
                     NULL, 0);
}

/* The shape rule, on specs. */
static enum status infer(const struct tape *t, enum op_id op, const struct attrs *attrs, const int *in,
                         int n_in, struct array *spec)
{
    struct array few[8], *specs = few;
    if (n_in > 8 && !(specs = memory_alloc((size_t)n_in * sizeof *specs))) return memory_status();
    for (int i = 0; i < n_in; i++) specs[i] = t->nodes[in[i]].spec;
    struct call call = {.op = &op_table[op], .attrs = attrs, .n_in = n_in, .in = specs};
    enum status status = op_table[op].infer(&call);
    *spec = call.out;
    if (specs != few) memory_free(specs);
    return status;
}

int tape_emit(struct tape *t, enum op_id op, const struct attrs *attrs, const int *in, int n_in)
{
    if (t->status != STATUS_OK) return -1;
    for (int i = 0; i < n_in; i++)
        if (in[i] < 0) return -1;
    struct node node = {.op = op, .n_in = n_in};
    static const struct attrs none;
    enum status status = infer(t, op, attrs ? attrs : &none, in, n_in, &node.spec);
    if (status != STATUS_OK) return tape_fail(t, status);
    if (n_in > 0 && !(node.in = memory_alloc((size_t)n_in * sizeof(int))))
        return tape_fail(t, memory_status());
    if (n_in > 0) memcpy(node.in, in, (size_t)n_in * sizeof(int));
    if (attrs) {
        if (!(node.attrs = memory_alloc(sizeof *attrs))) {
            node_free(&node);
            return tape_fail(t, memory_status());
        }
        *node.attrs = *attrs;
        object_retain(attrs->object);
    }
    return append(t, node);
}

int tape_import(struct tape *t, struct tape *owner, int node)
{
    if (t == owner) return node;
    const struct tape *ancestor = t->parent;
    while (ancestor && ancestor != owner) ancestor = ancestor->parent;
    if (!ancestor)
        return tape_fail(
            t,
            status_set(STATUS_ARGUMENT,
                       "this symbolic tensor belongs to a recording that has ended; return values from the "
                       "recorded function instead of storing them outside"));
    int outer = tape_import(t->parent, owner, node);
    if (outer < 0) return tape_fail(t, tape_take_status(t->parent));
    for (int i = 0; i < t->n_inputs; i++)
        if (t->captured[i] == outer) return t->inputs[i];
    int input = append_input(t, &t->parent->nodes[outer].spec, outer);
    if (input >= 0) t->nodes[input].weak = t->parent->nodes[outer].weak;
    return input;
}

const struct array *tape_spec(const struct tape *t, int node)
{
    static const struct array nothing; /* so that rules need not look at failures */
    return node < 0 ? &nothing : &t->nodes[node].spec;
}

int emit1(struct tape *t, enum op_id op, int x) { return tape_emit(t, op, NULL, &x, 1); }
int emit2(struct tape *t, enum op_id op, int x, int y) { return tape_emit(t, op, NULL, (int[]){x, y}, 2); }
int emit_like(struct tape *t, int x, double value) { return tape_literal(t, tape_spec(t, x)->dtype, value); }

static int emit_shape(struct tape *t, enum op_id op, int x, int rank, const int64_t *shape)
{
    if (x < 0) return -1;
    const struct array *spec = tape_spec(t, x);
    if (spec->rank == rank && memcmp(spec->shape, shape, (size_t)rank * sizeof *shape) == 0) return x;
    struct attrs attrs = {.n = rank};
    memcpy(attrs.v, shape, (size_t)rank * sizeof *shape);
    return tape_emit(t, op, &attrs, &x, 1);
}

int emit_reshape(struct tape *t, int x, int rank, const int64_t *shape)
{
    return emit_shape(t, OP_RESHAPE, x, rank, shape);
}
int emit_broadcast(struct tape *t, int x, int rank, const int64_t *shape)
{
    return emit_shape(t, OP_BROADCAST, x, rank, shape);
}

int emit_sum_to(struct tape *t, int x, const struct array *shape)
{
    if (x < 0) return -1;
    struct array target = *shape, spec = *tape_spec(t, x);
    int64_t mask = 0;
    for (int i = 0; i < spec.rank; i++) {
        int j = i - (spec.rank - target.rank);
        if ((j < 0 || target.shape[j] == 1) && spec.shape[i] != 1) mask |= INT64_C(1) << i;
    }
    if (mask) x = tape_emit(t, OP_SUM, &(struct attrs){.n = 1, .v = {mask}}, &x, 1);
    return emit_reshape(t, x, target.rank, target.shape);
}

int emit_slice_flat(struct tape *t, int x, int64_t start, int64_t length)
{
    return tape_emit(t, OP_SLICE, &(struct attrs){.n = 3, .v = {start, 1, length}}, &x, 1);
}

int emit_strong(struct tape *t, int x, enum dtype dtype)
{
    if (x < 0 || !t->nodes[x].weak || tape_spec(t, x)->dtype == dtype) return emit_cast(t, x, dtype);
    struct node node = t->nodes[x];
    if (!op_table[node.op].view || node.op == OP_ALIAS)
        return emit_cast(t, x, dtype); /* derivatives are taken by what an alias names */
    int source = emit_strong(t, node.in[0], dtype);
    return tape_emit(t, node.op, t->nodes[x].attrs, &source, 1);
}

int emit_cast(struct tape *t, int x, enum dtype dtype)
{
    if (x < 0 || tape_spec(t, x)->dtype == dtype) return x;
    return tape_emit(t, OP_CAST, &(struct attrs){.n = 1, .v = {dtype}}, &x, 1);
}
