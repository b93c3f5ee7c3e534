#include "autodiff/separate.h"

#include <string.h>

#include "autodiff/op_rules.h"
#include "base/memory.h"

/* Of a node the axis that the samples are the outermost part of, in equal shares; NONE: it does not depend on
 * x; MIXED: samples have met. */
enum { NONE = -1, MIXED = -2 };

struct separate {
    const struct tape *t;
    int64_t batch;
    int *axis;
};

static const struct array *spec_in(const struct separate *s, const struct node *node, int j)
{
    return tape_spec(s->t, node->in[j]);
}

/* Axis `axis` of input j where it stands in a result to whose last axes the input is broadcast. */
static int aligned(const struct separate *s, const struct node *node, int j, int axis)
{
    const struct array *in = spec_in(s, node, j);
    int to = node->spec.rank - in->rank + axis;
    return to >= 0 && node->spec.shape[to] == in->shape[axis] ? to : MIXED;
}

static int reshaped(const struct separate *s, const struct node *node, int axis)
{
    const struct array *in = spec_in(s, node, 0), *out = &node->spec;
    int64_t before = 1, now = 1;
    for (int i = 0; i < axis; i++) before *= in->shape[i];
    for (int i = 0; i < out->rank && now <= before; now *= out->shape[i++])
        if (now == before && out->shape[i] % s->batch == 0) return i;
    return MIXED;
}

/* Rows of the first factor and columns of the second come through, and the axes before matrices. */
static int multiplied(const struct separate *s, const struct node *node, int j, int axis)
{
    int rank = spec_in(s, node, j)->rank, turned = node->attrs->v[j] != 0;
    int free = j == 0 ? rank - 2 + turned : rank - 1 - turned;
    if (axis < rank - 2) return aligned(s, node, j, axis);
    return axis == free ? node->spec.rank - 2 + j : MIXED;
}

static int sliced(const struct separate *s, const struct node *node, int axis)
{
    const int64_t *v = node->attrs->v + 3 * axis;
    return v[0] == 0 && v[1] == 1 && v[2] == spec_in(s, node, 0)->shape[axis] ? axis : MIXED;
}

/* An op that says how its first axis is cut. */
static int by_rule(const struct separate *s, const struct node *node, int j, int axis)
{
    struct attrs attrs = node->attrs ? *node->attrs : (struct attrs){0};
    const struct op *op = &op_table[node->op];
    struct cut c = {.in = {spec_in(s, node, 0), node->n_in > 1 ? spec_in(s, node, 1) : NULL},
                    .out = &node->spec,
                    .batch = s->batch,
                    .rows = 1,
                    .attrs = &attrs};
    if (axis != 0 || !op->cut || !op->cut(&c) || (op->batch == BATCH_IN_FIRST && j > 0)) return MIXED;
    return op->batch == BATCH_IN_ANY ? aligned(s, node, j, axis) : 0;
}

/* Where the samples in axis `axis` of input j are in the result. */
static int passed(const struct separate *s, const struct node *node, int j, int axis)
{
    const int64_t *v = node->attrs ? node->attrs->v : NULL;
    if (op_table[node->op].elementwise) return aligned(s, node, j, axis);
    switch (node->op) {
    case OP_ALIAS:
    case OP_STOP_GRADIENT:
    case OP_COPY:
    case OP_CAST: return axis;
    case OP_WHERE:
    case OP_BROADCAST: return aligned(s, node, j, axis);
    case OP_RESHAPE: return reshaped(s, node, axis);
    case OP_PERMUTE:
        for (int i = 0; i < node->spec.rank; i++)
            if (v[i] == axis) return i;
        return MIXED;
    case OP_MATMUL: return multiplied(s, node, j, axis);
    case OP_SLICE:
    case OP_EMBED: return sliced(s, node, axis);
    case OP_SUM:
    case OP_MAX:
    case OP_MIN: return v[0] >> axis & 1 ? MIXED : axis;
    case OP_CAT: return v[0] == axis ? MIXED : axis;
    case OP_TAKE:
    case OP_TAKE_GRAD: return v[0] == axis || j > 0 ? MIXED : axis;
    default: return by_rule(s, node, j, axis);
    }
}

/* All inputs that depend on x have to agree. */
static int axis_of(const struct separate *s, const struct node *node)
{
    int axis = NONE;
    for (int j = 0; j < node->n_in; j++) {
        int in = s->axis[node->in[j]], here = in < 0 ? in : passed(s, node, j, in);
        if (here == NONE) continue;
        if (axis == NONE) axis = here;
        if (here != axis) return MIXED;
    }
    return axis;
}

static int has_derivative(const struct tape *t, int i) { return dtype_is_float(t->nodes[i].spec.dtype); }

static void mark_live(const struct tape *t, int from, int to, char *live)
{
    live[to] = 1;
    for (int i = to; i > from; i--)
        for (int j = 0; live[i] && has_derivative(t, i) && j < t->nodes[i].n_in; j++)
            live[t->nodes[i].in[j]] = 1;
}

enum status tape_separate(const struct tape *t, int x, int64_t batch, int y, int *where)
{
    char *live = memory_zalloc((size_t)t->n, 1);
    struct separate s = {t, batch, memory_alloc((size_t)t->n * sizeof *s.axis)};
    enum status status = live && s.axis ? STATUS_OK : memory_status();
    *where = -1;
    if (status == STATUS_OK) {
        mark_live(t, x, y, live);
        for (int i = 0; i <= y; i++) s.axis[i] = NONE;
        s.axis[x] = 0;
        for (int i = x + 1; i <= y && *where < 0; i++) {
            const struct node *node = &t->nodes[i];
            if (!live[i] || !has_derivative(t, i)) continue;
            s.axis[i] = axis_of(&s, node);
            if (s.axis[i] == MIXED) *where = i;
        }
        if (*where < 0 && s.axis[y] > 0) *where = y;
    }
    memory_free(live);
    memory_free(s.axis);
    return status;
}
