/* A field made from a tape: programs for f and its vjp, whole or tile by tile.
 *
 * What depends on parameters alone is computed once, when they are set: first what the simplified tape takes from them (its results are the
 * parameters that the solver's gradient is about; theta_gradient takes it back to the real ones), then, for each program, transposes and
 * the like that no gradient needs.
 *
 * Each lane (at most one thread works in it at a time) has programs of its own, because a program has one arena. Parameter gradients are
 * added up over the tiles of a chunk, then over the chunks, in order: the result does not depend on the number of threads. */
#include <stdatomic.h>
#include <string.h>

#include "autodiff/batch.h"
#include "autodiff/tape_field.h"
#include "autodiff/vjp.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernels/loops.h"

#define WORTH_TILING (1 << 20) /* bytes of values below which one tile is best */
#define TILE_BYTES (8 << 20)   /* values of a tile should stay in the second-level cache */
#define MIN_TILES 16           /* so that threads have something to take, whatever their number */
#define CHUNKS 16

/* ---- running ---- */

struct job {
    struct tape_field *f;
    enum job_kind kind;
    const char *y, *a;
    char *dy, *ybar, *thetabar, *residual;
    int64_t n_chunks;
    _Atomic int64_t next;
    _Atomic int failed; /* status of the first failure */
    char message[1024];
};

static int with_theta(enum job_kind kind) { return kind != EVAL && kind != EVAL_KEEP; }

static enum status run_tile(const struct job *job, struct lane *lane, int64_t tile, char *thetabar)
{
    struct tape_field *f = job->f;
    int k = f->size[1].tape && tile == f->n_tiles - 1;
    const struct size *size = &f->size[k];
    struct instance *instance = &lane->instance[k];
    size_t at = (size_t)(tile * f->size[0].rows * f->share) * dtype_size(f->base.dtype);
    char *residual = job->residual ? job->residual + tile * f->size[0].kept_bytes : NULL;
    const void **input = instance->inputs;
    void **output = instance->outputs;
    *input++ = &f->time;
    *input++ = job->y + at;
    if (job->kind != EVAL) *input++ = job->a ? job->a + at : NULL;
    if (with_theta(job->kind)) {
        *output++ = job->ybar + at;
        for (int i = 0; i < f->n_float; i++) *output++ = thetabar + f->theta_offset[i];
    }
    if (job->dy) *output++ = job->dy + at;
    for (int i = 0; residual && i < size->n_kept; i++) {
        if (job->kind == EVAL_KEEP) *output++ = residual + size->kept_offset[i];
        else *input++ = residual + size->kept_offset[i];
    }
    memcpy(input, size->staged[job->kind]->fixed, (size_t)size->staged[job->kind]->n_fixed * sizeof *input);
    return program_run(instance->program[job->kind], instance->inputs, instance->outputs);
}

static enum status run_chunk(const struct job *job, struct lane *lane, int64_t chunk)
{
    const struct tape_field *f = job->f;
    char *sum = !with_theta(job->kind) ? NULL : f->chunks + (size_t)(chunk * f->base.n_theta) * dtype_size(f->base.dtype);
    int64_t first = chunk * f->n_tiles / job->n_chunks, end = (chunk + 1) * f->n_tiles / job->n_chunks;
    for (int64_t tile = first; tile < end; tile++) {
        TRY(run_tile(job, lane, tile, tile == first ? sum : lane->theta_part));
        if (with_theta(job->kind) && tile > first)
            loops->combine[f->base.dtype](f->base.n_theta, sum, 1, (double[]){1}, (const void *[]){lane->theta_part}, sum);
    }
    return STATUS_OK;
}

static void lane_task(void *context, int64_t index)
{
    struct job *job = context;
    for (int64_t chunk; !job->failed && (chunk = atomic_fetch_add(&job->next, 1)) < job->n_chunks;) {
        enum status status = run_chunk(job, &job->f->lanes[index], chunk);
        int none = STATUS_OK;
        if (status != STATUS_OK && atomic_compare_exchange_strong(&job->failed, &none, (int)status))
            strncpy(job->message, status_message(), sizeof job->message - 1); /* messages are kept per thread */
    }
}

