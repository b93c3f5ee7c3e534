/* Rules that give a field less to do per call. Each is an identity of real arithmetic:
 *
 *   time in the bias    cat(y, u) W = y W_y + u W_u, where u is the same for every sample (t, as a rule): the
 *                       second part is one row
 *   one bias            (z + c) + d = z + (c + d), for rows c and d
 *   tiny convolution    of a few pixels: a product with a matrix that is made of the weights once per solve
 *                       (kernels/conv_dense.h)
 *   one dtype of time   where all readers cast t to the state's dtype, it comes in that dtype
 *   reshape last        act(reshape(z) + b) = reshape(act(z + b')), so that such products stay matrices from
 *                       layer to layer */
#include <string.h>

#include "autodiff/op_rules.h"
#include "autodiff/passes.h"
#include "base/memory.h"
#include "kernels/conv_dense.h"

/* What a value depends on: parameters alone, time as well, the state as well. */
enum dependence { PARAMETER, TIME, STATE };

struct simplify {
    struct rewrite r;
    char *label; /* of nodes of the new tape; 3 for each node of the old one and some */
    int room;
};

static char label_of(const struct simplify *s, int node) { return node < s->room ? s->label[node] : STATE; }

/* Label the nodes of the new tape from `first` on. Inputs are labelled by whoever makes them. */
static void label_new(struct simplify *s, int first)
{
    const struct tape *t = s->r.to;
    for (int i = first; i < t->n && i < s->room; i++) {
        if (t->nodes[i].op == OP_INPUT) continue;
        char label = PARAMETER;
        for (int j = 0; j < t->nodes[i].n_in; j++) {
            char of = label_of(s, t->nodes[i].in[j]);
            label = of > label ? of : label;
        }
        s->label[i] = label;
    }
}

static int emit(struct simplify *s, enum op_id op, const struct attrs *attrs, const int *in, int n_in)
{
    int first = s->r.to->n, node = tape_emit(s->r.to, op, attrs, in, n_in);
    label_new(s, first);
    return node;
}

static int emit_one(struct simplify *s, enum op_id op, int x) { return emit(s, op, NULL, &x, 1); }
static int emit_two(struct simplify *s, enum op_id op, int x, int y)
{
    return emit(s, op, NULL, (int[]){x, y}, 2);
}

static int shaped(struct simplify *s, enum op_id op, int x, int rank, const int64_t *shape)
{
    int first = s->r.to->n, node = op == OP_RESHAPE ? emit_reshape(s->r.to, x, rank, shape)
                                                    : emit_broadcast(s->r.to, x, rank, shape);
    label_new(s, first);
    return node;
}

static const struct node *made(const struct simplify *s, int node)
{
    return node >= 0 ? &s->r.to->nodes[node] : NULL;
}

/* A reshape of a reshape is one reshape, and one to the shape at hand is none. */
static int reshape(struct simplify *s, int x, int rank, const int64_t *shape)
{
    while (x >= 0 && made(s, x)->op == OP_RESHAPE) x = made(s, x)->in[0];
    if (x < 0) return x;
    const struct array *spec = tape_spec(s->r.to, x);
    if (spec->rank == rank && memcmp(spec->shape, shape, (size_t)rank * sizeof *shape) == 0) return x;
    return shaped(s, OP_RESHAPE, x, rank, shape);
}

/* The matrix {batch, n} behind a reshape of a product's result, -1 for anything else. */
static int matrix_behind(const struct simplify *s, int x)
{
    if (x < 0 || made(s, x)->op != OP_RESHAPE || label_of(s, x) != STATE) return -1;
    int z = made(s, x)->in[0];
    const struct node *node = made(s, z);
    if (node->spec.rank != 2 || tape_spec(s->r.to, x)->rank < 2 ||
        tape_spec(s->r.to, x)->shape[0] != node->spec.shape[0])
        return -1;
    return node->op == OP_MATMUL || op_table[node->op].elementwise ? z : -1;
}

/* `c`, which is broadcast to `out` with all samples alike, as a row {n}; -1 when samples differ. */
static int as_row(struct simplify *s, int c, const struct array *out)
{
    struct array spec = *tape_spec(s->r.to, c);
    if (label_of(s, c) == STATE || (spec.rank == out->rank && spec.shape[0] != 1)) return -1;
    int64_t n = 1;
    for (int i = 1; i < out->rank; i++) n *= out->shape[i];
    if (spec.rank == out->rank) c = reshape(s, c, out->rank - 1, spec.shape + 1);
    if (array_numel(&spec) != n) c = shaped(s, OP_BROADCAST, c, out->rank - 1, out->shape + 1);
    return c < 0 ? -1 : reshape(s, c, 1, &n);
}

