/* Running a program, and what is to be known of it. */
#include "autodiff/program.h"

#include "autodiff/program_memory.h"
#include "autodiff/program_small.h"
#include "base/interrupt.h"
#include "base/memory.h"

void program_free(struct program *p)
{
    if (!p) return;
    for (int i = 0; i < p->n_calls; i++) {
        memory_free(p->calls[i].plan);
        object_release(p->attrs[i].object);
    }
    for (int i = 0; i < p->n_constants; i++) tensor_release(p->constants[i]);
    void *blocks[] = {p->calls,   p->call_out, p->attrs,  p->scratch_position, p->call_in,  p->arrays,
                      p->patches, p->small,    p->values, p->constants,        p->literals, p->inputs,
                      p->outputs, p->arena,    p};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

enum status program_run(struct program *p, const void *const *inputs, void *const *outputs)
{
    if (p->running)
        return status_set(
            STATUS_UNSUPPORTED,
            "this compiled function is running already; it cannot be called from inside itself");
    p->running = 1;
    for (int i = 0; i < p->n_patches; i++) {
        const struct patch *patch = &p->patches[i];
        const char *base = patch->place == INPUT ? inputs[patch->slot] : outputs[patch->slot];
        *patch->field = (void *)(uintptr_t)(base + patch->offset);
    }
    enum status status = STATUS_OK;
    interrupt_begin();
    if (p->small) status = program_run_small(p);
    for (int i = 0; !p->small && i < p->n_calls && status == STATUS_OK && !interrupt_stop(); i++)
        status = p->calls[i].run(&p->calls[i]);
    status = interrupt_end(status);
    p->running = 0;
    return status;
}

int program_n_inputs(const struct program *p) { return p->n_inputs; }
int program_n_outputs(const struct program *p) { return p->n_outputs; }
const struct array *program_input(const struct program *p, int i) { return &p->inputs[i]; }
const struct array *program_output(const struct program *p, int i) { return &p->outputs[i]; }
int program_n_calls(const struct program *p) { return p->n_calls; }
size_t program_arena_bytes(const struct program *p) { return p->arena_bytes; }

struct program_value program_value(const struct program *p, int value)
{
    const struct value_plan *v = &p->values[value], *root = &p->values[v->root];
    struct program_value out = {
        .root = v->root, .kind = VALUE_COMPUTED, .slot = root->slot, .layout = &v->layout};
    if (root->place == INPUT) out.kind = VALUE_INPUT;
    if (root->place == OUTPUT) out.kind = VALUE_OUTPUT;
    if (root->place == FIXED) {
        out.kind = VALUE_CONSTANT;
        out.constant = root->fixed;
    }
    return out;
}

const struct call *program_call(const struct program *p, int i, const int **in, int *out, int *over)
{
    const struct call *c = &p->calls[i];
    *in = p->call_in + (c->in - p->arrays);
    *out = p->call_out[i];
    *over = -1;
    const struct value_plan *written = &p->values[*out];
    for (int j = 0; j < c->n_in; j++) {
        const struct value_plan *root = &p->values[p->values[(*in)[j]].root];
        if (written->place == ARENA && root->place == ARENA && root->position == written->position &&
            written->bytes > 0)
            *over = (*in)[j];
    }
    return c;
}
