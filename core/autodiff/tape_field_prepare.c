/* A field made from a tape is made ready to run: simplified, cut into tiles, with programs for each lane. */
#include <string.h>

#include "autodiff/batch.h"
#include "autodiff/tape_field.h"
#include "autodiff/vjp.h"
#include "base/memory.h"

/* ---- the field and its parameters ---- */

/* The simplified tape, what it takes from the parameters split off. */
static enum status simplify(struct tape_field *f)
{
    struct tape *simple;
    int dy;
    char *varies = memory_zalloc((size_t)f->source->n_inputs, 1);
    if (!varies) return memory_status();
    varies[0] = varies[1] = 1;
    enum status status = tape_simplify(&simple, f->source, f->source_dy, &dy);
    if (status == STATUS_OK) {
        status = staged_new(&f->simplified, simple, varies, &dy, 1, 0);
        tape_release(simple);
    }
    memory_free(varies);
    return status;
}

static int reads_time(const struct tape_field *f)
{
    const struct tape *body = f->simplified->body;
    char *live = memory_zalloc((size_t)body->n, 1);
    int reads = live == NULL;
    if (live) tape_mark_live(body, f->simplified->outputs, 1, live);
    for (int i = 0; i < body->n && !reads; i++)
        for (int j = 0; live[i] && j < body->nodes[i].n_in; j++)
            reads |= body->nodes[i].in[j] == body->inputs[0];
    memory_free(live);
    return reads;
}

/* Float parameters of the body have gradients, but for those that follow from constants alone, which a field
 * that was cut by samples gets as its parameters (field.sources). */
static enum status mark_theta(struct tape_field *f)
{
    enum { PARAMETER = 1, CONSTANT = 2 };
    const struct tape *body = f->simplified->body, *setup = f->simplified->split.setup;
    f->theta = memory_zalloc((size_t)f->n_inputs, 1);
    char *from = memory_zalloc((size_t)setup->n + 1, 1);
    for (int i = 0; from && i < setup->n_inputs; i++)
        from[setup->inputs[i]] =
            i < f->base.n_sources && f->base.sources[i].parameter < 0 ? CONSTANT : PARAMETER;
    for (int i = 0; from && i < setup->n; i++)
        for (int j = 0; j < setup->nodes[i].n_in; j++) from[i] |= from[setup->nodes[i].in[j]];
    for (int i = 2; f->theta && from && i < f->n_inputs; i++)
        f->theta[i] = dtype_is_float(tape_spec(body, body->inputs[i])->dtype) &&
                      from[f->simplified->split.results[i - 2]] != CONSTANT;
    memory_free(from);
    return f->theta && from ? STATUS_OK : memory_status();
}

static enum status describe_parameters(struct tape_field *f)
{
    const struct tape *body = f->simplified->body, *setup = f->simplified->split.setup;
    f->n_inputs = body->n_inputs;
    f->time_dtype = tape_spec(body, body->inputs[0])->dtype;
    f->base.autonomous = !reads_time(f);
    f->theta_offset = memory_zalloc((size_t)f->n_inputs, sizeof *f->theta_offset);
    f->given = memory_zalloc((size_t)setup->n_inputs + 1, sizeof *f->given);
    f->theta_inputs = memory_zalloc((size_t)(setup->n_inputs + f->n_inputs), sizeof *f->theta_inputs);
    f->theta_outputs = memory_zalloc((size_t)setup->n_inputs + 1, sizeof *f->theta_outputs);
    if (!f->theta_offset || !f->given || !f->theta_inputs || !f->theta_outputs) return memory_status();
    TRY(mark_theta(f));
    for (int i = 2; i < f->n_inputs; i++) {
        if (!f->theta[i]) continue;
        f->theta_offset[f->n_float++] = f->base.n_theta * (int64_t)dtype_size(f->base.dtype);
        f->base.n_theta += array_numel(tape_spec(body, body->inputs[i]));
    }
    if ((f->base.by_time = (f->works & FIELD_BY_TIME) != 0))
        f->theta_offset[f->n_float++] = f->base.n_theta++ * (int64_t)dtype_size(f->base.dtype);
    return STATUS_OK;
}

