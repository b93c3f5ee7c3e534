/* A field whose state has several parts, each with equal shares for the samples (a flow: z and log p), in
 * tiles: each part of y is an input of its own, and each part of dy an output. Constants with numbers for
 * each sample, such as the noise of an estimated divergence, are cut as well. */
#include "autodiff/batch.h"
#include "autodiff/tape_field.h"
#include "base/memory.h"

/* ---- a tape with parts for inputs ---- */

/* The part of y that the node is; -1: it is something else. */
static int part_of(const struct node *node, const struct field_parts *parts)
{
    int64_t first = 0;
    if (node->op != OP_SLICE) return -1;
    for (int k = 0; k < parts->n; first += parts->size[k++])
        if (node->attrs->v[0] == first && node->attrs->v[1] == 1 && node->attrs->v[2] == parts->size[k])
            return k;
    return -1;
}

/* Is the node the parts of dy, joined? */
static int joins_parts(const struct tape *t, const struct node *node, const struct field_parts *parts)
{
    int joins = node->op == OP_CAT && node->attrs->v[0] == 0 && node->n_in == parts->n;
    for (int k = 0; joins && k < parts->n; k++)
        joins = array_numel(tape_spec(t, node->in[k])) == parts->size[k];
    return joins;
}

static void copy_inputs(struct rewrite *r, const struct field_parts *parts, int *y)
{
    const struct tape *t = r->from;
    enum dtype dtype = tape_spec(t, t->inputs[1])->dtype;
    rewrite_copy(r, t->inputs[0]);
    for (int k = 0; k < parts->n; k++) y[k] = tape_input(r->to, dtype, 1, &parts->size[k]);
    for (int i = 2; i < t->n_inputs; i++) rewrite_copy(r, t->inputs[i]);
}

/* Returns whether the tape reads and makes parts alone. */
static int copy_nodes(struct rewrite *r, const struct field_parts *parts, const char *live, int dy,
                      struct rebatch_ends *ends, int *y, int *dys)
{
    const struct tape *t = r->from;
    if (!joins_parts(t, &t->nodes[dy], parts)) return 0;
    copy_inputs(r, parts, y);
    for (int i = 0; i < dy; i++) {
        const struct node *node = &t->nodes[i];
        int reads = 0;
        for (int j = 0; j < node->n_in; j++) reads |= node->in[j] == t->inputs[1];
        if (!live[i] || node->op == OP_INPUT) continue;
        if (!reads)
            rewrite_copy(r, i);
        else if (part_of(node, parts) >= 0)
            r->copy[i] = y[part_of(node, parts)];
        else
            return 0;
    }
    for (int k = 0; k < parts->n; k++) dys[k] = r->copy[t->nodes[dy].in[k]];
    *ends = (struct rebatch_ends){y, dys, parts->n, parts->n};
    return 1;
}

/* *out NULL: it is not made of parts. */
static enum status with_parts(struct tape **out, const struct tape *tape, const struct field_parts *parts,
                              int dy, struct rebatch_ends *ends, int *y, int *dys)
{
    struct rewrite r;
    *out = NULL;
    TRY(rewrite_begin(&r, tape));
    char *live = memory_zalloc((size_t)tape->n, 1);
    enum status status = live ? STATUS_OK : memory_status();
    if (live) tape_mark_live(tape, &dy, 1, live);
    if (live && copy_nodes(&r, parts, live, dy, ends, y, dys) && (status = tape_status(r.to)) == STATUS_OK)
        *out = tape_retain(r.to);
    tape_release(r.to);
    rewrite_end(&r);
    memory_free(live);
    return status;
}

/* ---- the field ---- */

/* Constants that were cut; 0: parameters are among them, whose gradient would be in pieces. */
static int note_entries(struct tape_field *f, const struct tape *t, const char *by_sample)
{
    f->n_entries = 0;
    for (int i = 0; i < t->n; i++) {
        if (!by_sample[i]) continue;
        const struct tensor *x = t->nodes[i].constant;
        if (t->nodes[i].op != OP_CONSTANT || f->n_entries == FIELD_PARTS || !array_is_contiguous(&x->array))
            return 0;
        f->entries[f->n_entries++] =
            (struct tape_entries){x->array.data, array_bytes(&x->array) / (size_t)f->base.parts.batch};
    }
    return 1;
}

static enum status cut_part(struct tape_field *f, struct tape_part *part, const struct tape *t,
                            const struct rebatch_ends *ends, int64_t rows, char *by_sample)
{
    TRY(tape_rebatch_parts(&part->tape, t, REBATCH_ANY, ends, f->base.parts.batch, rows, part->dy,
                           by_sample));
    if (part->tape && !note_entries(f, t, by_sample)) {
        tape_release(part->tape);
        part->tape = NULL;
    }
    return STATUS_OK;
}

static void describe(struct tape_field *f)
{
    const struct field_parts *parts = &f->base.parts;
    f->n_y = parts->n;
    for (int k = 0; k < parts->n; k++) {
        f->y_first[k] = k > 0 ? f->y_first[k - 1] + parts->size[k - 1] : 0;
        f->y_share[k] = parts->size[k] / parts->batch;
    }
}

enum status tape_parts_cut(struct tape_field *f, const struct tiling *cut)
{
    struct tape *t;
    struct rebatch_ends ends;
    int y[FIELD_PARTS], dys[FIELD_PARTS];
    TRY(with_parts(&t, f->simplified->body, &f->base.parts, f->simplified->outputs[0], &ends, y, dys));
    if (!t) return STATUS_OK;
    char *by_sample = memory_zalloc((size_t)t->n, 1);
    enum status status = by_sample ? STATUS_OK : memory_status();
    if (status == STATUS_OK) status = cut_part(f, &f->part[0], t, &ends, cut->rows, by_sample);
    if (status == STATUS_OK && f->part[0].tape && cut->rest > 0)
        status = cut_part(f, &f->part[1], t, &ends, cut->rest, by_sample);
    if (f->part[0].tape)
        describe(f);
    else
        f->n_entries = 0;
    tape_release(t);
    memory_free(by_sample);
    return status;
}
