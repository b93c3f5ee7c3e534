/* A field made from a tape, of several samples abreast: each at a time of its own, with the bits that it has
 * alone.
 *
 * The batch is cut to so many samples by ops that promise as much (OP_ALIKE), and then simplified as that of
 * one sample is: the two are compared op by op, because rules look at shapes. In what is left t becomes a
 * column. Products are summed in the order of one row (`product_alike`), so they have to be small enough for
 * the engine's own loops. The vjp is that of what is left; by y it is compared with that of one sample as
 * well. By parameters it is a sum over the samples, in an order of its own. */
#include <string.h>

#include "autodiff/batch.h"
#include "autodiff/op_rules.h"
#include "autodiff/tape_field.h"
#include "base/memory.h"
#include "base/tuning.h"

/* Do the two compute the same in the same order, for different numbers of samples? */
static int same_ops(const struct tape *a, const struct tape *b)
{
    int same = a->n == b->n && a->n_inputs == b->n_inputs;
    for (int i = 0; same && i < a->n; i++) {
        const struct node *x = &a->nodes[i], *y = &b->nodes[i];
        same = x->op == y->op && x->n_in == y->n_in;
        for (int j = 0; same && j < x->n_in; j++) same = x->in[j] == y->in[j];
    }
    return same;
}

static int is_dense_leaf(const struct node *node)
{
    return node->op == OP_INPUT || (node->op == OP_CONSTANT && array_is_contiguous(&node->constant->array));
}

/* A product of rows by one kernel, in one order; dense: is its right factor. */
static int product_fits(const struct tape *t, const struct node *node, int dense)
{
    const struct array *a = tape_spec(t, node->in[0]);
    int64_t k = a->shape[a->rank - 1];
    return !node->attrs->v[0] && !node->attrs->v[1] && k > 0 && dense &&
           (double)array_numel(&node->spec) * (double)k <= GEMM_SMALL_WORK;
}

/* Of what the samples go through. */
static int products_fit(const struct tape *t, const char *live)
{
    int fit = 1;
    for (int i = 0; i < t->n; i++)
        if (t->nodes[i].op == OP_MATMUL && live[i])
            fit &= product_fits(t, &t->nodes[i], is_dense_leaf(&t->nodes[t->nodes[i].in[1]]));
    return fit;
}

/* The same of what is computed once: products of entries, which are rows of the samples. */
static int setup_fits(const struct tape *t)
{
    int fit = 1;
    for (int i = 0; i < t->n; i++) {
        const struct node *node = &t->nodes[i];
        if (node->op != OP_MATMUL || node->attrs->n < 3 || !node->attrs->v[2]) continue;
        const struct node *factor = &t->nodes[node->in[1]];
        int computed = factor->op != OP_CONSTANT && !op_table[factor->op].view;
        fit &= product_fits(t, node, computed || is_dense_leaf(factor));
    }
    return fit;
}

/* Does a sample come out of an op of the vjp with the bits that it has alone? That of f has been cut so. */
static int is_alike(const struct tape *t, const struct node *node, int64_t rows)
{
    const struct op *op = &op_table[node->op];
    struct attrs attrs = node->attrs ? *node->attrs : (struct attrs){0};
    int told = attrs.n;
    struct cut c = {.in = {tape_spec(t, node->in[0]), node->n_in > 1 ? tape_spec(t, node->in[1]) : NULL},
                    .out = &node->spec,
                    .batch = rows,
                    .rows = rows,
                    .alike = 1,
                    .attrs = &attrs};
    if (op->elementwise || !op->work) return 1;
    return (op->flags & OP_ALIKE) && op->cut(&c) && attrs.n == told;
}

/* The vjp of one sample and that of several, node by node. */
struct beside {
    const struct tape *one, *many;
    char *varies[2]; /* nodes that y or the cotangent is behind */
    int *pair;       /* of each node of one, that of many; -1: not met */
};

static void mark_varying(const struct tape *t, char *varies)
{
    varies[t->inputs[1]] = varies[t->inputs[2]] = 1;
    for (int i = 0; i < t->n; i++)
        for (int j = 0; j < t->nodes[i].n_in; j++) varies[i] |= varies[t->nodes[i].in[j]];
}

static int is_pair(struct beside *b, int one, int many)
{
    if (b->pair[one] < 0) b->pair[one] = many;
    return b->pair[one] == many && b->varies[0][one] == b->varies[1][many];
}

/* From the outputs down to what does not vary, which is f's. */
static int same_back(struct beside *b, int64_t rows)
{
    int same = 1;
    for (int i = b->one->n - 1; same && i >= 0; i--) {
        if (b->pair[i] < 0 || !b->varies[0][i]) continue;
        const struct node *x = &b->one->nodes[i], *y = &b->many->nodes[b->pair[i]];
        same = x->op == y->op && x->n_in == y->n_in && (y->n_in == 0 || is_alike(b->many, y, rows));
        for (int j = 0; same && j < x->n_in; j++) same = is_pair(b, x->in[j], y->in[j]);
    }
    return same;
}

