/* What a field made from a tape runs: its vjp, the values that are worth keeping between evaluation and vjp,
 * programs in two stages. */
#include <string.h>

#include "autodiff/batch.h"
#include "autodiff/tape_field.h"
#include "autodiff/vjp.h"
#include "base/memory.h"
#include "base/threads.h"

#define DEAR                                                                                                 \
    32 /* multiply-adds per element of a product from which on it is better kept than computed again */
#define WORTH_TILING (1 << 20) /* bytes of values below which one tile is best */
#define TILE_BYTES (8 << 20)   /* values of a tile should stay in the second-level cache */
#define MIN_TILES 16           /* so that threads have something to take, whatever their number */

/* ---- the field in two stages ---- */

/* How many outputs `own` has: dy, then those of the vjp, then that of the jvp. */
static int count_outputs(const struct tape_field *f, unsigned works)
{
    return 1 + (works & FIELD_VJPS ? 1 + f->n_float : 0) + (works & FIELD_MASK(FIELD_JVP) ? 1 : 0);
}

/* The tape with its derivatives in a direction, which is its last input; outputs as in `own`. Gradients have
 * the state's dtype, whatever that of the parameter. */
static enum status emit_derivatives(const struct tape_field *f, const struct tile_size *size, unsigned works,
                                    struct tape *t, int *inputs, int *outputs)
{
    int n_wrt = 0, *wrt = inputs + f->n_inputs;
    for (int i = 0; i < f->n_inputs; i++) {
        const struct array *spec = tape_spec(size->tape, size->tape->inputs[i]);
        inputs[i] = tape_input(t, spec->dtype, spec->rank, spec->shape);
        if (i >= 1 && dtype_is_float(spec->dtype)) wrt[n_wrt++] = inputs[i];
    }
    const struct array *y = tape_spec(size->tape, size->tape->inputs[1]);
    int direction = tape_input(t, y->dtype, 1, y->shape);
    TRY(tape_inline_outputs(t, size->tape, inputs, &size->dy, 1, outputs));
    if (works & FIELD_VJPS) TRY(tape_vjp(t, outputs, &direction, 1, wrt, n_wrt, outputs + 1));
    for (int i = 1; works & FIELD_VJPS && i <= n_wrt; i++)
        outputs[i] = emit_cast(t, outputs[i], f->base.dtype);
    if (works & FIELD_MASK(FIELD_JVP))
        TRY(tape_jvp(t, outputs, 1, inputs + 1, &direction, 1, outputs + count_outputs(f, works) - 1));
    return tape_status(t);
}

static enum status make_derivatives(const struct tape_field *f, const struct tile_size *size, unsigned works,
                                    struct tape **out, int *outputs)
{
    int *inputs = memory_alloc((size_t)(2 * f->n_inputs + 1) * sizeof *inputs);
    if (!inputs) return memory_status();
    struct tape *t = NULL;
    enum status status = tape_new(&t, NULL);
    if (status == STATUS_OK) status = emit_derivatives(f, size, works, t, inputs, outputs);
    memory_free(inputs);
    if (status == STATUS_OK)
        *out = t;
    else
        tape_release(t);
    return status;
}

static enum status make_own(struct tape_field *f, struct tile_size *size, unsigned works)
{
    struct tape *tape = NULL;
    int n_outputs = count_outputs(f, works), *outputs = memory_alloc((size_t)n_outputs * sizeof *outputs);
    char *varies = memory_alloc((size_t)f->n_inputs + 1);
    enum status status = outputs && varies ? STATUS_OK : memory_status();
    if (status == STATUS_OK && n_outputs > 1) {
        status = make_derivatives(f, size, works, &tape, outputs);
    } else if (status == STATUS_OK) {
        tape = tape_retain(size->tape);
        outputs[0] = size->dy;
    }
    if (status == STATUS_OK) {
        for (int i = 0; i <= f->n_inputs; i++) varies[i] = i < 2 || i == f->n_inputs;
        status = staged_new(&size->own, tape, varies, outputs, n_outputs, 1);
    }
    tape_release(tape);
    memory_free(outputs);
    memory_free(varies);
    return status;
}