/* ---- tiles ---- */

static enum status cut_part(struct tape_field *f, struct tape_part *part, int64_t rows)
{
    const struct staged *s = f->simplified;
    return tape_rebatch(&part->tape, s->body, REBATCH_ANY, s->body->inputs[1], f->base.batch, rows,
                        s->outputs[0], part->dy, NULL);
}

/* Of a state that has parts, cut into tiles. */
#define PARTED_WORKS (FIELD_MASK(FIELD_EVAL) | FIELD_KEEPING | FIELD_VJPS | FIELD_BY_TIME)

/* Samples that know of each other are not cut. */
static enum status choose_tiles(struct tape_field *f)
{
    struct tape *body = f->simplified->body;
    int64_t batch = f->base.batch;
    struct tiling cut = tiling_whole(batch);
    struct field_cost cost;
    if (batch > 1 && f->base.n % batch == 0) {
        tape_cost(body, batch, &cost);
        cut = tiling_of_evaluation(batch, &cost);
    }
    if (cut.n > 1) TRY(cut_part(f, &f->part[0], cut.rows));
    if (f->part[0].tape && cut.rest > 0) TRY(cut_part(f, &f->part[1], cut.rest));
    f->n_y = 1;
    f->y_share[0] = f->part[0].tape ? f->base.n / batch : f->base.n;
    if (cut.n == 1 && f->base.parts.n > 1 && (f->works & ~PARTED_WORKS) == 0) {
        tape_cost(body, f->base.parts.batch, &cost);
        cut = tiling_of_parts(f->base.parts.batch, &cost);
        if (cut.n > 1) TRY(tape_parts_cut(f, &cut));
    }
    if (!f->part[0].tape) {
        cut = tiling_whole(batch);
        f->part[0] = (struct tape_part){.tape = tape_retain(body), .dy = {f->simplified->outputs[0]}};
    }
    tiles_begin(&f->tiles, cut);
    return tiles_reserve(&f->tiles, f->base.n_theta, f->base.dtype);
}

/* The lists have room for the arguments of either part. */
static enum status make_lane(const struct tape_field *f, struct tape_lane *lane)
{
    int most = 0;
    for (int k = 0; k < 2 && f->part[k].own; k++) {
        int n = 6 + 2 * f->n_y + f->n_entries + f->part[k].n_kept + f->part[k].own->n_fixed;
        most = n > most ? n : most;
        for (enum field_work work = 0; work < FIELD_WORKS; work++)
            if (f->works & FIELD_MASK(work))
                TRY(tape_part_program(&f->part[k], f, work, &lane->program[k][work]));
    }
    lane->inputs = memory_alloc((size_t)most * sizeof *lane->inputs);
    lane->outputs = memory_alloc((size_t)(f->n_float + most) * sizeof *lane->outputs);
    return lane->inputs && lane->outputs ? STATUS_OK : memory_status();
}

static enum status make_lanes(struct tape_field *f)
{
    if (!(f->lanes = memory_zalloc((size_t)f->tiles.n_lanes, sizeof *f->lanes))) return memory_status();
    for (int64_t i = 0; i < f->tiles.n_lanes; i++) TRY(make_lane(f, &f->lanes[i]));
    return STATUS_OK;
}

/* ---- the gradient of the parameters bound ---- */

/* The vjp of the setup: inputs theta..., the gradients of its float results; outputs the gradients of the
 * float theta. */