/* Elementwise ops between products: before the reshape. */
static int elementwise(struct simplify *s, const struct node *node, const int *in)
{
    int z[2], n_matrices = 0;
    struct array out = node->spec;
    if (node->n_in > 2 || out.rank < 1) return -1;
    for (int j = 0; j < node->n_in; j++) {
        z[j] = matrix_behind(s, in[j]);
        if (z[j] >= 0 && array_same_shape(tape_spec(s->r.to, in[j]), &out))
            n_matrices++;
        else
            z[j] = -1;
    }
    if (n_matrices == 0) return -1;
    for (int j = 0; j < node->n_in; j++)
        if (z[j] < 0 && (z[j] = as_row(s, in[j], &out)) < 0) return -1;
    int result = emit(s, node->op, NULL, z, node->n_in);
    return result < 0 ? -1 : reshape(s, result, out.rank, out.shape);
}

/* (z + c) + d with rows c, d of the same length. */
static int one_bias(struct simplify *s, const int *in)
{
    for (int j = 0; j < 2; j++) {
        const struct node *sum = made(s, in[j]);
        int d = in[1 - j];
        if (sum->op != OP_ADD || sum->spec.rank != 2 || label_of(s, d) == STATE ||
            label_of(s, in[j]) != STATE)
            continue;
        const struct array *spec = tape_spec(s->r.to, d);
        if (spec->rank < 1 || spec->rank > 2 || (spec->rank == 2 && spec->shape[0] != 1)) continue;
        int z = sum->in[0], c = sum->in[1];
        if (made(s, z)->op != OP_MATMUL || label_of(s, c) == STATE ||
            !array_same_shape(tape_spec(s->r.to, z), &sum->spec))
            continue;
        if (array_numel(tape_spec(s->r.to, c)) != sum->spec.shape[1] ||
            array_numel(spec) != sum->spec.shape[1])
            continue;
        return emit_two(s, OP_ADD, z, emit_two(s, OP_ADD, c, d));
    }
    return -1;
}

/* Rows (of op(W)) `start`, ... of the right factor that belong to a part of the left one, dense. */
static int factor_rows(struct simplify *s, int w, int transposed, int64_t start, int64_t count)
{
    const struct array *spec = tape_spec(s->r.to, w);
    struct attrs slice = {.n = 6, .v = {0, 1, spec->shape[0], 0, 1, spec->shape[1]}};
    slice.v[transposed ? 3 : 0] = start;
    slice.v[transposed ? 5 : 2] = count;
    return emit_one(s, OP_COPY, emit(s, OP_SLICE, &slice, &w, 1));
}

/* A part of `cat` that is one row repeated: that row as {1, p}, else -1. */
static int repeated_row(struct simplify *s, int part)
{
    const struct node *node = made(s, part);
    if (label_of(s, part) == STATE || node->op != OP_BROADCAST) return -1;
    struct array source = *tape_spec(s->r.to, node->in[0]);
    if (source.rank > 2 || (source.rank == 2 && source.shape[0] != 1)) return -1;
    return shaped(s, OP_BROADCAST, node->in[0], 2, (int64_t[]){1, node->spec.shape[1]});
}

/* cat(y, u) op(W): one part varies from sample to sample, the others are rows. */
static int time_in_bias(struct simplify *s, const struct node *product, const int *in)
{
    const struct node *cat = made(s, in[0]);
    int transposed = (int)product->attrs->v[1], varying = -1, row = -1, z = -1;
    if (product->attrs->v[0] || cat->op != OP_CAT || cat->attrs->v[0] != 1 || cat->spec.rank != 2 ||
        cat->n_in > 8)
        return -1;
    if (tape_spec(s->r.to, in[1])->rank != 2 || label_of(s, in[1]) != PARAMETER) return -1;
    int parts[8], rows[8], n = cat->n_in;
    memcpy(parts, cat->in, (size_t)n * sizeof *parts); /* emitting may move the nodes */
    for (int j = 0; j < n; j++) {
        rows[j] = repeated_row(s, parts[j]);
        if (rows[j] >= 0) continue;
        if (varying >= 0) return -1;
        varying = j;
    }
    if (varying < 0 || n < 2) return -1;
    int64_t start = 0;
    for (int j = 0; j < n; j++) {
        int64_t count = tape_spec(s->r.to, parts[j])->shape[1];
        int w = factor_rows(s, in[1], transposed, start, count);
        struct attrs attrs = {.n = 2, .v = {0, transposed}};
        start += count;
        if (j == varying) {
            z = emit(s, OP_MATMUL, &attrs, (int[]){parts[j], w}, 2);
            continue;
        }
        /* One number times a row is not worth a product. */
        int term = count == 1 ? emit_two(s, OP_MUL, rows[j],
                                         reshape(s, w, 2, (int64_t[]){1, product->spec.shape[1]}))
                              : emit(s, OP_MATMUL, &attrs, (int[]){rows[j], w}, 2);
        row = row < 0 ? term : emit_two(s, OP_ADD, row, term);
    }
    return emit_two(s, OP_ADD, z, row);
}