/* Room for the addresses of what is kept or fixed, once it is known how much that is. */
static enum status ensure_pointers(struct tape_field *f, enum job_kind kind)
{
    for (int64_t i = 0; i < f->n_lanes; i++)
        for (int k = 0; k < 2; k++) {
            struct instance *instance = &f->lanes[i].instance[k];
            int wanted = f->size[k].tape ? 4 + f->size[k].n_kept + f->size[k].staged[kind]->n_fixed : 0;
            if (instance->room >= wanted) continue;
            void *inputs = memory_realloc(instance->inputs, (size_t)wanted * sizeof(void *));
            if (!inputs) return memory_status();
            instance->inputs = inputs;
            void *outputs = memory_realloc(instance->outputs, (size_t)(f->n_float + wanted) * sizeof(void *));
            if (!outputs) return memory_status();
            instance->outputs = outputs;
            instance->room = wanted;
        }
    return STATUS_OK;
}

static enum status run_job(struct job *job)
{
    struct tape_field *f = job->f;
    TRY(tape_field_programs(f, job->kind, 1));
    TRY(ensure_pointers(f, job->kind));
    if (f->n_tiles == 1) return run_tile(job, &f->lanes[0], 0, job->thetabar);
    job->n_chunks = with_theta(job->kind) ? f->n_chunks : f->n_tiles;
    threads_for(f->n_lanes, lane_task, job);
    if (job->failed) return status_set((enum status)job->failed, "%s", job->message);
    if (!with_theta(job->kind) || f->base.n_theta == 0) return STATUS_OK;
    double ones[CHUNKS];
    const void *parts[CHUNKS];
    for (int64_t i = 0; i < f->n_chunks; i++) {
        ones[i] = 1;
        parts[i] = f->chunks + (size_t)(i * f->base.n_theta) * dtype_size(f->base.dtype);
    }
    loops->combine[f->base.dtype](f->base.n_theta, NULL, (int)f->n_chunks, ones, parts, job->thetabar);
    return STATUS_OK;
}

static void set_time(struct tape_field *f, double t)
{
    if (f->time_dtype == FLOAT32) f->time.f32 = (float)t;
    else f->time.f64 = t;
}

static enum status tape_field_eval(struct field *self, double t, const void *y, void *dy)
{
    struct job job = {.f = (struct tape_field *)self, .kind = EVAL, .y = y, .dy = dy};
    set_time(job.f, t);
    return run_job(&job);
}

static enum status tape_field_vjp(struct field *self, double t, const void *y, const void *a, void *dy, void *ybar, void *thetabar)
{
    struct job job = {.f = (struct tape_field *)self, .kind = dy ? VJP_AND_EVAL : VJP, .y = y, .a = a, .dy = dy, .ybar = ybar, .thetabar = thetabar};
    set_time(job.f, t);
    return run_job(&job);
}

static enum status tape_field_kept_bytes(struct field *self, int64_t *bytes)
{
    struct tape_field *f = (struct tape_field *)self;
    for (int k = 0; k < 2; k++) {
        struct size *size = &f->size[k];
        if (!size->tape) continue;
        if (!size->vjp) TRY(tape_field_make_vjp(f, size));
        if (!size->kept_vjp) TRY(tape_field_make_kept(f, size));
    }
    *bytes = f->size[0].kept_bytes * f->n_tiles;
    return STATUS_OK;
}

static enum status tape_field_eval_keep(struct field *self, double t, const void *y, void *dy, void *residual)
{
    struct job job = {.f = (struct tape_field *)self, .kind = EVAL_KEEP, .y = y, .dy = dy, .residual = residual};
    set_time(job.f, t);
    return run_job(&job);
}

static enum status tape_field_vjp_kept(struct field *self, double t, const void *y, const void *a, const void *residual, void *ybar, void *thetabar)
{
    struct job job = {.f = (struct tape_field *)self, .kind = VJP_KEPT, .y = y, .a = a, .ybar = ybar, .thetabar = thetabar,
                      .residual = (char *)(uintptr_t)residual};
    set_time(job.f, t);
    return run_job(&job);
}

enum status field_set_parameters(struct field *self, const void *const *parameters)
{
    struct tape_field *f = (struct tape_field *)self;
    int n = f->simplified->split.setup->n_inputs;
    if (n > 0) memcpy(f->given, parameters, (size_t)n * sizeof *parameters);
    for (int k = 0; k < 2; k++) memset(f->size[k].bound, 0, sizeof f->size[k].bound);
    return staged_bind(f->simplified, f->given);
}

