/* A field made from a tape, running: f and its vjp, whole or tile by tile.
 *
 * What depends on parameters alone is computed once, when they are bound: first what the simplified tape
 * takes from them (its results are the parameters that the solver's gradient is about; theta_gradient takes
 * it back to the real ones), then transposes and the like, which all kinds of work share.
 *
 * Parameter gradients are added up over the tiles of a chunk, then over the chunks, in order: the result does
 * not depend on the number of threads. */
#include "autodiff/tape_field.h"

#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/loops.h"

struct tile_job {
    struct tape_field *f;
    enum field_work work;
    const char *y, *a;
    char *dy, *ybar, *thetabar, *residual;
    int64_t n_chunks;
    _Atomic int64_t next;
    _Atomic int failed; /* status of the first failure */
    char message[1024];
};

static enum status run_tile(const struct tile_job *job, struct tile_lane *lane, int64_t tile, char *thetabar)
{
    struct tape_field *f = job->f;
    int k = f->size[1].tape && tile == f->n_tiles - 1;
    const struct tile_size *size = &f->size[k];
    size_t at = (size_t)(tile * f->size[0].rows * f->share) * dtype_size(f->base.dtype);
    char *residual = job->residual ? job->residual + tile * f->size[0].kept_bytes : NULL;
    const void **input = lane->inputs;
    void **output = lane->outputs;
    *input++ = &f->time;
    *input++ = job->y + at;
    if (f->works & FIELD_DIRECTED) *input++ = job->a ? job->a + at : NULL;
    if (field_has_theta(job->work)) {
        *output++ = job->ybar + at;
        for (int i = 0; i < f->n_float; i++) *output++ = thetabar + f->theta_offset[i];
    }
    if (job->dy) *output++ = job->dy + at;
    for (int i = 0; residual && i < size->n_kept; i++) {
        if (job->work == FIELD_EVAL_KEEP)
            *output++ = residual + size->kept_offset[i];
        else
            *input++ = residual + size->kept_offset[i];
    }
    memcpy(input, size->own->fixed, (size_t)size->own->n_fixed * sizeof *input);
    return program_run(lane->program[k][job->work], lane->inputs, lane->outputs);
}

static enum status run_chunk(const struct tile_job *job, struct tile_lane *lane, int64_t chunk)
{
    const struct tape_field *f = job->f;
    int theta = field_has_theta(job->work);
    char *sum = theta ? f->chunks + (size_t)(chunk * f->base.n_theta) * dtype_size(f->base.dtype) : NULL;
    int64_t first = chunk * f->n_tiles / job->n_chunks, end = (chunk + 1) * f->n_tiles / job->n_chunks;
    for (int64_t tile = first; tile < end; tile++) {
        TRY(run_tile(job, lane, tile, tile == first ? sum : lane->theta_part));
        if (theta && tile > first)
            loops->combine[f->base.dtype](f->base.n_theta, sum, 1, (double[]){1},
                                          (const void *[]){lane->theta_part}, sum);
    }
    return STATUS_OK;
}

static void lane_task(void *context, int64_t index)
{
    struct tile_job *job = context;
    for (int64_t chunk; !job->failed && (chunk = atomic_fetch_add(&job->next, 1)) < job->n_chunks;) {
        enum status status = run_chunk(job, &job->f->lanes[index], chunk);
        int none = STATUS_OK;
        if (status != STATUS_OK && atomic_compare_exchange_strong(&job->failed, &none, (int)status))
            strncpy(job->message, status_message(),
                    sizeof job->message - 1); /* messages are kept per thread */
    }
}

static enum status run_job(struct tile_job *job, double t)
{
    struct tape_field *f = job->f;
    if (f->time_dtype == FLOAT32)
        f->time.f32 = (float)t;
    else
        f->time.f64 = t;
    if (f->n_tiles == 1) return run_tile(job, &f->lanes[0], 0, job->thetabar);
    job->n_chunks = field_has_theta(job->work) ? f->n_chunks : f->n_tiles;
    threads_for(f->n_lanes, lane_task, job);
    if (job->failed) return status_set((enum status)job->failed, "%s", job->message);
    if (!field_has_theta(job->work) || f->base.n_theta == 0) return STATUS_OK;
    double ones[FIELD_CHUNKS];
    const void *parts[FIELD_CHUNKS];
    for (int64_t i = 0; i < f->n_chunks; i++) {
        ones[i] = 1;
        parts[i] = f->chunks + (size_t)(i * f->base.n_theta) * dtype_size(f->base.dtype);
    }
    loops->combine[f->base.dtype](f->base.n_theta, NULL, (int)f->n_chunks, ones, parts, job->thetabar);
    return STATUS_OK;
}