/* A convolution of a few pixels. */
static int tiny_convolution(struct simplify *s, const struct node *node, const int *in)
{
    const struct array *x = tape_spec(s->r.to, in[0]), *w = tape_spec(s->r.to, in[1]);
    struct conv c = conv_described(x->dtype, x->shape, w->shape, node->attrs->v);
    c.oh = node->spec.shape[2];
    c.ow = node->spec.shape[3];
    if (label_of(s, in[1]) != PARAMETER || w->dtype != x->dtype || c.n == 0 || c.c == 0 || c.o == 0 ||
        !conv_dense_fits(&c))
        return -1;
    struct attrs attrs = *node->attrs;
    attrs.n = 9;
    attrs.v[7] = c.h;
    attrs.v[8] = c.w;
    int matrix = emit(s, OP_CONV_MATRIX, &attrs, &in[1], 1),
        rows = reshape(s, in[0], 2, (int64_t[]){c.n, c.c * c.h * c.w});
    int z = emit(s, OP_MATMUL, &(struct attrs){.n = 2, .v = {0, 0}}, (int[]){rows, matrix}, 2);
    return z < 0 ? -1 : reshape(s, z, 4, node->spec.shape);
}

/* The node by a rule, or -1 when none applies. in: its inputs in the new tape. */
static int by_rule(struct simplify *s, const struct node *node, const int *in)
{
    int result = -1;
    if (node->op == OP_CAST) return tape_spec(s->r.to, in[0])->dtype == node->spec.dtype ? in[0] : -1;
    if (node->op == OP_RESHAPE) return reshape(s, in[0], node->spec.rank, node->spec.shape);
    if (node->op == OP_MATMUL) return time_in_bias(s, node, in);
    if (node->op == OP_CONV) return tiny_convolution(s, node, in);
    if (node->op == OP_ADD) result = one_bias(s, in);
    return result < 0 && op_table[node->op].elementwise ? elementwise(s, node, in) : result;
}

/* Time is an input of the dtype that all its readers cast it to, if they agree. */
static enum dtype time_dtype(const struct tape *t, const char *live)
{
    int time = t->inputs[0];
    enum dtype own = t->nodes[time].spec.dtype, wanted = own;
    for (int i = 0; i < t->n; i++)
        for (int j = 0; live[i] && j < t->nodes[i].n_in; j++) {
            if (t->nodes[i].in[j] != time) continue;
            enum dtype read = t->nodes[i].op == OP_CAST ? t->nodes[i].spec.dtype : own;
            if (read == own || (wanted != own && wanted != read)) return own;
            wanted = read;
        }
    return wanted;
}

static enum status simplify_nodes(struct simplify *s, const int *output)
{
    const struct tape *from = s->r.from;
    char *live = memory_zalloc((size_t)from->n, 1);
    if (!live) return memory_status();
    tape_mark_live(from, output, 1, live);
    for (int i = 0, inputs = 0; i < from->n; i++) {
        const struct node *node = &from->nodes[i];
        if (!live[i]) continue;
        int first = s->r.to->n;
        if (node->op == OP_INPUT && first < s->room)
            s->label[first] = inputs == 0 ? TIME : inputs == 1 ? STATE : PARAMETER;
        inputs += node->op == OP_INPUT;
        for (int j = 0; j < node->n_in; j++) s->r.in[j] = s->r.copy[node->in[j]];
        int few[2] = {node->n_in > 0 ? s->r.in[0] : -1, node->n_in > 1 ? s->r.in[1] : -1};
        s->r.copy[i] = node->n_in == 1 || node->n_in == 2 ? by_rule(s, node, few) : -1;
        if (i == from->inputs[0]) s->r.copy[i] = tape_input(s->r.to, time_dtype(from, live), 0, NULL);
        if (s->r.copy[i] < 0 && rewrite_copy(&s->r, i) < 0) break;
        label_new(s, first);
    }
    memory_free(live);
    return tape_status(s->r.to);
}

enum status tape_simplify(struct tape **out, const struct tape *tape, int output, int *new_output)
{
    struct simplify s = {.room = 16 * tape->n +
                                 16}; /* beyond, a node counts as one of the state: no rule applies to it */
    TRY(rewrite_begin(&s.r, tape));
    enum status status =
        (s.label = memory_zalloc((size_t)s.room, 1)) ? simplify_nodes(&s, &output) : memory_status();
    *new_output = s.r.copy[output];
    rewrite_end(&s.r);
    memory_free(s.label);
    if (status == STATUS_OK)
        *out = s.r.to;
    else
        tape_release(s.r.to);
    return status;
}
