/* Other fields that are made of a field from a tape, and what there is to read in it. */
#include "autodiff/batch.h"
#include "autodiff/tape_field.h"
#include "autodiff/vjp.h"
#include "base/memory.h"

/* An input like number i of another tape. */
static int same_input(struct tape *t, const struct tape *src, int i)
{
    const struct array *spec = tape_spec(src, src->inputs[i]);
    return tape_input(t, spec->dtype, spec->rank, spec->shape);
}

/* Inputs s, y, t0, t1, theta...; inputs[0] becomes t0 + s (t1 - t0). Returns t1 - t0. */
static int rescaled_inputs(struct tape *t, const struct tape *src, int *inputs)
{
    enum dtype time = tape_spec(src, src->inputs[0])->dtype;
    int s = emit_cast(t, same_input(t, src, 0), FLOAT64);
    inputs[1] = same_input(t, src, 1);
    int first = tape_input(t, FLOAT64, 0, NULL), last = tape_input(t, FLOAT64, 0, NULL);
    for (int i = 2; i < src->n_inputs; i++) inputs[i] = same_input(t, src, i);
    int size = emit2(t, OP_SUB, last, first);
    inputs[0] = emit_cast(t, emit2(t, OP_ADD, first, emit2(t, OP_MUL, s, size)), time);
    return size;
}

enum status tape_field_rescaled(const struct field *self, struct field **out)
{
    const struct tape_field *field = (const struct tape_field *)self;
    const struct tape *src = field->source;
    struct tape *t = NULL;
    int f, size, *inputs = memory_alloc((size_t)src->n_inputs * sizeof *inputs);
    if (!inputs) return memory_status();
    enum status status = tape_new(&t, NULL);
    if (status == STATUS_OK) {
        size = rescaled_inputs(t, src, inputs);
        status = tape_inline_outputs(t, src, inputs, &field->source_dy, 1, &f);
    }
    if (status == STATUS_OK) {
        int64_t rows = self->batch > 1 ? self->batch : 1; /* its derivative is to be cut into samples */
        int dy = emit_reshape(t, f, 2, (int64_t[]){rows, self->n / rows});
        dy = emit2(t, OP_MUL, dy, emit_cast(t, size, self->dtype));
        dy = emit_reshape(t, dy, 1, &self->n);
        status = field_from_tape(out, t, dy, self->batch);
    }
    if (status == STATUS_OK) (*out)->parts = self->parts;
    tape_release(t);
    memory_free(inputs);
    return status;
}

enum status tape_field_emit(const struct field *self, struct tape *tape, int t, int y, const int *theta,
                            int *dy)
{
    const struct tape_field *field = (const struct tape_field *)self;
    const struct tape *src = field->source;
    int *inputs = memory_alloc((size_t)src->n_inputs * sizeof *inputs);
    if (!inputs) return memory_status();
    inputs[0] = emit_cast(tape, t, tape_spec(src, src->inputs[0])->dtype);
    inputs[1] = y;
    for (int i = 2; i < src->n_inputs; i++) inputs[i] = theta[i - 2];
    enum status status = tape_inline_outputs(tape, src, inputs, &field->source_dy, 1, dy);
    memory_free(inputs);
    return status;
}

/* Parts that are not recorded may lack derivatives. */
int tape_field_can(const struct field *self, enum field_work work)
{
    const struct tape *t = ((const struct tape_field *)self)->source;
    int along = work == FIELD_JVP || work == FIELD_RATE;
    for (int i = 0; i < t->n && work != FIELD_EVAL && work != FIELD_EVAL_KEEP; i++) {
        if (t->nodes[i].op != OP_CUSTOM) continue;
        const struct custom *custom = (const struct custom *)t->nodes[i].attrs->object;
        if (custom->differentiable && !custom->differentiable(custom, along)) return 0;
    }
    return 1;
}

/* Parameter i of a field that is cut, which is node `node` of the tape. */
static enum status source_of(const struct tape_field *f, int64_t rows, int node, int i, int by_sample,
                             int gather, struct field_source *out)
{
    const struct node *x = &f->source->nodes[node];
    int64_t batch = by_sample ? f->base.batch : 0,
            n = by_sample ? array_numel(&x->spec) / batch * rows : array_numel(&x->spec);
    *out = (struct field_source){.parameter = x->op == OP_INPUT ? i : -1,
                                 .constant = x->op == OP_INPUT ? NULL : x->constant,
                                 .used = by_sample,
                                 .n = dtype_is_float(x->spec.dtype) ? n : 0,
                                 .batch = batch,
                                 .share = by_sample ? (size_t)(n / rows) * dtype_size(x->spec.dtype) : 0};
    int neighbours = !out->constant || array_is_contiguous(&out->constant->array);
    if (!by_sample || (neighbours && !gather)) return STATUS_OK;
    return (out->room = memory_alloc((size_t)rows * out->share)) ? STATUS_OK : memory_status();
}

