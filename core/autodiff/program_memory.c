#include "autodiff/program_memory.h"

#include "base/memory.h"

struct hole {
    int64_t position, bytes;
};

struct arena {
    struct hole *hole;
    int n_holes;
    int64_t end;
};

static int64_t round_up(size_t bytes)
{
    return bytes > 0 ? (int64_t)((bytes + MEMORY_SLACK + 63) & ~(size_t)63) : 0;
}

static int64_t arena_take(struct arena *a, size_t wanted)
{
    int64_t bytes = round_up(wanted);
    int best = -1;
    for (int i = 0; i < a->n_holes; i++)
        if (a->hole[i].bytes >= bytes && (best < 0 || a->hole[i].bytes < a->hole[best].bytes)) best = i;
    if (best < 0) {
        a->end += bytes;
        return a->end - bytes;
    }
    int64_t position = a->hole[best].position;
    a->hole[best].position += bytes;
    a->hole[best].bytes -= bytes;
    if (a->hole[best].bytes == 0) a->hole[best] = a->hole[--a->n_holes];
    return position;
}

static void arena_give(struct arena *a, int64_t position, size_t size)
{
    int64_t bytes = round_up(size);
    if (bytes == 0) return;
    for (int i = 0; i < a->n_holes;) { /* join with neighbours */
        struct hole h = a->hole[i];
        if (h.position + h.bytes == position || position + bytes == h.position) {
            position = h.position < position ? h.position : position;
            bytes += h.bytes;
            a->hole[i] = a->hole[--a->n_holes];
        } else {
            i++;
        }
    }
    a->hole[a->n_holes++] = (struct hole){position, bytes};
}

/* May the call write its result over input `v`, which dies here? */
static int reusable(const struct program *p, const struct call *c, int index, int v)
{
    const struct value_plan *x = &p->values[v], *root = &p->values[x->root];
    const int *in = p->call_in + (c->in - p->arrays);
    for (int i = 0; i < c->n_in;
         i++) /* another view of the same memory would be overwritten while it is read */
        if (in[i] != v && p->values[in[i]].root == x->root) return 0;
    return (c->op->flags & OP_IN_PLACE) && root->place == ARENA && root->last_use == index &&
           x->offset == 0 && array_is_contiguous(&x->layout) && array_same_shape(&x->layout, &c->out) &&
           x->layout.dtype == c->out.dtype && root->bytes == array_bytes(&c->out);
}

enum status program_plan_memory(struct program *p)
{
    struct arena arena = {.hole =
                              memory_alloc((size_t)(2 * p->n_values + p->n_calls + 2) * sizeof(struct hole))};
    if (!arena.hole) return memory_status();
    const int *in = p->call_in;
    for (int i = 0; i < p->n_calls; in += p->calls[i++].n_in) {
        struct call *c = &p->calls[i];
        struct value_plan *out = &p->values[p->call_out[i]];
        int taken = -1;
        for (int j = 0; j < c->n_in && taken < 0 && out->place == ARENA; j++)
            if (reusable(p, c, i, in[j])) taken = p->values[in[j]].root;
        if (taken >= 0)
            out->position = p->values[taken].position;
        else if (out->place == ARENA)
            out->position = arena_take(&arena, out->bytes);
        p->scratch_position[i] = arena_take(&arena, c->scratch_bytes);
        arena_give(&arena, p->scratch_position[i], c->scratch_bytes);
        for (int j = 0; j < c->n_in; j++) {
            struct value_plan *root = &p->values[p->values[in[j]].root];
            if (root->place != ARENA || root->last_use != i || p->values[in[j]].root == taken) continue;
            arena_give(&arena, root->position, root->bytes);
            root->last_use = -2; /* given back once, even if read twice by this call */
        }
        if (out->place == ARENA && out->last_use < 0) arena_give(&arena, out->position, out->bytes);
    }
    memory_free(arena.hole);
    p->arena_bytes = (size_t)arena.end;
    p->arena = memory_alloc(p->arena_bytes);
    return p->arena ? STATUS_OK : memory_status();
}

static void set_address(struct program *p, void **field, int v)
{
    const struct value_plan *x = &p->values[v], *root = &p->values[x->root];
    switch (root->place) {
    case ARENA: *field = p->arena + root->position + x->offset; break;
    case FIXED: *field = root->fixed + x->offset; break;
    default: p->patches[p->n_patches++] = (struct patch){field, root->place, root->slot, x->offset};
    }
}

void program_set_addresses(struct program *p)
{
    const int *in = p->call_in;
    for (int i = 0; i < p->n_calls; in += p->calls[i++].n_in) {
        struct call *c = &p->calls[i];
        for (int j = 0; j < c->n_in; j++) set_address(p, &c->in[j].data, in[j]);
        set_address(p, &c->out.data, p->call_out[i]);
        c->scratch = p->arena + p->scratch_position[i];
    }
}
