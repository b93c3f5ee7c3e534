#include "autodiff/vjp.h"

#include <string.h>

#include "base/memory.h"

/* Mark the nodes of [0, n) that depend on one of x. */
static void mark_dependent(const struct tape *t, int n, const int *x, int n_x, char *marked)
{
    for (int i = 0; i < n_x; i++) marked[x[i]] = 1;
    for (int i = 0; i < n; i++) {
        const struct node *node = &t->nodes[i];
        if (!dtype_is_float(node->spec.dtype) || !op_table[node->op].vjp) continue;
        for (int j = 0; j < node->n_in && !marked[i]; j++) marked[i] = marked[node->in[j]];
    }
}

/* The axis along which two cotangents of slices of one tensor are neighbours, a first; -1: they are not. */
static int neighbours(const struct tape *t, int a, int b)
{
    const struct node *x = &t->nodes[a], *y = &t->nodes[b];
    if (x->op != OP_EMBED || y->op != OP_EMBED) return -1;
    const struct array *p = tape_spec(t, x->in[0]), *q = tape_spec(t, y->in[0]);
    int axis = -1;
    for (int i = 0; i < p->rank; i++) {
        const int64_t *s = x->attrs->v + 3 * i, *r = y->attrs->v + 3 * i;
        if (s[0] == r[0] && p->shape[i] == q->shape[i] && (s[1] == r[1] || p->shape[i] == 1)) continue;
        if (axis >= 0 || (s[1] != 1 && p->shape[i] > 1) || (r[1] != 1 && q->shape[i] > 1)) return -1;
        if (s[0] + p->shape[i] != r[0]) return -1;
        axis = i;
    }
    return axis;
}

/* Inputs of one joint: the lists of a long chain stay linear in its length. */
#define MOST_JOINED 128

static int append_parts(const struct tape *t, int node, int axis, int *list, int n)
{
    const struct node *part = &t->nodes[node];
    if (part->op != OP_CAT || part->attrs->v[0] != axis || part->n_in >= MOST_JOINED) {
        list[n] = node;
        return n + 1;
    }
    memcpy(list + n, part->in, (size_t)part->n_in * sizeof *list);
    return n + part->n_in;
}

/* The sum of two such cotangents: side by side, not zeros around each of them that are added. */
static int join(struct tape *t, int a, int b, int axis)
{
    int list[2 * MOST_JOINED], x = t->nodes[a].in[0], y = t->nodes[b].in[0];
    struct attrs embed = *t->nodes[a].attrs;
    int n = append_parts(t, x, axis, list, 0);
    n = append_parts(t, y, axis, list, n);
    int both = tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {axis}}, list, n), whole = 1;
    if (both < 0) return -1;
    embed.v[3 * axis + 1] = 1;
    const struct array *p = tape_spec(t, both);
    for (int i = 0; i < p->rank; i++)
        whole &= embed.v[3 * i] == 0 && p->shape[i] == embed.v[3 * i + 2] &&
                 (embed.v[3 * i + 1] == 1 || p->shape[i] <= 1);
    return whole ? both : tape_emit(t, OP_EMBED, &embed, &both, 1);
}

static int sum_of(struct tape *t, int a, int b)
{
    if (a < 0 || b < 0) return -1;
    int axis = neighbours(t, a, b);
    if (axis >= 0) return join(t, a, b, axis);
    axis = neighbours(t, b, a);
    return axis >= 0 ? join(t, b, a, axis) : emit2(t, OP_ADD, a, b);
}

static void accumulate(struct tape *t, int *bar, int node, int value)
{
    if (value < 0) return;
    value = emit_sum_to(t, value, tape_spec(t, node));
    bar[node] = bar[node] < 0 ? value : sum_of(t, bar[node], value);
}

static enum status apply_rule(struct tape *t, int i, int *bar, const char *marked)
{
    int few_bars[8], n_in = t->nodes[i].n_in, *xbar = few_bars;
    char few_needs[8], *need = few_needs;
    void *block = NULL;
    if (n_in > 8) {
        if (!(block = memory_alloc((size_t)n_in * (sizeof(int) + 1)))) return memory_status();
        xbar = block;
        need = (char *)(xbar + n_in);
    }
    struct vjp v = {t, i, bar[i], n_in, t->nodes[i].in, t->nodes[i].attrs, need, xbar};
    for (int j = 0; j < n_in; j++) {
        xbar[j] = -1;
        need[j] = marked[v.in[j]];
    }
    op_table[t->nodes[i].op].vjp(&v);
    for (int j = 0; j < n_in; j++)
        if (need[j]) accumulate(t, bar, v.in[j], xbar[j]);
    memory_free(block);
    return tape_status(t);
}

enum status tape_vjp(struct tape *t, const int *y, const int *ybar, int n_y, const int *x, int n_x, int *xbar)
{
    TRY(tape_status(t));
    int n = 0;
    for (int i = 0; i < n_y; i++) n = y[i] >= n ? y[i] + 1 : n;
    for (int i = 0; i < n_x; i++) {
        n = x[i] >= n ? x[i] + 1 : n;
        if (!dtype_is_float(tape_spec(t, x[i])->dtype))
            return status_set(STATUS_DTYPE,
                              "derivatives exist with respect to float tensors only, got %s; convert with "
                              "x:to(\"float32\")",
                              dtype_name(tape_spec(t, x[i])->dtype));
    }
    char *marked = memory_zalloc((size_t)n, 1);
    int *bar = memory_alloc((size_t)n * sizeof *bar);
    enum status status = marked && bar ? STATUS_OK : memory_status();
    if (status == STATUS_OK) {
        for (int i = 0; i < n; i++) bar[i] = -1;
        mark_dependent(t, n, x, n_x, marked);
        for (int i = 0; i < n_y; i++)
            if (marked[y[i]]) accumulate(t, bar, y[i], ybar[i]);
        for (int i = n - 1; i >= 0 && status == STATUS_OK; i--)
            if (bar[i] >= 0 && marked[i] && op_table[t->nodes[i].op].vjp)
                status = apply_rule(t, i, bar, marked);
        for (int i = 0; i < n_x && status == STATUS_OK; i++) {
            xbar[i] = bar[x[i]];
            if (xbar[i] < 0) {
                struct array spec = *tape_spec(t, x[i]);
                xbar[i] = emit_broadcast(t, tape_literal(t, spec.dtype, 0), spec.rank, spec.shape);
            }
        }
    }
    memory_free(marked);
    memory_free(bar);
    return status == STATUS_OK ? tape_status(t) : status;
}

enum status tape_jvp(struct tape *t, const int *y, int n_y, const int *x, const int *v, int n_x, int *ydot)
{
    int *u = memory_alloc((size_t)(n_y + n_x) * sizeof *u), *xbar = u + n_y;
    if (!u) return memory_status();
    /* The cotangent is a placeholder: its value cancels, because the vjp is linear in it. */
    for (int i = 0; i < n_y; i++) {
        struct array spec = *tape_spec(t, y[i]);
        u[i] = emit1(t, OP_ALIAS, emit_broadcast(t, tape_literal(t, spec.dtype, 0), spec.rank, spec.shape));
    }
    enum status status = tape_status(t);
    if (status == STATUS_OK) status = tape_vjp(t, y, u, n_y, x, n_x, xbar);
    if (status == STATUS_OK) status = tape_vjp(t, xbar, v, n_x, u, n_y, ydot);
    memory_free(u);
    return status;
}
