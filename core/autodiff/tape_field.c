/* A field made from a tape, running: f and its vjp, whole or tile by tile.
 *
 * What depends on parameters alone is computed once, when they are bound: first what the simplified tape
 * takes from them (its results are the parameters that the solver's gradient is about; theta_gradient takes
 * it back to the real ones), then transposes and the like, which all kinds of work share. */
#include "autodiff/tape_field.h"

#include <string.h>

#include "base/memory.h"
#include "kernels/elementwise.h"

/* Arguments of one evaluation; NULL: it has none such. */
struct evaluation {
    struct tape_field *f;
    enum field_work work;
    const char *y, *a, *v;
    char *dy, *ybar, *thetabar, *residual;
};

/* Bytes before the samples of a tile in part k of y. */
static size_t place(const struct tape_field *f, const struct tile *tile, int k)
{
    return (size_t)(f->y_first[k] + tile->first * f->y_share[k]) * dtype_size(f->base.dtype);
}

static enum status evaluate_tile(void *context, struct tile *tile)
{
    const struct evaluation *e = context;
    struct tape_field *f = e->f;
    const struct tape_part *part = &f->part[tile->size];
    struct tape_lane *lane = &f->lanes[tile->lane];
    char *residual = e->residual ? e->residual + tile->index * f->part[0].kept_bytes : NULL,
         *thetabar = tile->thetabar;
    const void **input = lane->inputs;
    void **output = lane->outputs;
    *input++ = f->abreast > 0 ? f->moments : &f->time;
    for (int k = 0; k < f->n_y; k++) *input++ = e->y + place(f, tile, k);
    for (int k = 0; k < f->n_entries; k++)
        *input++ = f->entries[k].data + (size_t)tile->first * f->entries[k].share;
    for (int k = 0; k < f->n_y && (f->works & FIELD_DIRECTED); k++)
        *input++ = e->a ? e->a + place(f, tile, k) : NULL;
    if (f->works & FIELD_MASK(FIELD_CURVE)) {
        *input++ = e->v ? e->v + place(f, tile, 0) : NULL;
        *input++ = &f->share_of_time;
    }
    if (e->ybar) {
        for (int k = 0; k < f->n_y; k++) *output++ = e->ybar + place(f, tile, k);
        for (int i = 0; i < f->n_float; i++) *output++ = thetabar + f->theta_offset[i];
    }
    for (int k = 0; k < f->n_y && e->dy; k++) *output++ = e->dy + place(f, tile, k);
    for (int i = 0; residual && i < part->n_kept; i++) {
        if (e->work == FIELD_EVAL_KEEP)
            *output++ = residual + part->kept_offset[i];
        else
            *input++ = residual + part->kept_offset[i];
    }
    memcpy(input, part->own->fixed, (size_t)part->own->n_fixed * sizeof *input);
    return program_run(lane->program[tile->size][e->work], lane->inputs, lane->outputs);
}

static void take_times(struct tape_field *f)
{
    for (int64_t i = 0; i < f->abreast; i++)
        if (f->time_dtype == FLOAT32)
            ((float *)f->moments)[i] = (float)f->base.times[i];
        else
            ((double *)f->moments)[i] = f->base.times[i];
}

static enum status evaluate(struct evaluation *e, double t)
{
    struct tape_field *f = e->f;
    if (f->abreast > 0 && !f->base.autonomous)
        take_times(f);
    else if (f->time_dtype == FLOAT32)
        f->time.f32 = (float)t;
    else
        f->time.f64 = t;
    if (f->tiles.cut.n == 1)
        return evaluate_tile(e, &(struct tile){.rows = f->tiles.cut.rows, .thetabar = e->thetabar});
    return tiles_run(&f->tiles, &(struct tiles_job){.run = evaluate_tile, .context = e}, e->thetabar);
}

static enum status tape_field_eval(struct field *self, double t, const void *y, void *dy)
{
    return evaluate(
        &(struct evaluation){.f = (struct tape_field *)self, .work = FIELD_EVAL, .y = y, .dy = dy}, t);
}

static enum status tape_field_vjp(struct field *self, double t, const void *y, const void *a, void *dy,
                                  void *ybar, void *thetabar)
{
    return evaluate(&(struct evaluation){.f = (struct tape_field *)self,
                                         .work = dy ? FIELD_VJP_AND_EVAL : FIELD_VJP,
                                         .y = y,
                                         .a = a,
                                         .dy = dy,
                                         .ybar = ybar,
                                         .thetabar = thetabar},
                    t);
}

static enum status tape_field_eval_keep(struct field *self, double t, const void *y, void *dy, void *residual)
{
    return evaluate(
        &(struct evaluation){
            .f = (struct tape_field *)self, .work = FIELD_EVAL_KEEP, .y = y, .dy = dy, .residual = residual},
        t);
}