/* ---- what to keep ---- */

/* Nodes that the backward half reads and that take a dear product to compute again: 2 in `mark`; 1: nodes
 * that depend on the cotangent. Returns how many. */
static int choose_kept(const struct tape *t, int cotangent, const int *outputs, int n_outputs, char *mark,
                       char *live, char *used)
{
    int count = 0;
    tape_mark_live(t, outputs, n_outputs, live);
    mark[cotangent] = 1;
    for (int i = 0; i < t->n; i++)
        for (int j = 0; j < t->nodes[i].n_in && !mark[i]; j++) mark[i] = mark[t->nodes[i].in[j]];
    for (int i = 0; i < t->n; i++)
        for (int j = 0; live[i] && mark[i] && j < t->nodes[i].n_in; j++) used[t->nodes[i].in[j]] = 1;
    char *dear = live; /* from here on: dear to compute from what is kept so far */
    for (int i = 0; i < t->n; i++) {
        const struct node *node = &t->nodes[i];
        dear[i] = !mark[i] && tape_node_dearness(t, node) >= DEAR;
        for (int j = 0; j < node->n_in && !mark[i]; j++) dear[i] |= dear[node->in[j]];
        if (!dear[i] || !used[i] || node->op == OP_CUSTOM)
            continue; /* the gradient of a solve inside needs the solve itself to have run */
        dear[i] = 0;
        mark[i] = 2;
        count++;
    }
    return count;
}

/* An input of kept_tape for each input of the body and, after the cotangent, for each node that is kept. */
static void kept_inputs(struct tile_size *size, struct rewrite *r, int n_varying)
{
    const struct tape *body = r->from;
    for (int i = 0; i < n_varying; i++) rewrite_copy(r, body->inputs[i]);
    for (int i = 0; i < size->n_kept; i++) {
        const struct array *spec = tape_spec(body, size->kept[i]);
        size->kept_offset[i] = size->kept_bytes;
        size->kept_bytes += ((int64_t)array_bytes(spec) + 63) & ~INT64_C(63);
        r->copy[size->kept[i]] = tape_input(r->to, spec->dtype, spec->rank, spec->shape);
    }
    for (int i = n_varying; i < body->n_inputs; i++) rewrite_copy(r, body->inputs[i]);
    /* vector loads may run over the end, but not into what another thread is writing */
    if (size->n_kept > 0) size->kept_bytes += MEMORY_SLACK;
}

/* The body with the kept nodes as inputs; what only they needed is dead there. */
static enum status copy_with_kept(struct tile_size *size, const char *mark, int n_varying, int n_bars)
{
    struct rewrite r;
    const struct staged *own = size->own;
    TRY(rewrite_begin(&r, own->body));
    for (int i = 0, kept = 0; i < own->body->n; i++)
        if (mark[i] == 2) size->kept[kept++] = i;
    kept_inputs(size, &r, n_varying);
    for (int i = 0; i < own->body->n; i++)
        if (r.copy[i] < 0 && rewrite_copy(&r, i) < 0) break;
    for (int i = 0; i < n_bars; i++) size->kept_outputs[i] = r.copy[own->outputs[1 + i]];
    enum status status = tape_status(r.to);
    rewrite_end(&r);
    size->kept_tape = r.to;
    return status;
}

static enum status make_kept(const struct tape_field *f, struct tile_size *size)
{
    const struct tape *body = size->own->body;
    int n = body->n, n_varying = body->n_inputs - size->own->n_fixed;
    char *marks = memory_zalloc(3, (size_t)n);
    if (!marks) return memory_status();
    size->n_kept = choose_kept(body, body->inputs[2], size->own->outputs + 1, 1 + f->n_float, marks,
                               marks + n, marks + 2 * n);
    size->kept = memory_alloc((size_t)(size->n_kept + 1) * sizeof *size->kept);
    size->kept_offset = memory_alloc((size_t)(size->n_kept + 1) * sizeof *size->kept_offset);
    size->kept_outputs = memory_alloc((size_t)(1 + f->n_float) * sizeof *size->kept_outputs);
    enum status status = size->kept && size->kept_offset && size->kept_outputs ? STATUS_OK : memory_status();
    if (status == STATUS_OK && size->n_kept > 0)
        status = copy_with_kept(size, marks, n_varying, 1 + f->n_float);
    memory_free(marks);
    return status;
}

