/* Products and convolutions that take what follows them: act(x W + c) and grad(y, g W) in one call, a piece
 * at a time while it is in the cache. */
#include <string.h>

#include "autodiff/passes.h"
#include "base/memory.h"

struct chain {
    int product, bias, last; /* bias: the node that adds it, or -1; last: the end of the chain */
};

struct fuse {
    struct rewrite r;
    char *live, *inner;  /* inner: computed inside of a fused call */
    int *user;           /* the one node that reads the value, NOBODY, or MANY */
    struct chain *chain; /* of the node that ends it; product -1: none */
};

enum { NOBODY = -1, MANY = -2 };

/* The node that `add` adds to the product: a row for a matrix, one number per channel for a convolution; -1:
 * it is something else. */
static int added_bias(const struct tape *t, const struct node *add, int product)
{
    if (add->op != OP_ADD || add->in[0] == add->in[1]) return -1;
    int c = add->in[0] == product ? add->in[1] : add->in[0];
    const struct array *spec = tape_spec(t, c), *z = tape_spec(t, product);
    int channel = spec->rank - 1 - (z->rank - 2); /* axis of the bias */
    if (channel < 0 || channel > 1 || (channel == 1 && spec->shape[0] != 1) ||
        spec->shape[channel] != z->shape[1])
        return -1;
    return array_numel(spec) == z->shape[1] && array_same_shape(&add->spec, z) ? c : -1;
}

/* An elementwise op on the product alone, or on it and a matrix of its shape. */
static int follows(const struct tape *t, const struct node *node, int product)
{
    if (!op_table[node->op].elementwise || node->n_in > 2 || node->spec.dtype != tape_spec(t, product)->dtype)
        return 0;
    if (node->n_in == 2 && node->in[0] == node->in[1]) return 0;
    for (int j = 0; j < node->n_in; j++)
        if (!array_same_shape(tape_spec(t, node->in[j]), tape_spec(t, product))) return 0;
    return array_same_shape(&node->spec, tape_spec(t, product));
}

/* The node that alone reads `node`, unless it is part of a chain already; -1: there is none. */
static int next_of(const struct fuse *f, int node)
{
    int next = f->user[node];
    return next >= 0 && !f->inner[next] && f->chain[next].product < 0 ? next : -1;
}

static struct chain chain_of(const struct fuse *f, int product)
{
    const struct tape *t = f->r.from;
    struct chain c = {product, -1, product};
    int next = next_of(f, product);
    if (next >= 0 && added_bias(t, &t->nodes[next], product) >= 0) {
        c.bias = c.last = next;
        next = next_of(f, next);
    }
    if (next >= 0 && follows(t, &t->nodes[next], c.last)) c.last = next;
    return c;
}

/* A product that can take what follows it; a matrix product can when it is one of two matrices. */
static int is_product(const struct node *node)
{
    enum op_id layer = op_table[node->op].layer;
    return layer && (layer != OP_LAYER || node->spec.rank == 2) && array_numel(&node->spec) > 0;
}

/* Emit the chain at its last node: the product's operands, the bias, the other operand of the elementwise
 * op. */
static int emit_chain(struct rewrite *r, const struct chain *c)
{
    const struct tape *t = r->from;
    const struct node *product = &t->nodes[c->product], *last = &t->nodes[c->last];
    int end = c->bias >= 0 ? c->bias : c->product, n_in = 2,
        in[4] = {r->copy[product->in[0]], r->copy[product->in[1]]};
    struct attrs attrs = *product->attrs;
    int64_t *layer = attrs.v + LAYER_ATTRS;
    attrs.n = LAYER_ATTRS + 4;
    layer[LAYER_BASE] = product->op;
    layer[LAYER_BIAS] = c->bias >= 0;
    layer[LAYER_POST] = layer[LAYER_SECOND] = 0;
    if (c->bias >= 0) in[n_in++] = r->copy[added_bias(t, &t->nodes[c->bias], c->product)];
    if (c->last != end) {
        layer[LAYER_POST] = last->op;
        layer[LAYER_SECOND] = last->in[0] != end;
        if (last->n_in == 2) in[n_in++] = r->copy[last->in[layer[LAYER_SECOND] ? 0 : 1]];
    }
    return r->copy[c->last] = tape_emit(r->to, op_table[product->op].layer, &attrs, in, n_in);
}

static void find_users(struct fuse *f, const int *outputs, int n_outputs)
{
    const struct tape *t = f->r.from;
    for (int i = 0; i < t->n; i++) f->user[i] = NOBODY;
    for (int i = 0; i < t->n; i++)
        for (int j = 0; f->live[i] && j < t->nodes[i].n_in; j++) {
            int *user = &f->user[t->nodes[i].in[j]];
            *user = *user == NOBODY ? i : MANY;
        }
    for (int i = 0; i < n_outputs; i++) f->user[outputs[i]] = MANY; /* its value is wanted for itself */
}

static void find_chains(struct fuse *f)
{
    const struct tape *t = f->r.from;
    for (int i = 0; i < t->n; i++) f->chain[i].product = -1;
    for (int i = 0; i < t->n; i++) {
        if (!f->live[i] || !is_product(&t->nodes[i])) continue;
        struct chain c = chain_of(f, i);
        if (c.last == i) continue;
        f->inner[i] = 1;
        if (c.bias >= 0 && c.bias != c.last) f->inner[c.bias] = 1;
        f->chain[c.last] = c;
    }
}

static enum status fuse_nodes(struct fuse *f, const int *outputs, int n_outputs)
{
    tape_mark_live(f->r.from, outputs, n_outputs, f->live);
    find_users(f, outputs, n_outputs);
    find_chains(f);
    for (int i = 0; i < f->r.from->n; i++) {
        if (!f->live[i] || f->inner[i]) continue;
        if ((f->chain[i].product >= 0 ? emit_chain(&f->r, &f->chain[i]) : rewrite_copy(&f->r, i)) < 0) break;
    }
    return tape_status(f->r.to);
}

enum status tape_fuse(struct tape **out, const struct tape *tape, const int *outputs, int n_outputs,
                      int *new_outputs, int *counterpart)
{
    struct fuse f = {0};
    TRY(rewrite_begin(&f.r, tape));
    char *block = memory_zalloc((size_t)tape->n, sizeof *f.chain + sizeof *f.user + 2);
    enum status status = memory_status();
    if (block) {
        f.chain = (struct chain *)block;
        f.user = (int *)(f.chain + tape->n);
        f.live = (char *)(f.user + tape->n);
        f.inner = f.live + tape->n;
        status = fuse_nodes(&f, outputs, n_outputs);
    }
    for (int i = 0; i < n_outputs; i++) new_outputs[i] = f.r.copy[outputs[i]];
    if (counterpart) memcpy(counterpart, f.r.copy, (size_t)tape->n * sizeof *counterpart);
    rewrite_end(&f.r);
    memory_free(block);
    if (status == STATUS_OK)
        *out = f.r.to;
    else
        tape_release(f.r.to);
    return status;
}
