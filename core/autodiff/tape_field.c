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
#define DEAR 32 /* multiply-adds per element of a product from which on it is better kept than computed again */

enum job_kind { EVAL, VJP, VJP_AND_EVAL, EVAL_KEEP, VJP_KEPT, JOB_KINDS };

/* The field for one number of samples, and its derivative. Tapes are owned; NULL: not used or not made yet. */
struct size {
    int64_t rows;
    struct tape *tape;
    int dy;
    struct tape *vjp; /* inputs: the tape's, then the cotangent */
    int vjp_dy, *vjp_outputs; /* ybar, one per float parameter, dy */
    struct tape *kept_vjp; /* inputs: those of vjp, then what is kept */
    int *kept_outputs;
    int n_kept, *kept;   /* nodes of vjp that are kept */
    int64_t *kept_offset; /* bytes, in the residual of a tile */
    int64_t kept_bytes;
};

struct instance {
    struct program *program[JOB_KINDS];
    const void **inputs; /* t, y, the parameters, the cotangent, what was kept */
    void **outputs;      /* ybar, one per float parameter, dy, what to keep */
    int room;            /* for things kept */
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

/* The vjp of the tape on a copy, so that the tape stays as it is. */
static enum status make_vjp(const struct tape_field *f, struct size *size)
{
    int n_wrt = 0, *nodes = memory_alloc((size_t)(3 * f->n_inputs + 4) * sizeof *nodes);
    if (!nodes) return memory_status();
    int *inputs = nodes, *wrt = inputs + f->n_inputs, *outputs = wrt + f->n_inputs + 1;
    struct tape *t;
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
    if (status == STATUS_OK && !(size->vjp_outputs = memory_alloc((size_t)(n_wrt + 1) * sizeof(int)))) status = memory_status();
    if (status == STATUS_OK) {
        memcpy(size->vjp_outputs, outputs, (size_t)n_wrt * sizeof(int));
        size->vjp_outputs[n_wrt] = size->vjp_dy = dy;
        size->vjp = tape_retain(t);
    }
    tape_release(t);
    memory_free(nodes);
    return status;
}

/* ---- what to keep ---- */

static int64_t work_per_element(const struct tape *t, const struct node *node)
{
    const struct array *a = node->n_in > 1 ? tape_spec(t, node->in[0]) : NULL, *b = a ? tape_spec(t, node->in[1]) : NULL;
    if (node->op == OP_MATMUL) return a->shape[a->rank - (node->attrs->v[0] ? 2 : 1)];
    if (node->op == OP_CONV) return b->shape[1] * b->shape[2] * b->shape[3];
    return 0;
}

/* Nodes that the backward half of the vjp reads and that take a dear product to compute again: marked 2 in `mark`. Bit 0 tells the nodes
 * that depend on the cotangent. Returns how many. */
static int choose_kept(const struct tape *t, int cotangent, const int *outputs, int n_outputs, char *mark, char *live, char *used)
{
    int count = 0;
    for (int i = 0; i < n_outputs; i++) live[outputs[i]] = 1;
    for (int i = t->n - 1; i >= 0; i--)
        for (int j = 0; live[i] && j < t->nodes[i].n_in; j++) live[t->nodes[i].in[j]] = 1;
    mark[cotangent] = 1;
    for (int i = 0; i < t->n; i++)
        for (int j = 0; j < t->nodes[i].n_in && !mark[i]; j++) mark[i] = mark[t->nodes[i].in[j]];
    for (int i = 0; i < t->n; i++)
        for (int j = 0; live[i] && mark[i] && j < t->nodes[i].n_in; j++) used[t->nodes[i].in[j]] = 1;
    /* From here on live[i] = 2 says: dear to compute from what is kept so far. */
    for (int i = 0; i < t->n; i++) {
        const struct node *node = &t->nodes[i];
        int dear = work_per_element(t, node) >= DEAR;
        for (int j = 0; j < node->n_in && !dear; j++) dear = live[node->in[j]] == 2;
        if (mark[i] || !dear) continue;
        live[i] = 2;
        if (!used[i] || node->op == OP_CUSTOM) continue; /* the gradient of a solve inside needs the solve itself to have run */
        live[i] = 1;
        mark[i] = 2;
        count++;
    }
    return count;
}

/* The vjp tape with the kept nodes as inputs behind the others; what only they needed is dead there. */
static enum status copy_with_kept(struct size *size, int n_outputs, const char *mark)
{
    const struct tape *from = size->vjp;
    int *copy = memory_alloc((size_t)from->n * sizeof *copy), capacity = 8, *in = memory_alloc((size_t)capacity * sizeof *in), kept = 0;
    enum status status = copy && in ? tape_new(&size->kept_vjp, NULL) : memory_status();
    if (status == STATUS_OK) {
        for (int i = 0; i < from->n_inputs; i++) {
            const struct array *spec = tape_spec(from, from->inputs[i]);
            copy[from->inputs[i]] = tape_input(size->kept_vjp, spec->dtype, spec->rank, spec->shape);
        }
        for (int i = 0; i < from->n; i++)
            if (mark[i] == 2) {
                const struct array *spec = tape_spec(from, i);
                size->kept[kept] = i;
                size->kept_offset[kept++] = size->kept_bytes;
                size->kept_bytes += ((int64_t)array_bytes(spec) + 63) & ~INT64_C(63);
                copy[i] = tape_input(size->kept_vjp, spec->dtype, spec->rank, spec->shape);
            }
    }
    if (kept > 0) size->kept_bytes += MEMORY_SLACK; /* vector loads may run over the end, but not into what another thread is writing */
    for (int i = 0; i < from->n && status == STATUS_OK; i++) {
        const struct node *node = &from->nodes[i];
        if (node->op == OP_INPUT || mark[i] == 2) continue;
        if (node->n_in > capacity) {
            memory_free(in);
            capacity = node->n_in;
            if (!(in = memory_alloc((size_t)capacity * sizeof *in))) status = memory_status();
        }
        for (int j = 0; in && j < node->n_in; j++) in[j] = copy[node->in[j]];
        if (in) copy[i] = node->constant ? tape_constant(size->kept_vjp, node->constant) : tape_emit(size->kept_vjp, node->op, node->attrs, in, node->n_in);
        if (status == STATUS_OK && copy[i] < 0) status = tape_status(size->kept_vjp);
    }
    for (int i = 0; i < n_outputs && status == STATUS_OK; i++) size->kept_outputs[i] = copy[size->vjp_outputs[i]];
    memory_free(copy);
    memory_free(in);
    return status;
}

static enum status make_kept(const struct tape_field *f, struct size *size)
{
    int n = size->vjp->n, n_outputs = 1 + f->n_float;
    char *marks = memory_zalloc(3, (size_t)n);
    if (!marks) return memory_status();
    size->n_kept = choose_kept(size->vjp, size->vjp->inputs[f->n_inputs], size->vjp_outputs, n_outputs, marks, marks + n, marks + 2 * n);
    size->kept = memory_alloc((size_t)(size->n_kept + 1) * sizeof *size->kept);
    size->kept_offset = memory_alloc((size_t)(size->n_kept + 1) * sizeof *size->kept_offset);
    size->kept_outputs = memory_alloc((size_t)n_outputs * sizeof *size->kept_outputs);
    enum status status = size->kept && size->kept_offset && size->kept_outputs ? copy_with_kept(size, n_outputs, marks) : memory_status();
    memory_free(marks);
    return status;
}

static enum status make_program(const struct tape_field *f, struct size *size, enum job_kind kind, struct program **out)
{
    if (kind == EVAL) return program_new(out, size->tape, &size->dy, 1);
    if (!size->vjp) TRY(make_vjp(f, size));
    if (kind == VJP || kind == VJP_AND_EVAL) return program_new(out, size->vjp, size->vjp_outputs, 1 + f->n_float + (kind == VJP_AND_EVAL));
    if (!size->kept_vjp) TRY(make_kept(f, size));
    if (kind == VJP_KEPT) return program_new(out, size->kept_vjp, size->kept_outputs, 1 + f->n_float);
    int *outputs = memory_alloc((size_t)(size->n_kept + 1) * sizeof *outputs);
    if (!outputs) return memory_status();
    outputs[0] = size->vjp_dy;
    memcpy(outputs + 1, size->kept, (size_t)size->n_kept * sizeof *outputs);
    enum status status = program_new(out, size->vjp, outputs, size->n_kept + 1);
    memory_free(outputs);
    return status;
}

/* Programs are made before the threads start: counted references are not for several threads at once. */
static enum status ensure_programs(struct tape_field *f, enum job_kind kind)
{
    for (int64_t i = 0; i < f->n_lanes; i++)
        for (int k = 0; k < 2; k++)
            if (f->size[k].tape && !f->lanes[i].instance[k].program[kind])
                TRY(make_program(f, &f->size[k], kind, &f->lanes[i].instance[k].program[kind]));
    return STATUS_OK;
}

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
    for (int i = 2; i < f->n_inputs; i++) *input++ = f->parameters[i - 2];
    *input++ = job->a ? job->a + at : NULL;
    if (with_theta(job->kind)) {
        *output++ = job->ybar + at;
        for (int i = 0; i < f->n_float; i++) *output++ = thetabar + f->theta_offset[i];
    }
    if (job->dy) *output++ = job->dy + at;
    for (int i = 0; residual && i < size->n_kept; i++) {
        if (job->kind == EVAL_KEEP) *output++ = residual + size->kept_offset[i];
        else *input++ = residual + size->kept_offset[i];
    }
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

/* Room for the addresses of what is kept, once it is known how much that is. */
static enum status ensure_pointers(struct tape_field *f)
{
    for (int64_t i = 0; i < f->n_lanes; i++)
        for (int k = 0; k < 2; k++) {
            struct instance *instance = &f->lanes[i].instance[k];
            int wanted = 1 + f->size[k].n_kept;
            if (instance->room >= wanted) continue;
            void *inputs = memory_realloc(instance->inputs, (size_t)(f->n_inputs + 1 + wanted) * sizeof(void *));
            if (!inputs) return memory_status();
            instance->inputs = inputs;
            void *outputs = memory_realloc(instance->outputs, (size_t)(f->n_inputs + 2 + wanted) * sizeof(void *));
            if (!outputs) return memory_status();
            instance->outputs = outputs;
            instance->room = wanted;
        }
    return STATUS_OK;
}

static enum status run_job(struct job *job)
{
    struct tape_field *f = job->f;
    TRY(ensure_programs(f, job->kind));
    TRY(ensure_pointers(f));
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

static enum status tape_field_kept_bytes(struct field *self, int64_t *bytes)
{
    struct tape_field *f = (struct tape_field *)self;
    for (int k = 0; k < 2; k++) {
        struct size *size = &f->size[k];
        if (!size->tape) continue;
        if (!size->vjp) TRY(make_vjp(f, size));
        if (!size->kept_vjp) TRY(make_kept(f, size));
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
    for (int k = 0; k < 2; k++) {
        struct size *size = &f->size[k];
        tape_release(size->tape);
        tape_release(size->vjp);
        tape_release(size->kept_vjp);
        void *owned[] = {size->vjp_outputs, size->kept_outputs, size->kept, size->kept_offset};
        for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) memory_free(owned[i]);
    }
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
    f->size[0] = (struct size){.rows = 1};
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
        for (int k = 0; k < 2; k++) {
            lane->instance[k].inputs = memory_zalloc((size_t)f->n_inputs + 2, sizeof(void *));
            lane->instance[k].outputs = memory_zalloc((size_t)f->n_inputs + 3, sizeof(void *));
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
    f->base = (struct field){.n = y->shape[0], .dtype = y->dtype, .eval = tape_field_eval, .vjp = tape_field_vjp,
                            .kept_bytes = tape_field_kept_bytes, .eval_keep = tape_field_eval_keep, .vjp_kept = tape_field_vjp_kept,
                            .free = tape_field_free};
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