enum status field_prepare(struct field *self, int gradient)
{
    struct tape_field *f = (struct tape_field *)self;
    int64_t kept;
    if (gradient) TRY(tape_field_kept_bytes(self, &kept));
    for (enum job_kind kind = 0; kind < JOB_KINDS; kind++)
        if (kind == EVAL || (gradient && kind != VJP_AND_EVAL)) {
            TRY(tape_field_programs(f, kind, 0));
            TRY(ensure_pointers(f, kind));
        }
    return STATUS_OK;
}

/* ---- the gradient of the given parameters ---- */

/* The vjp of the setup: inputs theta..., the gradients of its float results; outputs the gradients of the float theta. */
static enum status make_theta_vjp(struct tape_field *f)
{
    const struct tape *setup = f->simplified->split.setup;
    const int *results = f->simplified->split.results;
    int n = setup->n_inputs, n_y = 0, n_wrt = 0, *nodes = memory_alloc((size_t)(3 * n + 3 * f->simplified->n_fixed + 1) * sizeof *nodes);
    if (!nodes) return memory_status();
    int *inputs = nodes, *wrt = inputs + n, *gradients = wrt + n, *wanted = gradients + n, *y = wanted + f->simplified->n_fixed;
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
        ybar[i] = tape_input(t, spec.dtype, spec.rank, spec.shape);
    }
    if (status == STATUS_OK) status = tape_vjp(t, y, ybar, n_y, wrt, n_wrt, gradients);
    if (status == STATUS_OK) status = program_new(&f->theta_vjp, t, gradients, n_wrt);
    tape_release(t);
    memory_free(nodes);
    return status;
}

enum status field_theta_gradient(struct field *self, const void *own, void *thetabar)
{
    struct tape_field *f = (struct tape_field *)self;
    if (!f->theta_vjp) TRY(make_theta_vjp(f));
    int n = f->simplified->split.setup->n_inputs, n_out = program_n_outputs(f->theta_vjp);
    for (int i = 0; i < n; i++) f->theta_inputs[i] = f->given[i];
    for (int i = 0; i < f->n_float; i++) f->theta_inputs[n + i] = (const char *)own + f->theta_offset[i];
    char *out = thetabar;
    for (int i = 0; i < n_out; out += array_bytes(program_output(f->theta_vjp, i++))) f->theta_outputs[i] = out;
    return program_run(f->theta_vjp, f->theta_inputs, f->theta_outputs);
}

int field_same_parameters(const struct field *a, const struct field *b)
{
    const struct staged *s[2] = {((const struct tape_field *)a)->simplified, ((const struct tape_field *)b)->simplified};
    const struct tape *t[2] = {s[0]->body, s[1]->body};
    int same = s[0]->n_fixed == s[1]->n_fixed;
    for (int i = 0; same && i < s[0]->n_fixed; i++) {
        const struct array *x = tape_spec(t[0], t[0]->inputs[2 + i]), *y = tape_spec(t[1], t[1]->inputs[2 + i]);
        same = s[0]->source[i] == s[1]->source[i] && x->dtype == y->dtype && array_same_shape(x, y);
    }
    return same;
}

enum status field_explain(struct field *self, enum field_work work, struct field_plan *out)
{
    static const enum job_kind kinds[] = {EVAL, EVAL_KEEP, VJP, VJP_AND_EVAL, VJP_KEPT};
    struct tape_field *f = (struct tape_field *)self;
    enum job_kind kind = kinds[work];
    TRY(tape_field_programs(f, kind, 0));
    const struct size *size = &f->size[0];
    int kept = kind == EVAL_KEEP || kind == VJP_KEPT ? size->n_kept : 0;
    const struct program *program = f->lanes[0].instance[0].program[kind];
    *out = (struct field_plan){.parameters = f->simplified, .own = size->staged[kind], .program = program, .n_kept = kept, .rows = size->rows,
                               .n_given = program_n_inputs(program) - size->staged[kind]->n_fixed, .n_tiles = f->n_tiles};
    return STATUS_OK;
}

/* ---- making ---- */

