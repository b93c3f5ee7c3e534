/* A field made from a tape: programs for f and its vjp, whole or tile by tile.
 *
 * Each lane (at most one thread works in it at a time) has programs of its own, because a program has one arena. Parameter gradients are
 * added up over the tiles of a chunk, then over the chunks, in order: the result does not depend on the number of threads. */
#include <stdatomic.h>
#include <string.h>

#include "autodiff/batch.h"
#include "autodiff/field.h"
#include "autodiff/program.h"
#include "autodiff/vjp.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernels/loops.h"

#define WORTH_TILING (1 << 20) /* bytes of values below which one tile is best */
#define TILE_BYTES (8 << 20)   /* values of a tile should stay in the second-level cache */
#define MIN_TILES 16           /* so that threads have something to take, whatever their number */
#define CHUNKS 16

enum job_kind { EVAL, VJP, VJP_AND_EVAL, JOB_KINDS };

/* The field for one number of samples. */
struct size {
    int64_t rows;
    struct tape *tape; /* owned; NULL: not used */
    int dy;
};

struct instance {
    struct program *program[JOB_KINDS];
    const void **inputs; /* t, y, the parameters, then the cotangent */
    void **outputs;      /* ybar, one per float parameter, dy */
};

struct lane {
    struct instance instance[2]; /* of each size */
    char *theta_part;
};

struct tape_field {
    struct field base;
    int n_inputs, n_float;
    int64_t *theta_offset; /* bytes of each float parameter's gradient in thetabar */
    const void **parameters;
    struct size size[2]; /* whole tiles, and the rest if there is one */
    int64_t share, n_tiles, n_chunks, n_lanes;
    struct lane *lanes;
    char *chunks; /* n_chunks gradients of the parameters */
    union {
        float f32;
        double f64;
    } time; /* t in the state's dtype */
};

/* ---- programs ---- */

/* The vjp of a tape on a copy, so that the tape stays as it is. Outputs: ybar, the float parameters' gradients, then dy if wanted. */
static enum status make_vjp(const struct tape_field *f, const struct size *size, int with_dy, struct program **out)
{
    struct tape *t;
    int n_out = 1 + f->n_float + with_dy, n_wrt = 0;
    int *nodes = memory_alloc((size_t)(2 * f->n_inputs + n_out + 2) * sizeof *nodes);
    if (!nodes) return memory_status();
    int *inputs = nodes, *wrt = inputs + f->n_inputs, *outputs = wrt + f->n_inputs + 1;
    enum status status = tape_new(&t, NULL);
    if (status != STATUS_OK) {
        memory_free(nodes);
        return status;
    }
    for (int i = 0; i < f->n_inputs; i++) {
        const struct array *spec = tape_spec(size->tape, size->tape->inputs[i]);
        inputs[i] = tape_input(t, spec->dtype, spec->rank, spec->shape);
        if (i >= 1 && dtype_is_float(spec->dtype)) wrt[n_wrt++] = inputs[i];
    }
    const struct array *y = tape_spec(size->tape, size->tape->inputs[1]);
    int a = tape_input(t, y->dtype, 1, y->shape), dy = tape_inline(t, size->tape, inputs, size->dy);
    status = dy < 0 && t->status == STATUS_OK ? memory_status() : tape_status(t);
    if (status == STATUS_OK) status = tape_vjp(t, &dy, &a, 1, wrt, n_wrt, outputs);
    if (status == STATUS_OK) {
        outputs[n_wrt] = dy;
        status = program_new(out, t, outputs, n_out);
    }
    tape_release(t);
    memory_free(nodes);
    return status;
}

/* Programs are made before the threads start: counted references are not for several threads at once. */
static enum status ensure_programs(struct tape_field *f, enum job_kind kind)
{
    for (int64_t i = 0; i < f->n_lanes; i++)
        for (int k = 0; k < 2; k++) {
            struct instance *instance = &f->lanes[i].instance[k];
            const struct size *size = &f->size[k];
            if (!size->tape || instance->program[kind]) continue;
            TRY(kind == EVAL ? program_new(&instance->program[EVAL], size->tape, &size->dy, 1)
                             : make_vjp(f, size, kind == VJP_AND_EVAL, &instance->program[kind]));
        }
    return STATUS_OK;
}

/* ---- running ---- */

struct job {
    struct tape_field *f;
    enum job_kind kind;
    const char *y, *a;
    char *dy, *ybar, *thetabar;
    int64_t n_chunks;
    _Atomic int64_t next;
    _Atomic int failed; /* status of the first failure */
    char message[1024];
};

static enum status run_tile(const struct job *job, struct lane *lane, int64_t tile, char *thetabar)
{
    struct tape_field *f = job->f;
    int k = f->size[1].tape && tile == f->n_tiles - 1;
    struct instance *instance = &lane->instance[k];
    size_t at = (size_t)(tile * f->size[0].rows * f->share) * dtype_size(f->base.dtype);
    instance->inputs[0] = &f->time;
    instance->inputs[1] = job->y + at;
    for (int i = 2; i < f->n_inputs; i++) instance->inputs[i] = f->parameters[i - 2];
    if (job->kind == EVAL) {
        void *dy = job->dy + at;
        return program_run(instance->program[EVAL], instance->inputs, &dy);
    }
    instance->inputs[f->n_inputs] = job->a + at;
    instance->outputs[0] = job->ybar + at;
    for (int i = 0; i < f->n_float; i++) instance->outputs[1 + i] = thetabar + f->theta_offset[i];
    instance->outputs[1 + f->n_float] = job->dy ? job->dy + at : NULL;
    return program_run(instance->program[job->kind], instance->inputs, instance->outputs);
}

