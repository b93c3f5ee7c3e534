/* Tangent equations of a field made from a tape, and what events do to their pairs of y and v. */
#include "autodiff/tape_field.h"
#include "autodiff/vjp.h"
#include "base/memory.h"

/* A tape of pairs in the making: what a derivative is by, and its direction. */
struct pairs {
    struct tape *t;
    const struct tape *src; /* of the field */
    int64_t n, samples;
    int *inputs; /* t, y, theta... */
    int *x, *v, count;
    int z; /* -1: there is none */
};

/* Columns of the pairs, which have a row for each sample. */
static int columns(const struct pairs *p, int pair, int64_t width, int64_t first, int64_t count)
{
    int64_t rows = p->samples, flat = rows * count;
    if (rows == 1) return emit_slice_flat(p->t, pair, first, count);
    int matrix = emit_reshape(p->t, pair, 2, (int64_t[]){rows, width});
    struct attrs slice = {.n = 6, .v = {0, 1, rows, first, 1, count}};
    return emit_reshape(p->t, tape_emit(p->t, OP_SLICE, &slice, &matrix, 1), 1, &flat);
}

/* y, v, z as pairs. */
static int pair_up(const struct pairs *p, int y, int v, int z)
{
    struct tape *t = p->t;
    int in[3] = {y, v, z}, n = z < 0 ? 2 : 3, by_sample = p->samples > 1;
    int64_t flat = 2 * p->n + (z < 0 ? 0 : p->samples);
    for (int i = 0; by_sample && i < n; i++)
        in[i] = emit_reshape(t, in[i], 2, (int64_t[]){p->samples, i < 2 ? p->n / p->samples : 1});
    int pair = tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {by_sample}}, in, n);
    return by_sample ? emit_reshape(t, pair, 1, &flat) : pair;
}

/* Inputs of the tangent's tape: t, the pairs, theta..., then u for each float theta. */
static void tangent_inputs(struct pairs *p, int mark)
{
    struct tape *t = p->t;
    const struct tape *src = p->src;
    int64_t share = p->n / p->samples, width = 2 * share + mark;
    int n_theta = src->n_inputs - 2, *inputs = p->inputs;
    inputs[0] = tape_input(t, tape_spec(src, src->inputs[0])->dtype, 0, NULL);
    int pair =
        tape_input(t, tape_spec(src, src->inputs[1])->dtype, 1, (int64_t[]){2 * p->n + mark * p->samples});
    for (int i = 0; i < n_theta; i++) {
        const struct array *spec = tape_spec(src, src->inputs[2 + i]);
        inputs[2 + i] = tape_input(t, spec->dtype, spec->rank, spec->shape);
    }
    inputs[1] = emit1(t, OP_ALIAS, columns(p, pair, width, 0, share));
    p->z = mark ? columns(p, pair, width, 2 * share, 1) : -1;
    p->x[p->count] = inputs[1];
    p->v[p->count++] = columns(p, pair, width, share, share);
    for (int i = 0; i < n_theta; i++) {
        const struct array *spec = tape_spec(src, src->inputs[2 + i]);
        if (!dtype_is_float(spec->dtype)) continue;
        p->x[p->count] = inputs[2 + i];
        p->v[p->count++] = tape_input(t, spec->dtype, spec->rank, spec->shape);
    }
}

static enum status pairs_begin(struct pairs *p, const struct field *field, struct field_pairs pairs)
{
    const struct tape_field *f = (const struct tape_field *)field;
    *p = (struct pairs){.src = f->source, .n = field->n, .samples = pairs.samples};
    int n = p->src->n_inputs;
    if (!(p->inputs = memory_alloc((size_t)(3 * n) * sizeof *p->inputs))) return memory_status();
    p->x = p->inputs + n;
    p->v = p->x + n;
    TRY(tape_new(&p->t, NULL));
    tangent_inputs(p, pairs.mark);
    return tape_status(p->t);
}

static enum status pairs_end(struct pairs *p, enum status status, int out, struct field **field)
{
    if (status == STATUS_OK) status = tape_status(p->t);
    if (status == STATUS_OK) status = field_from_tape(field, p->t, out, p->samples);
    tape_release(p->t);
    memory_free(p->inputs);
    return status;
}

/* What a field of the same parameters gives at y. */
static enum status emit_at(const struct pairs *p, const struct field *field, int y, int *out)
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

enum status tape_field_tangent(const struct field *self, struct field_pairs pairs, struct field **out)
{
    struct pairs p;
    int f, fdot, pair = -1;
    enum status status = pairs_begin(&p, self, pairs);
    if (status == STATUS_OK) status = emit_at(&p, self, p.inputs[1], &f);
    if (status == STATUS_OK) status = tape_jvp(p.t, &f, 1, p.x, p.v, p.count, &fdot);
    if (status == STATUS_OK) {
        int rest = p.z < 0 ? -1 : emit2(p.t, OP_MUL, p.z, emit_like(p.t, p.z, 0));
        pair = pair_up(&p, f, fdot, rest);
    }
    return pairs_end(&p, status, pair, out);
}