static enum status make_theta_vjp(struct tape_field *f)
{
    const struct tape *setup = f->simplified->split.setup;
    const int *results = f->simplified->split.results;
    int n = setup->n_inputs, n_y = 0, n_wrt = 0,
        *nodes = memory_alloc((size_t)(3 * n + 3 * f->simplified->n_fixed + 1) * sizeof *nodes);
    if (!nodes) return memory_status();
    int *inputs = nodes, *wrt = inputs + n, *gradients = wrt + n, *wanted = gradients + n,
        *y = wanted + f->simplified->n_fixed;
    int *ybar = y + f->simplified->n_fixed;
    struct tape *t;
    enum status status = tape_new(&t, NULL);
    if (status != STATUS_OK) {
        memory_free(nodes);
        return status;
    }
    for (int i = 0; i < n; i++) {
        const struct array *spec = tape_spec(setup, setup->inputs[i]);
        inputs[i] = tape_input(t, spec->dtype, spec->rank, spec->shape);
        if (dtype_is_float(spec->dtype)) wrt[n_wrt++] = inputs[i];
    }
    for (int i = 0; i < f->simplified->n_fixed; i++)
        if (f->theta[2 + i]) wanted[n_y++] = results[i];
    status = tape_inline_outputs(t, setup, inputs, wanted, n_y, y);
    for (int i = 0; i < n_y && status == STATUS_OK; i++) {
        struct array spec = *tape_spec(setup, wanted[i]);
        ybar[i] = emit_cast(t, tape_input(t, f->base.dtype, spec.rank, spec.shape), spec.dtype);
    }
    if (status == STATUS_OK) status = tape_vjp(t, y, ybar, n_y, wrt, n_wrt, gradients);
    for (int i = 0; i < n_wrt && status == STATUS_OK; i++)
        gradients[i] = emit_cast(t, gradients[i], f->base.dtype);
    if (status == STATUS_OK) status = tape_status(t);
    if (status == STATUS_OK) status = program_new(&f->theta_vjp, t, gradients, n_wrt);
    tape_release(t);
    memory_free(nodes);
    return status;
}

/* ---- all of it ---- */

enum status tape_field_begin(struct tape_field *f, unsigned works)
{
    f->works = works;
    TRY(simplify(f));
    return describe_parameters(f);
}

enum status tape_field_finish(struct tape_field *f)
{
    unsigned works = f->works;
    for (int k = 0; k < 2 && f->part[k].tape; k++) TRY(tape_part_make(&f->part[k], f, works));
    f->base.kept_bytes = f->part[0].kept_bytes * f->tiles.cut.n;
    if (f->part[0].n_kept == 0) f->works &= ~FIELD_KEEPING;
    TRY(make_lanes(f));
    if (works & FIELD_VJPS) TRY(make_theta_vjp(f));
    f->works |= works; /* also those that keep nothing: they are never asked for */
    return STATUS_OK;
}

static enum status make_all(struct tape_field *f, unsigned works)
{
    TRY(tape_field_begin(f, works));
    TRY(choose_tiles(f));
    return tape_field_finish(f);
}

enum status tape_field_prepare(struct field *self, unsigned works)
{
    struct tape_field *f = (struct tape_field *)self;
    if (works & FIELD_MASK(FIELD_EVAL_KEEP)) works |= FIELD_MASK(FIELD_VJP_KEPT);
    if (f->lanes && (works & ~f->works) == 0) return STATUS_OK;
    works |= f->works | FIELD_MASK(FIELD_EVAL);
    tape_field_unprepare(f);
    enum status status = make_all(f, works);
    if (status != STATUS_OK) tape_field_unprepare(f);
    return status;
}

static void release_lane(struct tape_lane *lane)
{
    for (int work = 0; work < 2 * FIELD_WORKS; work++)
        program_free(lane->program[work / FIELD_WORKS][work % FIELD_WORKS]);
    memory_free(lane->inputs);
    memory_free(lane->outputs);
}

void tape_field_unprepare(struct tape_field *f)
{
    for (int64_t i = 0; f->lanes && i < f->tiles.n_lanes; i++) release_lane(&f->lanes[i]);
    for (int k = 0; k < 2; k++) tape_part_release(&f->part[k]);
    tiles_release(&f->tiles);
    staged_free(f->simplified);
    program_free(f->theta_vjp);
    void *blocks[] = {f->lanes, f->theta_offset, f->theta_inputs, f->theta_outputs,
                      f->given, f->moments,      f->theta};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
    f->base.n_theta = f->base.kept_bytes = 0;
    f->base.by_time = 0;
    *f = (struct tape_field){.base = f->base, .source = f->source, .source_dy = f->source_dy};
}