static enum status tape_field_eval(struct field *self, double t, const void *y, void *dy)
{
    struct tile_job job = {.f = (struct tape_field *)self, .work = FIELD_EVAL, .y = y, .dy = dy};
    return run_job(&job, t);
}

static enum status tape_field_vjp(struct field *self, double t, const void *y, const void *a, void *dy,
                                  void *ybar, void *thetabar)
{
    struct tile_job job = {.f = (struct tape_field *)self,
                           .work = dy ? FIELD_VJP_AND_EVAL : FIELD_VJP,
                           .y = y,
                           .a = a,
                           .dy = dy,
                           .ybar = ybar,
                           .thetabar = thetabar};
    return run_job(&job, t);
}

static enum status tape_field_eval_keep(struct field *self, double t, const void *y, void *dy, void *residual)
{
    struct tile_job job = {
        .f = (struct tape_field *)self, .work = FIELD_EVAL_KEEP, .y = y, .dy = dy, .residual = residual};
    return run_job(&job, t);
}

static enum status tape_field_vjp_kept(struct field *self, double t, const void *y, const void *a,
                                       const void *residual, void *ybar, void *thetabar)
{
    struct tile_job job = {.f = (struct tape_field *)self,
                           .work = FIELD_VJP_KEPT,
                           .y = y,
                           .a = a,
                           .ybar = ybar,
                           .thetabar = thetabar,
                           .residual = (char *)(uintptr_t)residual};
    return run_job(&job, t);
}

static enum status tape_field_jvp(struct field *self, double t, const void *y, const void *v, void *ydot)
{
    struct tile_job job = {.f = (struct tape_field *)self, .work = FIELD_JVP, .y = y, .a = v, .dy = ydot};
    return run_job(&job, t);
}

static enum status tape_field_bind(struct field *self, const void *const *parameters)
{
    struct tape_field *f = (struct tape_field *)self;
    int n = f->simplified->split.setup->n_inputs;
    if (n > 0) memcpy(f->given, parameters, (size_t)n * sizeof *parameters);
    TRY(staged_bind(f->simplified, f->given));
    for (int k = 0; k < 2; k++)
        if (f->size[k].tape) TRY(staged_bind(f->size[k].own, f->simplified->fixed));
    return STATUS_OK;
}

static enum status tape_field_theta_gradient(struct field *self, const void *own, void *thetabar)
{
    struct tape_field *f = (struct tape_field *)self;
    int n = f->simplified->split.setup->n_inputs, n_out = program_n_outputs(f->theta_vjp);
    for (int i = 0; i < n; i++) f->theta_inputs[i] = f->given[i];
    for (int i = 0; i < f->n_float; i++) f->theta_inputs[n + i] = (const char *)own + f->theta_offset[i];
    char *out = thetabar;
    for (int i = 0; i < n_out; out += array_bytes(program_output(f->theta_vjp, i++)))
        f->theta_outputs[i] = out;
    return program_run(f->theta_vjp, f->theta_inputs, f->theta_outputs);
}

static void tape_field_free(struct field *self)
{
    struct tape_field *f = (struct tape_field *)self;
    tape_field_unprepare(f);
    tape_release(f->source);
    memory_free(f);
}

enum status field_from_tape(struct field **out, struct tape *tape, int dy, int64_t batch)
{
    static const struct field_type type = {.name = "a recorded function",
                                           .prepare = tape_field_prepare,
                                           .bind = tape_field_bind,
                                           .eval = tape_field_eval,
                                           .eval_keep = tape_field_eval_keep,
                                           .vjp = tape_field_vjp,
                                           .vjp_kept = tape_field_vjp_kept,
                                           .theta_gradient = tape_field_theta_gradient,
                                           .jvp = tape_field_jvp,
                                           .tangent = tape_field_tangent,
                                           .cut = tape_field_cut,
                                           .cost = tape_field_cost,
                                           .explain = tape_field_explain,
                                           .free = tape_field_free};
    TRY(tape_status(tape));
    const struct array *y = tape_spec(tape, tape->inputs[1]);
    struct tape_field *f = memory_zalloc(1, sizeof *f);
    if (!f) return memory_status();
    f->base = (struct field){.type = &type, .n = y->shape[0], .dtype = y->dtype, .batch = batch};
    f->source = tape_retain(tape);
    f->source_dy = dy;
    *out = &f->base;
    return STATUS_OK;
}