/* ---- programs ---- */

static enum status make_program(struct program **out, const struct tape_field *f,
                                const struct tile_size *size, enum field_work work)
{
    const struct staged *own = size->own;
    if (work == FIELD_EVAL) return program_new(out, own->body, own->outputs, 1);
    if (work == FIELD_VJP) return program_new(out, own->body, own->outputs + 1, 1 + f->n_float);
    if (work == FIELD_JVP) return program_new(out, own->body, own->outputs + own->n_outputs - 1, 1);
    if (work == FIELD_VJP_KEPT) return program_new(out, size->kept_tape, size->kept_outputs, 1 + f->n_float);
    int n = work == FIELD_EVAL_KEEP ? 1 + size->n_kept : 2 + f->n_float,
        *outputs = memory_alloc((size_t)n * sizeof *outputs);
    if (!outputs) return memory_status();
    if (work == FIELD_EVAL_KEEP) {
        outputs[0] = own->outputs[0];
        memcpy(outputs + 1, size->kept, (size_t)size->n_kept * sizeof *outputs);
    } else {
        memcpy(outputs, own->outputs + 1, (size_t)(n - 1) * sizeof *outputs);
        outputs[n - 1] = own->outputs[0];
    }
    enum status status = program_new(out, own->body, outputs, n);
    memory_free(outputs);
    return status;
}

static enum status make_lanes(struct tape_field *f)
{
    size_t theta = (size_t)f->base.n_theta * dtype_size(f->base.dtype);
    int tiled = f->n_tiles > 1, most = 0;
    f->n_lanes = !tiled ? 1 : threads_count() < f->n_tiles ? threads_count() : f->n_tiles;
    f->n_chunks = f->n_tiles < FIELD_CHUNKS ? f->n_tiles : FIELD_CHUNKS;
    for (int k = 0; k < 2; k++)
        if (f->size[k].tape && 4 + f->size[k].n_kept + f->size[k].own->n_fixed > most)
            most = 4 + f->size[k].n_kept + f->size[k].own->n_fixed;
    if (!(f->lanes = memory_zalloc((size_t)f->n_lanes, sizeof *f->lanes))) return memory_status();
    if (tiled && !(f->chunks = memory_alloc((size_t)f->n_chunks * theta))) return memory_status();
    for (int64_t i = 0; i < f->n_lanes; i++) {
        struct tile_lane *lane = &f->lanes[i];
        lane->inputs = memory_alloc((size_t)most * sizeof *lane->inputs);
        lane->outputs = memory_alloc((size_t)(f->n_float + most) * sizeof *lane->outputs);
        if (tiled) lane->theta_part = memory_alloc(theta);
        if (!lane->inputs || !lane->outputs || (tiled && !lane->theta_part)) return memory_status();
    }
    return STATUS_OK;
}

