/* Tangent equations of a field made from a tape, and what events do to their pairs of y and v. */
#include "autodiff/tape_field.h"
#include "autodiff/vjp.h"
#include "base/memory.h"

/* Half `which` of a flat pair of n numbers each, or of such a pair for each sample. */
static int half(struct tape *t, int pair, int64_t n, int64_t samples, int which)
{
    int64_t share = n / samples;
    if (samples == 1) return emit_slice_flat(t, pair, which * n, n);
    int matrix = emit_reshape(t, pair, 2, (int64_t[]){samples, 2 * share});
    struct attrs columns = {.n = 6, .v = {0, 1, samples, which * share, 1, share}};
    return emit_reshape(t, tape_emit(t, OP_SLICE, &columns, &matrix, 1), 1, &n);
}

static int pair_up(struct tape *t, int first, int second, int64_t n, int64_t samples)
{
    int in[2] = {first, second}, by_sample = samples > 1;
    int64_t shape[2] = {samples, n / samples}, flat = 2 * n;
    for (int i = 0; by_sample && i < 2; i++) in[i] = emit_reshape(t, in[i], 2, shape);
    int pair = tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {by_sample}}, in, 2);
    return by_sample ? emit_reshape(t, pair, 1, &flat) : pair;
}

/* Inputs of the tangent's tape: t, the pair, theta..., then u for each float theta; x, v: what the derivative
 * is by, and its direction. */
static int tangent_inputs(struct tape *t, const struct tape *src, int64_t samples, int *inputs, int *x,
                          int *v)
{
    struct array y = *tape_spec(src, src->inputs[1]);
    int n_theta = src->n_inputs - 2, count = 0;
    inputs[0] = tape_input(t, tape_spec(src, src->inputs[0])->dtype, 0, NULL);
    int pair = tape_input(t, y.dtype, 1, (int64_t[]){2 * y.shape[0]});
    for (int i = 0; i < n_theta; i++) {
        const struct array *spec = tape_spec(src, src->inputs[2 + i]);
        inputs[2 + i] = tape_input(t, spec->dtype, spec->rank, spec->shape);
    }
    inputs[1] = emit1(t, OP_ALIAS, half(t, pair, y.shape[0], samples, 0));
    x[count] = inputs[1];
    v[count++] = half(t, pair, y.shape[0], samples, 1);
    for (int i = 0; i < n_theta; i++) {
        const struct array *spec = tape_spec(src, src->inputs[2 + i]);
        if (!dtype_is_float(spec->dtype)) continue;
        x[count] = inputs[2 + i];
        v[count++] = tape_input(t, spec->dtype, spec->rank, spec->shape);
    }
    return count;
}

enum status tape_field_tangent(const struct field *self, int64_t samples, struct field **out)
{
    const struct tape_field *field = (const struct tape_field *)self;
    const struct tape *src = field->source;
    struct tape *t = NULL;
    int f, fdot, *inputs = memory_alloc((size_t)(3 * src->n_inputs + 3) * sizeof *inputs);
    if (!inputs) return memory_status();
    int *x = inputs + src->n_inputs, *v = x + src->n_inputs + 1;
    enum status status = tape_new(&t, NULL);
    if (status == STATUS_OK) {
        int count = tangent_inputs(t, src, samples, inputs, x, v);
        status = tape_inline_outputs(t, src, inputs, &field->source_dy, 1, &f);
        if (status == STATUS_OK) status = tape_jvp(t, &f, 1, x, v, count, &fdot);
    }
    if (status == STATUS_OK) {
        int dy = pair_up(t, f, fdot, self->n, samples);
        status = field_from_tape(out, t, dy, samples);
    }
    tape_release(t);
    memory_free(inputs);
    return status;
}

/* ---- events ---- */

/* A tape of pairs in the making: what a derivative is by, and its direction. */
struct pairs {
    struct tape *t;
    const struct tape *src; /* of the field */
    int64_t n;
    int *inputs, *x, *v, count;
};

