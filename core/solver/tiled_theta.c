#include "solver/tiled_theta.h"

#include <string.h>

#include "base/memory.h"
#include "kernels/loops.h"

enum { NOWHERE = -1, SHARED = 0 };

/* Which parameters a field shares among the samples; returns whether it has others. */
static int look(const struct tiled_theta *t, const struct field *f)
{
    int others = 0;
    for (int i = 0; f && i < f->n_sources; i++) {
        const struct field_source *s = &f->sources[i];
        others |= s->batch > 0;
        if (s->parameter < 0) continue;
        t->size[s->parameter] = s->batch > 0 ? s->n / f->independent * s->batch : s->n;
        if (s->batch == 0 && s->used) t->of[s->parameter] = SHARED;
    }
    return others;
}

static void place(struct tiled_theta *t)
{
    for (int i = 0; i < t->n; i++) {
        t->at[i] = t->whole;
        t->whole += t->size[i];
        if (t->of[i] == NOWHERE) continue;
        t->of[i] = t->shared;
        t->shared += t->size[i];
    }
}

enum status tiled_theta_new(struct tiled_theta *t, const struct field *f, const struct events *e)
{
    int others, n = 0;
    *t = (struct tiled_theta){0};
    for (int i = 0; i < f->n_sources; i++) n += f->sources[i].parameter >= 0;
    if (f->n_sources == 0) return STATUS_OK;
    if (!(t->at = memory_zalloc(3 * (size_t)n + 1, sizeof *t->at))) return memory_status();
    t->n = n;
    t->of = t->at + n;
    t->size = t->of + n;
    for (int i = 0; i < n; i++) t->of[i] = NOWHERE;
    others = look(t, f);
    if (e) others |= look(t, e->g) | (e->n > 0);
    for (int i = 0; e && i < 2 * e->n; i++) look(t, events_change(e, i)->apply);
    if (others)
        place(t);
    else
        tiled_theta_free(t);
    return STATUS_OK;
}

void tiled_theta_free(struct tiled_theta *t)
{
    memory_free(t->at);
    *t = (struct tiled_theta){0};
}

int64_t tiled_theta_scratch(const struct field *f)
{
    int64_t n = 0;
    for (int i = 0; f && i < f->n_sources; i++) n += f->sources[i].n;
    return n;
}

static void add(enum dtype dtype, int64_t n, const void *x, void *out, int64_t at)
{
    char *to = (char *)out + (size_t)at * dtype_size(dtype);
    loops->combine[dtype](n, to, 1, (double[]){1}, &x, to);
}

/* Entries of the samples of f to their places; of each, `n` numbers. */
static void add_entries(struct field *f, int64_t n, const char *x, void *out, int64_t at)
{
    for (int64_t i = 0; f->samples && i < f->independent; i++)
        add(f->dtype, n, x + (size_t)(i * n) * dtype_size(f->dtype), out, at + f->samples[i] * n);
    if (!f->samples) add(f->dtype, n * f->independent, x, out, at + f->first * n);
}

enum status tiled_theta_add(const struct tiled_theta *t, struct field *f, const void *own, void *part,
                            void *out, void *scratch)
{
    const char *x = scratch;
    TRY(field_theta_gradient(f, own, scratch));
    for (int i = 0; i < f->n_sources; i++) {
        const struct field_source *s = &f->sources[i];
        if (s->parameter >= 0 && s->batch > 0)
            add_entries(f, s->n / f->independent, x, out, t->at[s->parameter]);
        else if (s->parameter >= 0 && s->used)
            add(f->dtype, s->n, x, part, t->of[s->parameter]);
        x += (size_t)s->n * dtype_size(f->dtype);
    }
    return STATUS_OK;
}

void tiled_theta_end(const struct tiled_theta *t, enum dtype dtype, const void *shared, void *out)
{
    for (int i = 0; i < t->n; i++)
        if (t->of[i] != NOWHERE)
            add(dtype, t->size[i], (const char *)shared + (size_t)t->of[i] * dtype_size(dtype), out,
                t->at[i]);
}