static enum status make_programs(struct tape_field *f)
{
    for (int64_t i = 0; i < f->n_lanes; i++)
        for (int k = 0; k < 2; k++)
            for (enum field_work work = 0; work < FIELD_WORKS && f->size[k].tape; work++)
                if (f->works & FIELD_MASK(work))
                    TRY(make_program(&f->lanes[i].program[k][work], f, &f->size[k], work));
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
        if (dtype_is_float(tape_spec(setup, results[i])->dtype)) wanted[n_y++] = results[i];
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

static enum status describe_parameters(struct tape_field *f)
{
    const struct tape *body = f->simplified->body, *setup = f->simplified->split.setup;
    f->n_inputs = body->n_inputs;
    f->time_dtype = tape_spec(body, body->inputs[0])->dtype;
    f->theta_offset = memory_zalloc((size_t)f->n_inputs, sizeof *f->theta_offset);
    f->given = memory_zalloc((size_t)setup->n_inputs + 1, sizeof *f->given);
    f->theta_inputs = memory_zalloc((size_t)(setup->n_inputs + f->n_inputs), sizeof *f->theta_inputs);
    f->theta_outputs = memory_zalloc((size_t)setup->n_inputs + 1, sizeof *f->theta_outputs);
    if (!f->theta_offset || !f->given || !f->theta_inputs || !f->theta_outputs) return memory_status();
    for (int i = 2; i < f->n_inputs; i++) {
        const struct array *spec = tape_spec(body, body->inputs[i]);
        if (!dtype_is_float(spec->dtype)) continue;
        f->theta_offset[f->n_float++] = f->base.n_theta * (int64_t)dtype_size(f->base.dtype);
        f->base.n_theta += array_numel(spec);
    }
    return STATUS_OK;
}

static enum status choose_tiles(struct tape_field *f)
{
    struct tape *tape = f->simplified->body;
    int dy = f->simplified->outputs[0];
    int64_t batch = f->base.batch, bytes = tape_bytes(tape);
    f->share = f->base.n;
    f->n_tiles = 1;
    if (batch > 1 && f->base.n % batch == 0 && bytes >= WORTH_TILING) {
        int64_t rows = TILE_BYTES / (bytes / batch + 1), most = (batch + MIN_TILES - 1) / MIN_TILES;
        int64_t least = tape_least_rows(tape, batch);
        rows = rows > most ? most : rows;
        rows = rows < least ? least : rows;
        TRY(tape_rebatch(&f->size[0].tape, tape, tape->inputs[1], batch, rows, dy, &f->size[0].dy));
        if (f->size[0].tape) {
            f->size[0].rows = rows;
            f->size[1].rows = batch % rows;
            f->n_tiles = (batch + rows - 1) / rows;
            f->share = f->base.n / batch;
            if (batch % rows)
                TRY(tape_rebatch(&f->size[1].tape, tape, tape->inputs[1], batch, batch % rows, dy,
                                 &f->size[1].dy));
        }
    }
    if (!f->size[0].tape) f->size[0] = (struct tile_size){.rows = 1, .tape = tape_retain(tape), .dy = dy};
    return STATUS_OK;
}

static enum status make_all(struct tape_field *f, unsigned works)
{
    const unsigned keeping = FIELD_MASK(FIELD_EVAL_KEEP) | FIELD_MASK(FIELD_VJP_KEPT);
    f->works = works;
    TRY(simplify(f));
    TRY(describe_parameters(f));
    TRY(choose_tiles(f));
    for (int k = 0; k < 2; k++) {
        if (!f->size[k].tape) continue;
        TRY(make_own(f, &f->size[k], works));
        if (works & keeping) TRY(make_kept(f, &f->size[k]));
    }
    f->base.kept_bytes = f->size[0].kept_bytes * f->n_tiles;
    if (f->size[0].n_kept == 0) f->works &= ~keeping;
    TRY(make_lanes(f));
    TRY(make_programs(f));
    if (works & FIELD_VJPS) TRY(make_theta_vjp(f));
    f->works |= works; /* also those that keep nothing: they are never asked for */
    return STATUS_OK;
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

static void free_size(struct tile_size *size)
{
    tape_release(size->tape);
    tape_release(size->kept_tape);
    staged_free(size->own);
    memory_free(size->kept_outputs);
    memory_free(size->kept);
    memory_free(size->kept_offset);
    *size = (struct tile_size){0};
}

void tape_field_unprepare(struct tape_field *f)
{
    for (int64_t i = 0; f->lanes && i < f->n_lanes; i++) {
        struct tile_lane *lane = &f->lanes[i];
        for (int work = 0; work < 2 * FIELD_WORKS; work++)
            program_free(lane->program[work / FIELD_WORKS][work % FIELD_WORKS]);
        memory_free(lane->inputs);
        memory_free(lane->outputs);
        memory_free(lane->theta_part);
    }
    for (int k = 0; k < 2; k++) free_size(&f->size[k]);
    staged_free(f->simplified);
    program_free(f->theta_vjp);
    void *blocks[] = {f->lanes, f->chunks, f->theta_offset, f->theta_inputs, f->theta_outputs, f->given};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
    f->base.n_theta = f->base.kept_bytes = 0;
    *f = (struct tape_field){.base = f->base, .source = f->source, .source_dy = f->source_dy};
}