static enum status pairs_begin(struct pairs *p, const struct tape_field *f)
{
    *p = (struct pairs){.src = f->source, .n = f->base.n};
    int n = p->src->n_inputs;
    if (!(p->inputs = memory_alloc((size_t)(3 * n + 5) * sizeof *p->inputs))) return memory_status();
    p->x = p->inputs + n;
    p->v = p->x + n + 2;
    TRY(tape_new(&p->t, NULL));
    p->count = tangent_inputs(p->t, p->src, 1, p->inputs, p->x, p->v);
    return tape_status(p->t);
}

static enum status pairs_end(struct pairs *p, enum status status, int out, struct field **field)
{
    if (status == STATUS_OK) status = tape_status(p->t);
    if (status == STATUS_OK) status = field_from_tape(field, p->t, out, 0);
    tape_release(p->t);
    memory_free(p->inputs);
    return status;
}

/* What a field of the same parameters gives at a state. */
static enum status emit_field(const struct pairs *p, const struct field *field, int y, int *out)
{
    const struct tape_field *f = (const struct tape_field *)field;
    int own = p->inputs[1];
    if (f->source->n_inputs != p->src->n_inputs)
        return status_set(STATUS_UNSUPPORTED, "the functions of an event have parameters of their own");
    p->inputs[1] = y;
    enum status status = tape_inline_outputs(p->t, f->source, p->inputs, &f->source_dy, 1, out);
    p->inputs[1] = own;
    return status;
}

/* dt, by which the zero of number i of g moves: its constraint differentiated along the solution. */
static enum status emit_shift(const struct pairs *p, const struct field *g, int i, int slope, int *dt)
{
    struct tape *t = p->t;
    int all, along, rate, y[2] = {p->inputs[0], p->inputs[1]};
    TRY(emit_field(p, g, p->inputs[1], &all));
    int one = tape_literal(t, tape_spec(t, y[0])->dtype, 1), value = emit_slice_flat(t, all, i, 1);
    TRY(tape_jvp(t, &value, 1, p->x, p->v, p->count, &along));
    TRY(tape_jvp(t, &value, 1, y, (int[]){one, slope}, 2, &rate));
    *dt = emit1(t, OP_NEG, emit2(t, OP_DIV, along, rate));
    return tape_status(t);
}

/* The pair behind: v is that of the solutions at the time of the event, moved to where the event is of each,
 * through apply, and back along what comes behind. */
static enum status emit_jump(struct pairs *p, const struct field *f, const struct field *g, int i,
                             const struct field *apply, int *pair)
{
    struct tape *t = p->t;
    int y = p->inputs[1], before, after, behind, dt, moved;
    TRY(emit_field(p, f, y, &before));
    TRY(emit_field(p, apply, y, &behind));
    TRY(emit_field(p, f, behind, &after));
    TRY(emit_shift(p, g, i, before, &dt));
    enum dtype time = tape_spec(t, p->inputs[0])->dtype;
    int h = emit_cast(t, dt, f->dtype), v = p->v[0];
    p->v[0] = emit2(t, OP_ADD, v, emit2(t, OP_MUL, before, h));
    p->x[p->count] = p->inputs[0];
    p->v[p->count] = emit_reshape(t, emit_cast(t, dt, time), 0, (int64_t[]){1});
    TRY(tape_jvp(t, &behind, 1, p->x, p->v, p->count + 1, &moved));
    p->v[0] = v;
    int back = emit2(t, OP_SUB, moved, emit2(t, OP_MUL, after, h));
    *pair = pair_up(t, behind, back, p->n, 1);
    return tape_status(t);
}

enum status field_tangent_jump(const struct field *f, const struct field *g, int i, const struct field *apply,
                               struct field **out)
{
    struct pairs p;
    int pair = -1;
    enum status status = pairs_begin(&p, (const struct tape_field *)f);
    if (status == STATUS_OK) status = emit_jump(&p, f, g, i, apply, &pair);
    return pairs_end(&p, status, pair, out);
}

enum status field_of_pairs(const struct field *f, const struct field *g, struct field **out)
{
    struct pairs p;
    int values = -1;
    enum status status = pairs_begin(&p, (const struct tape_field *)f);
    if (status == STATUS_OK) status = emit_field(&p, g, p.inputs[1], &values);
    return pairs_end(&p, status, values, out);
}