/* ---- events ---- */

/* x of all samples, times a number of each. */
static int scaled(const struct pairs *p, int x, int64_t n, int by)
{
    int64_t rows = p->samples;
    int matrix = emit_reshape(p->t, x, 2, (int64_t[]){rows, n / rows}),
        column = emit_reshape(p->t, by, 2, (int64_t[]){rows, 1});
    return emit_reshape(p->t, emit2(p->t, OP_MUL, matrix, column), 1, &n);
}

/* The times by which the zeros move, one of each sample: its constraint differentiated along the solution,
 * whose slope is given. */
static enum status emit_shift(const struct pairs *p, const struct field_event *e, int slope, int *dt)
{
    struct tape *t = p->t;
    int64_t rows = p->samples, rules = e->rules;
    int all, along, rate, y[2] = {p->inputs[0], p->inputs[1]};
    TRY(emit_at(p, e->g, p->inputs[1], &all));
    struct attrs column = {.n = 6, .v = {0, 1, rows, e->i, 1, 1}};
    int matrix = emit_reshape(t, all, 2, (int64_t[]){rows, rules});
    int one = tape_literal(t, tape_spec(t, y[0])->dtype, 1),
        value = emit_reshape(t, tape_emit(t, OP_SLICE, &column, &matrix, 1), 1, &rows);
    TRY(tape_jvp(t, &value, 1, p->x, p->v, p->count, &along));
    TRY(tape_jvp(t, &value, 1, y, (int[]){one, slope}, 2, &rate));
    *dt = emit1(t, OP_NEG, emit2(t, OP_DIV, along, rate));
    return tape_status(t);
}

/* 0 t y, whose derivative by t is a 0 for each sample. */
static int no_time(const struct pairs *p, enum dtype dtype)
{
    struct tape *t = p->t;
    int nothing = emit2(t, OP_MUL, emit_cast(t, p->inputs[0], dtype), tape_literal(t, dtype, 0)),
        matrix = emit_reshape(t, p->inputs[1], 2, (int64_t[]){p->samples, p->n / p->samples});
    return emit_reshape(t, emit2(t, OP_MUL, matrix, nothing), 1, &p->n);
}

/* v of y where the event is of each solution, behind apply; h: by what that moves, in y's dtype. */
static enum status emit_moved(struct pairs *p, const struct field_event *e, int behind, int slope, int h,
                              int *moved)
{
    struct tape *t = p->t;
    int by_time, one = tape_literal(t, tape_spec(t, p->inputs[0])->dtype, 1);
    p->v[0] = *moved = emit2(t, OP_ADD, p->v[0], scaled(p, slope, p->n, h));
    if (!e->apply) return tape_status(t);
    TRY(tape_jvp(t, &behind, 1, p->x, p->v, p->count, moved));
    if (p->samples > 1) behind = emit2(t, OP_ADD, behind, no_time(p, e->f->dtype));
    TRY(tape_jvp(t, &behind, 1, p->inputs, &one, 1, &by_time));
    *moved = emit2(t, OP_ADD, *moved, scaled(p, by_time, p->n, h));
    return tape_status(t);
}

/* v is that of the solutions at the time of the event, moved to where the event is of each solution, through
 * apply, and back along what comes behind. */
static enum status emit_jump(struct pairs *p, const struct field_event *e, enum field_end end, int *pair)
{
    struct tape *t = p->t;
    int before, after, behind = p->inputs[1], dt, v;
    TRY(emit_at(p, e->f, behind, &before));
    if (e->apply) TRY(emit_at(p, e->apply, behind, &behind));
    TRY(emit_shift(p, e, before, &dt));
    int h = emit_cast(t, dt, e->f->dtype);
    TRY(emit_moved(p, e, behind, before, h, &v));
    if (end == FIELD_GOES_ON) {
        TRY(emit_at(p, e->f, behind, &after));
        v = emit2(t, OP_SUB, v, scaled(p, after, p->n, h));
    }
    int ended = end == FIELD_ENDS ? emit2(t, OP_ADD, p->z, emit_like(t, p->z, 1)) : h;
    *pair = pair_up(p, behind, v, end == FIELD_GOES_ON ? p->z : ended);
    return tape_status(t);
}

enum status field_tangent_jump(const struct field_event *e, struct field_pairs pairs, enum field_end end,
                               struct field **out)
{
    struct pairs p;
    int pair = -1;
    enum status status = pairs_begin(&p, e->f, pairs);
    if (status == STATUS_OK) status = emit_jump(&p, e, end, &pair);
    return pairs_end(&p, status, pair, out);
}

enum status field_of_pairs(const struct field_event *e, struct field_pairs pairs, struct field **out)
{
    struct pairs p;
    int values = -1;
    enum status status = pairs_begin(&p, e->f, pairs);
    if (status == STATUS_OK) status = emit_at(&p, e->g, p.inputs[1], &values);
    return pairs_end(&p, status, values, out);
}