static enum status tape_field_vjp_kept(struct field *self, double t, const void *y, const void *a,
                                       const void *residual, void *ybar, void *thetabar)
{
    return evaluate(&(struct evaluation){.f = (struct tape_field *)self,
                                         .work = FIELD_VJP_KEPT,
                                         .y = y,
                                         .a = a,
                                         .ybar = ybar,
                                         .thetabar = thetabar,
                                         .residual = (char *)(uintptr_t)residual},
                    t);
}

static enum status tape_field_jvp(struct field *self, double t, const void *y, const void *v, void *ydot)
{
    return evaluate(
        &(struct evaluation){.f = (struct tape_field *)self, .work = FIELD_JVP, .y = y, .a = v, .dy = ydot},
        t);
}

static enum status tape_field_rate(struct field *self, double t, const void *y, void *dfdt)
{
    return evaluate(
        &(struct evaluation){.f = (struct tape_field *)self, .work = FIELD_RATE, .y = y, .dy = dfdt}, t);
}

static enum status tape_field_curve(struct field *self, double t, const void *y, const void *v, double c,
                                    const void *a, void *ybar, void *thetabar)
{
    struct tape_field *f = (struct tape_field *)self;
    if (f->time_dtype == FLOAT32)
        f->share_of_time.f32 = (float)c;
    else
        f->share_of_time.f64 = c;
    return evaluate(
        &(struct evaluation){
            .f = f, .work = FIELD_CURVE, .y = y, .a = a, .v = v, .ybar = ybar, .thetabar = thetabar},
        t);
}

/* The entries of `n` samples, of a constant that is a view. */
static void copy_entries(const struct field_source *s, int64_t first, int64_t n, char *out)
{
    struct array view = s->constant->array;
    int64_t each = view.stride[0] * view.shape[0] / s->batch;
    view.data = (char *)view.data + first * each * (int64_t)dtype_size(view.dtype);
    view.shape[0] = view.shape[0] / s->batch * n;
    array_copy_dense(&view, out);
}

/* Those of samples that are no neighbours. */
static void gather_entries(const struct tape_field *f, const struct field_source *s, const char *all)
{
    int dense = !s->constant || array_is_contiguous(&s->constant->array);
    for (int64_t i = 0; i < f->abreast; i++) {
        char *out = s->room + (size_t)i * s->share;
        if (dense)
            memcpy(out, all + (size_t)f->base.samples[i] * s->share, s->share);
        else
            copy_entries(s, f->base.samples[i], 1, out);
    }
}

/* What belongs to the samples at hand. */
static void give_entries(struct tape_field *f, const void *const *parameters)
{
    for (int i = 0; i < f->base.n_sources; i++) {
        const struct field_source *s = &f->base.sources[i];
        const char *all = s->constant ? s->constant->array.data : parameters[s->parameter];
        f->given[i] = s->room ? s->room : all + (size_t)f->base.first * s->share;
        if (s->room && f->abreast > 0)
            gather_entries(f, s, all);
        else if (s->room)
            copy_entries(s, f->base.first, f->base.independent, s->room);
    }
}

static enum status tape_field_bind(struct field *self, const void *const *parameters)
{
    struct tape_field *f = (struct tape_field *)self;
    int n = f->simplified->split.setup->n_inputs;
    if (self->n_sources > 0)
        give_entries(f, parameters);
    else if (n > 0)
        memcpy(f->given, parameters, (size_t)n * sizeof *parameters);
    TRY(staged_bind(f->simplified, f->given));
    for (int k = 0; k < 2; k++)
        if (f->part[k].own) TRY(staged_bind(f->part[k].own, f->simplified->fixed));
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
    for (int i = 0; i < self->n_sources; i++) memory_free(self->sources[i].room);
    memory_free(self->sources);
    memory_free(f);
}

enum status field_from_tape(struct field **out, struct tape *tape, int dy, int64_t batch)
{
    static const struct field_type type = {.name = "a recorded function",
                                           .can = tape_field_can,
                                           .prepare = tape_field_prepare,
                                           .bind = tape_field_bind,
                                           .eval = tape_field_eval,
                                           .eval_keep = tape_field_eval_keep,
                                           .vjp = tape_field_vjp,
                                           .vjp_kept = tape_field_vjp_kept,
                                           .theta_gradient = tape_field_theta_gradient,
                                           .jvp = tape_field_jvp,
                                           .rate = tape_field_rate,
                                           .curve = tape_field_curve,
                                           .tangent = tape_field_tangent,
                                           .rescaled = tape_field_rescaled,
                                           .emit = tape_field_emit,
                                           .cut = tape_field_cut,
                                           .abreast = tape_field_abreast,
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