static enum status run_chunk(const struct job *job, struct lane *lane, int64_t chunk)
{
    const struct tape_field *f = job->f;
    char *sum = job->kind == EVAL ? NULL : f->chunks + (size_t)(chunk * f->base.n_theta) * dtype_size(f->base.dtype);
    int64_t first = chunk * f->n_tiles / job->n_chunks, end = (chunk + 1) * f->n_tiles / job->n_chunks;
    for (int64_t tile = first; tile < end; tile++) {
        TRY(run_tile(job, lane, tile, tile == first ? sum : lane->theta_part));
        if (job->kind != EVAL && tile > first)
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

static enum status run_job(struct job *job)
{
    struct tape_field *f = job->f;
    TRY(ensure_programs(f, job->kind));
    if (f->n_tiles == 1) return run_tile(job, &f->lanes[0], 0, job->thetabar);
    job->n_chunks = job->kind == EVAL ? f->n_tiles : f->n_chunks;
    threads_for(f->n_lanes, lane_task, job);
    if (job->failed) return status_set((enum status)job->failed, "%s", job->message);
    if (job->kind == EVAL || f->base.n_theta == 0) return STATUS_OK;
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
    if (f->base.dtype == FLOAT32) f->time.f32 = (float)t;
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

void field_set_parameters(struct field *self, const void *const *parameters)
{
    struct tape_field *f = (struct tape_field *)self;
    for (int i = 2; i < f->n_inputs; i++) f->parameters[i - 2] = parameters[i - 2];
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
    for (int k = 0; k < 2; k++) tape_release(f->size[k].tape);
    void *blocks[] = {f->lanes, f->chunks, f->parameters, f->theta_offset, f};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

/* Bytes of all values that the tape computes. */
static int64_t computed_bytes(const struct tape *t)
{
    int64_t bytes = 0;
    for (int i = 0; i < t->n; i++)
        if (t->nodes[i].n_in > 0 && !op_table[t->nodes[i].op].view) bytes += (int64_t)array_bytes(&t->nodes[i].spec);
    return bytes;
}

static enum status choose_tiles(struct tape_field *f, struct tape *tape, int dy, int64_t batch)
{
    f->size[0] = (struct size){1, NULL, 0};
    f->share = f->base.n;
    f->n_tiles = 1;
    int64_t bytes = computed_bytes(tape);
    if (batch > 1 && f->base.n % batch == 0 && bytes >= WORTH_TILING) {
        int64_t rows = TILE_BYTES / (bytes / batch + 1), most = (batch + MIN_TILES - 1) / MIN_TILES;
        rows = rows < 1 ? 1 : rows > most ? most : rows;
        TRY(tape_rebatch(&f->size[0].tape, tape, tape->inputs[1], batch, rows, dy, &f->size[0].dy));
        if (f->size[0].tape) {
            f->size[0].rows = rows;
            f->size[1].rows = batch % rows;
            f->n_tiles = (batch + rows - 1) / rows;
            f->share = f->base.n / batch;
            if (batch % rows) TRY(tape_rebatch(&f->size[1].tape, tape, tape->inputs[1], batch, batch % rows, dy, &f->size[1].dy));
        }
    }
    if (!f->size[0].tape) f->size[0] = (struct size){1, tape_retain(tape), dy};
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
        for (int k = 0; k < 2; k++) {
            lane->instance[k].inputs = memory_zalloc((size_t)f->n_inputs + 1, sizeof(void *));
            lane->instance[k].outputs = memory_zalloc((size_t)f->n_inputs + 2, sizeof(void *));
            if (!lane->instance[k].inputs || !lane->instance[k].outputs) return memory_status();
        }
    }
    return STATUS_OK;
}

static enum status describe_parameters(struct tape_field *f, const struct tape *tape)
{
    for (int i = 2; i < f->n_inputs; i++) {
        const struct array *spec = tape_spec(tape, tape->inputs[i]);
        if (!dtype_is_float(spec->dtype)) continue;
        if (spec->dtype != f->base.dtype)
            return status_set(STATUS_DTYPE, "the state is %s but a parameter of the field is %s; convert one of them with x:to(...)",
                              dtype_name(f->base.dtype), dtype_name(spec->dtype));
        f->theta_offset[f->n_float++] = f->base.n_theta * (int64_t)dtype_size(f->base.dtype);
        f->base.n_theta += array_numel(spec);
    }
    return STATUS_OK;
}

enum status field_from_tape(struct field **out, struct tape *tape, int dy, int64_t batch)
{
    TRY(tape_status(tape));
    const struct array *y = tape_spec(tape, tape->inputs[1]);
    struct tape_field *f = memory_zalloc(1, sizeof *f);
    if (!f) return memory_status();
    f->base = (struct field){.n = y->shape[0], .dtype = y->dtype, .eval = tape_field_eval, .vjp = tape_field_vjp, .free = tape_field_free};
    f->n_inputs = tape->n_inputs;
    f->parameters = memory_zalloc((size_t)f->n_inputs, sizeof *f->parameters);
    f->theta_offset = memory_zalloc((size_t)f->n_inputs, sizeof *f->theta_offset);
    enum status status = f->parameters && f->theta_offset ? describe_parameters(f, tape) : memory_status();
    if (status == STATUS_OK) status = choose_tiles(f, tape, dy, batch);
    if (status == STATUS_OK) status = make_lanes(f);
    if (status == STATUS_OK) *out = &f->base;
    else tape_field_free(&f->base);
    return status;
}