static void tape_field_free(struct field *self)
{
    struct tape_field *f = (struct tape_field *)self;
    for (int64_t i = 0; f->lanes && i < f->n_lanes; i++) {
        for (int k = 0; k < 2; k++) {
            struct instance *instance = &f->lanes[i].instance[k];
            for (int kind = 0; kind < JOB_KINDS; kind++) program_free(instance->program[kind]);
            memory_free(instance->inputs);
            memory_free(instance->outputs);
        }
        memory_free(f->lanes[i].theta_part);
    }
    for (int k = 0; k < 2; k++) {
        struct size *size = &f->size[k];
        tape_release(size->tape);
        tape_release(size->vjp);
        tape_release(size->kept_vjp);
        for (int kind = 0; kind < JOB_KINDS; kind++) staged_free(size->staged[kind]);
        void *owned[] = {size->vjp_outputs, size->kept_outputs, size->kept, size->kept_offset};
        for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) memory_free(owned[i]);
    }
    staged_free(f->simplified);
    program_free(f->theta_vjp);
    void *blocks[] = {f->lanes, f->chunks, f->theta_offset, f->theta_inputs, f->theta_outputs, f->given, f};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

static enum status choose_tiles(struct tape_field *f, struct tape *tape, int dy, int64_t batch)
{
    f->size[0] = (struct size){.rows = 1};
    f->share = f->base.n;
    f->n_tiles = 1;
    int64_t bytes = tape_bytes(tape);
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
            if (batch % rows) TRY(tape_rebatch(&f->size[1].tape, tape, tape->inputs[1], batch, batch % rows, dy, &f->size[1].dy));
        }
    }
    if (!f->size[0].tape) f->size[0] = (struct size){.rows = 1, .tape = tape_retain(tape), .dy = dy};
    return STATUS_OK;
}

static enum status make_lanes(struct tape_field *f)
{
    size_t theta = (size_t)f->base.n_theta * dtype_size(f->base.dtype);
    int tiled = f->n_tiles > 1;
    f->n_lanes = !tiled ? 1 : threads_count() < f->n_tiles ? threads_count() : f->n_tiles;
    f->n_chunks = f->n_tiles < CHUNKS ? f->n_tiles : CHUNKS;
    if (!(f->lanes = memory_zalloc((size_t)f->n_lanes, sizeof *f->lanes))) return memory_status();
    if (tiled && !(f->chunks = memory_alloc((size_t)f->n_chunks * theta))) return memory_status();
    for (int64_t i = 0; i < f->n_lanes; i++) {
        struct lane *lane = &f->lanes[i];
        if (tiled && !(lane->theta_part = memory_alloc(theta))) return memory_status();
    }
    return STATUS_OK;
}

/* Float parameters of the given tape must have the state's dtype. */
static enum status check_parameters(const struct tape *tape)
{
    enum dtype dtype = tape_spec(tape, tape->inputs[1])->dtype;
    for (int i = 2; i < tape->n_inputs; i++) {
        const struct array *spec = tape_spec(tape, tape->inputs[i]);
        if (dtype_is_float(spec->dtype) && spec->dtype != dtype)
            return status_set(STATUS_DTYPE, "the state is %s but a parameter of the field is %s; convert one of them with x:to(...)",
                              dtype_name(dtype), dtype_name(spec->dtype));
    }
    return STATUS_OK;
}

/* The simplified tape, what it takes from the parameters split off. */
static enum status simplify(struct tape_field *f, const struct tape *tape, int dy)
{
    struct tape *simple;
    char *varies = memory_zalloc((size_t)tape->n_inputs, 1);
    if (!varies) return memory_status();
    varies[0] = varies[1] = 1;
    enum status status = tape_simplify(&simple, tape, dy, &dy);
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

enum status field_from_tape(struct field **out, struct tape *tape, int dy, int64_t batch)
{
    TRY(tape_status(tape));
    TRY(check_parameters(tape));
    const struct array *y = tape_spec(tape, tape->inputs[1]);
    struct tape_field *f = memory_zalloc(1, sizeof *f);
    if (!f) return memory_status();
    f->base = (struct field){.n = y->shape[0], .dtype = y->dtype, .eval = tape_field_eval, .vjp = tape_field_vjp,
                            .kept_bytes = tape_field_kept_bytes, .eval_keep = tape_field_eval_keep, .vjp_kept = tape_field_vjp_kept,
                            .free = tape_field_free};
    enum status status = simplify(f, tape, dy);
    if (status == STATUS_OK) status = describe_parameters(f);
    if (status == STATUS_OK) status = choose_tiles(f, f->simplified->body, f->simplified->outputs[0], batch);
    if (status == STATUS_OK) status = make_lanes(f);
    if (status == STATUS_OK) *out = &f->base;
    else tape_field_free(&f->base);
    return status;
}