/* by_sample: flags of the nodes that were cut. */
enum status tape_field_sources(const struct tape_field *f, const struct tape *cut, const char *by_sample,
                               int gather, struct field *out)
{
    const struct tape *t = f->source;
    struct field_source *s = out->sources = memory_zalloc((size_t)cut->n_inputs, sizeof *s);
    if (!s) return memory_status();
    for (int i = 2; i < t->n_inputs; i++, out->n_sources++)
        TRY(source_of(f, out->independent, t->inputs[i], i - 2, by_sample[t->inputs[i]], gather, &s[i - 2]));
    for (int i = 0; i < t->n; i++)
        if (t->nodes[i].op == OP_CONSTANT && by_sample[i])
            TRY(source_of(f, out->independent, i, -1, 1, gather, &s[out->n_sources++]));
    for (int i = 0; i < cut->n; i++)
        for (int j = 0; j < cut->nodes[i].n_in; j++)
            for (int k = 0; k < out->n_sources; k++) s[k].used |= cut->inputs[2 + k] == cut->nodes[i].in[j];
    return STATUS_OK;
}

enum status tape_field_cut(const struct field *self, int64_t rows, int by_sample, struct field **out)
{
    const struct tape_field *f = (const struct tape_field *)self;
    struct tape *tape = NULL;
    int dy = f->source_dy;
    char *flags = memory_zalloc((size_t)f->source->n, 1);
    enum status status = flags ? STATUS_OK : memory_status();
    if (status == STATUS_OK && rows == self->batch)
        tape = tape_retain(f->source);
    else if (status == STATUS_OK)
        status = tape_rebatch(&tape, f->source, REBATCH_ANY, f->source->inputs[1], self->batch, rows,
                              f->source_dy, &dy, by_sample ? flags : NULL);
    if (tape) status = field_from_tape(out, tape, dy, 0);
    if (*out) (*out)->independent = rows;
    if (*out && by_sample) status = tape_field_sources(f, tape, flags, 0, *out);
    tape_release(tape);
    memory_free(flags);
    if (status == STATUS_OK || !*out) return status;
    field_free(*out);
    *out = NULL;
    return status;
}

void tape_field_cost(const struct field *self, struct field_cost *out)
{
    tape_cost(((const struct tape_field *)self)->source, self->batch, out);
}

int field_same_parameters(const struct field *a, const struct field *b)
{
    const struct staged *s[2] = {((const struct tape_field *)a)->simplified,
                                 ((const struct tape_field *)b)->simplified};
    const struct tape *t[2] = {s[0]->body, s[1]->body};
    int same = s[0]->n_fixed == s[1]->n_fixed;
    for (int i = 0; same && i < s[0]->n_fixed; i++) {
        const struct array *x = tape_spec(t[0], t[0]->inputs[2 + i]),
                           *y = tape_spec(t[1], t[1]->inputs[2 + i]);
        same = s[0]->source[i] == s[1]->source[i] && x->dtype == y->dtype && array_same_shape(x, y);
    }
    return same;
}

enum status tape_field_explain(struct field *self, enum field_work work, struct field_plan *out)
{
    struct tape_field *f = (struct tape_field *)self;
    const struct tape_part *part = &f->part[0];
    const struct program *program = f->lanes ? f->lanes[0].program[0][work] : NULL;
    *out = (struct field_plan){.tape = f->source,
                               .dy = f->source_dy,
                               .parameters = f->simplified,
                               .own = part->own,
                               .program = program,
                               .n_y = f->n_y,
                               .n_entries = f->n_entries,
                               .n_kept = work == FIELD_EVAL_KEEP || work == FIELD_VJP_KEPT ? part->n_kept : 0,
                               .rows = f->tiles.cut.rows,
                               .n_tiles = f->tiles.cut.n};
    if (program) out->n_given = program_n_inputs(program) - part->own->n_fixed;
    return STATUS_OK;
}
