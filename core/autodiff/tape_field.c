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
#include "autodiff/field.h"
#include "autodiff/program.h"
#include "autodiff/staged.h"
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
    struct staged *staged[JOB_KINDS];
    int bound[JOB_KINDS]; /* to the parameters in force */
};

struct instance {
    struct program *program[JOB_KINDS];
    const void **inputs; /* t, y, the cotangent, what was kept, what is fixed */
    void **outputs;      /* ybar, one per float parameter, dy, what to keep */
    int room;            /* for things kept and fixed */
};

struct lane {
    struct instance instance[2]; /* of each size */
    char *theta_part;
};

struct tape_field {
    struct field base;
    struct staged *simplified; /* of the whole batch: its body is the field, its fixed inputs are the field's parameters */
    int n_inputs, n_float;     /* of the body */
    int64_t *theta_offset;     /* bytes of each float parameter's gradient in thetabar */
    struct program *theta_vjp; /* inputs: the given parameters, then the gradients of the field's; NULL: none was needed yet */
    const void **theta_inputs;
    void **theta_outputs;
    const void **given;
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
        int dear = tape_node_work(t, node) >= DEAR;
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

/* The two stages of what a kind of job runs. */
static enum status make_staged(const struct tape_field *f, struct size *size, enum job_kind kind)
{
    const struct tape *tape = size->tape;
    int few[2], *outputs = size->vjp_outputs, n_outputs = 1 + f->n_float + (kind == VJP_AND_EVAL), *own = NULL;
    if (kind == EVAL) {
        few[0] = size->dy;
        outputs = few;
        n_outputs = 1;
    } else if (kind == VJP_KEPT) {
        tape = size->kept_vjp;
        outputs = size->kept_outputs;
    } else {
        tape = size->vjp;
    }
    char *varies = memory_alloc((size_t)tape->n_inputs);
    if (kind == EVAL_KEEP) {
        n_outputs = size->n_kept + 1;
        if ((outputs = own = memory_alloc((size_t)n_outputs * sizeof *own))) {
            own[0] = size->vjp_dy;
            memcpy(own + 1, size->kept, (size_t)size->n_kept * sizeof *own);
        }
    }
    enum status status = memory_status();
    if (varies && outputs) {
        for (int i = 0; i < tape->n_inputs; i++) varies[i] = i < 2 || i >= f->n_inputs;
        status = staged_new(&size->staged[kind], tape, varies, outputs, n_outputs, 1);
    }
    memory_free(varies);
    memory_free(own);
    return status;
}

static enum status ensure_staged(struct tape_field *f, struct size *size, enum job_kind kind, int bind)
{
    if (!size->staged[kind]) {
        if (kind != EVAL && !size->vjp) TRY(make_vjp(f, size));
        if ((kind == EVAL_KEEP || kind == VJP_KEPT) && !size->kept_vjp) TRY(make_kept(f, size));
        TRY(make_staged(f, size, kind));
    }
    if (size->bound[kind] || !bind) return STATUS_OK;
    size->bound[kind] = 1;
    return staged_bind(size->staged[kind], f->simplified->fixed);
}

/* Programs are made before the threads start: counted references are not for several threads at once. */
static enum status ensure_programs(struct tape_field *f, enum job_kind kind, int bind)
{
    for (int k = 0; k < 2; k++) {
        struct size *size = &f->size[k];
        if (!size->tape) continue;
        TRY(ensure_staged(f, size, kind, bind));
        const struct staged *staged = size->staged[kind];
        for (int64_t i = 0; i < f->n_lanes; i++)
            if (!f->lanes[i].instance[k].program[kind])
                TRY(program_new(&f->lanes[i].instance[k].program[kind], staged->body, staged->outputs, staged->n_outputs));
    }
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
    TRY(ensure_programs(f, job->kind, 1));
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
            TRY(ensure_programs(f, kind, 0));
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
    TRY(ensure_programs(f, kind, 0));
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
