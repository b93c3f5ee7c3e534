#include "autodiff/staged.h"

#include <string.h>

#include "base/memory.h"

static size_t round_up(size_t bytes) { return (bytes + MEMORY_SLACK + 63) & ~(size_t)63; }

/* The program of the setup, memory for what it computes, and where each fixed input comes from. */
static enum status make_setup(struct staged *s)
{
    const struct tape *t = s->split.setup;
    int n = 0, *outputs = memory_alloc((size_t)(s->n_fixed + 1) * sizeof *outputs);
    size_t bytes = 0;
    if (!outputs) return memory_status();
    for (int i = 0; i < s->n_fixed; i++) {
        int node = s->split.results[i];
        for (s->source[i] = 0; s->source[i] < t->n_inputs && t->inputs[s->source[i]] != node;) s->source[i]++;
        if (s->source[i] < t->n_inputs) continue;
        s->source[i] = -1 - n;
        outputs[n++] = node;
        bytes += round_up(array_bytes(tape_spec(t, node)));
    }
    enum status status = n > 0 ? program_new(&s->setup, t, outputs, n) : STATUS_OK;
    if (status == STATUS_OK && !(s->block = memory_alloc(bytes))) status = memory_status();
    bytes = 0;
    for (int i = 0; i < n && status == STATUS_OK; i++) {
        s->computed[i] = s->block + bytes;
        bytes += round_up(array_bytes(tape_spec(t, outputs[i])));
    }
    memory_free(outputs);
    return status;
}

static enum status make(struct staged *s, const struct tape *tape, const char *varies, const int *outputs,
                        int n_outputs, int transpose)
{
    TRY(tape_split(&s->split, tape, varies, outputs, n_outputs, transpose));
    s->n_fixed = s->split.n_results;
    s->n_outputs = n_outputs;
    s->outputs = memory_alloc((size_t)n_outputs * sizeof *s->outputs);
    s->fixed = memory_alloc((size_t)(s->n_fixed + 1) * sizeof *s->fixed);
    s->computed = memory_alloc((size_t)(s->n_fixed + 1) * sizeof *s->computed);
    s->source = memory_alloc((size_t)(s->n_fixed + 1) * sizeof *s->source);
    if (!s->outputs || !s->fixed || !s->computed || !s->source) return memory_status();
    memcpy(s->outputs, s->split.outputs, (size_t)n_outputs * sizeof *s->outputs);
    s->body = tape_retain(s->split.body);
    return make_setup(s);
}

enum status staged_new(struct staged **out, const struct tape *tape, const char *varies, const int *outputs,
                       int n_outputs, int transpose)
{
    struct staged *s = memory_zalloc(1, sizeof *s);
    if (!s) return memory_status();
    enum status status = make(s, tape, varies, outputs, n_outputs, transpose);
    if (status == STATUS_OK)
        *out = s;
    else
        staged_free(s);
    return status;
}

enum status staged_bind(struct staged *s, const void *const *given)
{
    for (int i = 0; i < s->n_fixed; i++)
        s->fixed[i] = s->source[i] >= 0 ? given[s->source[i]] : s->computed[-1 - s->source[i]];
    return s->setup ? program_run(s->setup, given, s->computed) : STATUS_OK;
}

void staged_free(struct staged *s)
{
    if (!s) return;
    program_free(s->setup);
    tape_release(s->body);
    tape_split_free(&s->split);
    memory_free(s->outputs);
    memory_free(s->fixed);
    memory_free(s->computed);
    memory_free(s->block);
    memory_free(s->source);
    memory_free(s);
}
