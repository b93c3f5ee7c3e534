/* A field made from a tape, of several samples abreast: each at a time of its own, with the bits that it has
 * alone.
 *
 * The batch is cut to so many samples by ops that promise as much (OP_ALIKE), and then simplified as that of
 * one sample is: the two are compared op by op, because rules look at shapes. In what is left t becomes a
 * column. Products are summed in the order of one row (`product_alike`), so they have to be small enough for
 * the engine's own loops. */
#include "autodiff/batch.h"
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

static int products_fit(const struct tape *t)
{
    int fit = 1;
    for (int i = 0; i < t->n; i++)
        if (t->nodes[i].op == OP_MATMUL)
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

static enum status make_ready(struct tape_field *f, const struct tape_field *alone, int *fits)
{
    struct tiling whole = {0, f->abreast, 0, 1};
    TRY(tape_field_begin(f, FIELD_MASK(FIELD_EVAL)));
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
    *fits = products_fit(f->part[0].own->body) && setup_fits(f->part[0].own->split.setup) &&
            setup_fits(s->split.setup);
    return STATUS_OK;
}

static enum status make(const struct tape_field *f, int64_t rows, const struct field *alone, char *by_sample,
                        struct field **out, int *fits)
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
    return status == STATUS_OK ? make_ready((struct tape_field *)*out, (const struct tape_field *)alone, fits)
                               : status;
}

enum status tape_field_abreast(const struct field *self, int64_t rows, const struct field *alone,
                               struct field **out)
{
    const struct tape_field *f = (const struct tape_field *)self;
    int fits = 0;
    char *by_sample = memory_zalloc((size_t)f->source->n, 1);
    enum status status = by_sample ? make(f, rows, alone, by_sample, out, &fits) : memory_status();
    memory_free(by_sample);
    if ((status == STATUS_OK && fits) || !*out) return status;
    field_free(*out);
    *out = NULL;
    return status;
}