/* f and a^T df/dy, the first two of the outputs. */
static enum status compare_back(const struct tape_field *f, const struct tape_field *alone, int *fits)
{
    const struct staged *many = f->part[0].own, *one = alone->part[0].own;
    struct beside b = {.one = one->body, .many = many->body};
    size_t n = (size_t)one->body->n;
    b.pair = memory_alloc(n * (sizeof *b.pair + 1) + (size_t)many->body->n);
    if (!b.pair) return memory_status();
    b.varies[0] = (char *)(b.pair + n);
    b.varies[1] = b.varies[0] + n;
    memset(b.pair, 0xff, n * sizeof *b.pair);
    memset(b.varies[0], 0, n + (size_t)many->body->n);
    mark_varying(one->body, b.varies[0]);
    mark_varying(many->body, b.varies[1]);
    for (int i = 0; i < 2; i++) *fits &= is_pair(&b, one->outputs[i], many->outputs[i]);
    *fits = *fits && same_back(&b, f->abreast);
    memory_free(b.pair);
    return STATUS_OK;
}

static enum status compare_products(const struct tape_field *f, int *fits)
{
    const struct staged *own = f->part[0].own;
    char *live = memory_zalloc((size_t)own->body->n, 1);
    if (!live) return memory_status();
    tape_mark_live(own->body, own->outputs, f->works & FIELD_VJPS ? 2 : 1, live);
    *fits = products_fit(own->body, live) && setup_fits(own->split.setup) &&
            setup_fits(f->simplified->split.setup);
    memory_free(live);
    return STATUS_OK;
}

/* Time as a column in what is simplified; *fits 0: it does not become one. */
static enum status add_times(struct tape_field *f, int *fits)
{
    const struct staged *s = f->simplified;
    char *by_sample = memory_zalloc((size_t)s->body->n, 1);
    if (!by_sample) return memory_status();
    enum status status = tape_rebatch(&f->part[0].tape, s->body, REBATCH_TIMED, s->body->inputs[1],
                                      f->abreast, f->abreast, s->outputs[0], f->part[0].dy, by_sample);
    memory_free(by_sample);
    *fits = f->part[0].tape && f->part[0].tape->n_inputs == s->body->n_inputs;
    return status;
}

static enum status make_ready(struct tape_field *f, const struct tape_field *alone, unsigned works, int *fits)
{
    struct tiling whole = {0, f->abreast, 0, 1};
    TRY(tape_field_begin(f, works));
    const struct staged *s = f->simplified, *one = alone->simplified;
    *fits = same_ops(s->body, one->body) && same_ops(s->split.setup, one->split.setup);
    if (*fits) TRY(add_times(f, fits));
    if (!*fits) return STATUS_OK;
    if (!(f->moments = memory_zalloc((size_t)f->abreast, sizeof(double)))) return memory_status();
    f->n_y = 1;
    f->y_share[0] = f->base.n;
    tiles_begin(&f->tiles, whole);
    TRY(tiles_reserve(&f->tiles, f->base.n_theta, f->base.dtype));
    TRY(tape_field_finish(f));
    TRY(compare_products(f, fits));
    return *fits && (works & FIELD_VJPS) ? compare_back(f, alone, fits) : STATUS_OK;
}

static enum status make(const struct tape_field *f, int64_t rows, const struct field *alone, unsigned works,
                        char *by_sample, struct field **out, int *fits)
{
    struct tape *tape;
    int dy;
    TRY(tape_rebatch(&tape, f->source, REBATCH_ALIKE, f->source->inputs[1], f->base.batch, rows, f->source_dy,
                     &dy, by_sample));
    *fits = tape != NULL;
    if (!tape) return STATUS_OK;
    enum status status = field_from_tape(out, tape, dy, 0);
    if (status == STATUS_OK) {
        (*out)->independent = rows;
        ((struct tape_field *)*out)->abreast = rows;
        status = tape_field_sources(f, tape, by_sample, 1, *out);
    }
    tape_release(tape);
    if (status != STATUS_OK) return status;
    return make_ready((struct tape_field *)*out, (const struct tape_field *)alone, works, fits);
}

enum status tape_field_abreast(const struct field *self, int64_t rows, const struct field *alone,
                               unsigned works, struct field **out)
{
    const struct tape_field *f = (const struct tape_field *)self;
    int fits = 0;
    char *by_sample = memory_zalloc((size_t)f->source->n, 1);
    enum status status = by_sample ? make(f, rows, alone, works, by_sample, out, &fits) : memory_status();
    memory_free(by_sample);
    if ((status == STATUS_OK && fits) || !*out) return status;
    field_free(*out);
    *out = NULL;
    return status;
}
