/* What runs in a tile: the vjp, the values that are worth keeping between evaluation and vjp, programs. */
#include <string.h>

#include "autodiff/tape_field.h"
#include "autodiff/vjp.h"
#include "base/memory.h"
#include "base/tuning.h"

/* ---- the field in two stages ---- */

/* Inputs of the part's tape: t, y, parameters, what is cut beside y. */
static int first_parameter(const struct tape_field *f) { return 1 + f->n_y; }
static int n_parameters(const struct tape_field *f) { return f->n_inputs - 2; }
static int is_parameter(const struct tape_field *f, int input)
{
    return input >= first_parameter(f) && input < first_parameter(f) + n_parameters(f);
}

/* The outputs of `own`: dy, then those of the vjp, of the jvp, df/dt, of the second-order product. Returns
 * how many there are. */
static int place_outputs(const struct tape_field *f, struct tape_part *p, unsigned works)
{
    p->jvp_at = f->n_y + (works & FIELD_VJPS ? f->n_y + f->n_float : 0);
    p->rate_at = p->jvp_at + (works & FIELD_MASK(FIELD_JVP) ? 1 : 0);
    p->curve_at = p->rate_at + (works & FIELD_MASK(FIELD_RATE) ? 1 : 0);
    return p->curve_at + (works & FIELD_MASK(FIELD_CURVE) ? 1 + f->n_float : 0);
}

/* a^T by wrt, in the state's dtype, whatever that of the parameter. */
static enum status emit_gradients(const struct tape_field *f, struct tape *t, const int *y, const int *a,
                                  int n_y, const int *wrt, int n_wrt, int *out)
{
    TRY(tape_vjp(t, y, a, n_y, wrt, n_wrt, out));
    for (int i = 0; i < n_wrt; i++) out[i] = emit_cast(t, out[i], f->base.dtype);
    return STATUS_OK;
}

/* The second-order product: the gradient of df/dy v + c df/dt. */
static enum status emit_curve(const struct tape_field *f, struct tape *t, const int *inputs, int dy, int a,
                              const int *wrt, int n_wrt, int *out)
{
    const struct array y = *tape_spec(t, inputs[1]); /* a copy: nodes move when the tape grows */
    enum dtype time = tape_spec(t, inputs[0])->dtype;
    int v = tape_input(t, y.dtype, 1, y.shape), c = tape_input(t, time, 0, NULL), along;
    TRY(tape_jvp(t, &dy, 1, (int[]){inputs[1], inputs[0]}, (int[]){v, c}, 2, &along));
    return emit_gradients(f, t, &along, &a, 1, wrt, n_wrt, out);
}

/* The tape with its derivatives in a direction, which is the input behind those of the field; outputs as in
 * `own`. */
static enum status emit_derivatives(const struct tape_field *f, const struct tape_part *p, unsigned works,
                                    struct tape *t, int *inputs, int *outputs)
{
    int n_wrt = 0, n_y = f->n_y, *wrt = inputs + p->tape->n_inputs, direction[FIELD_PARTS];
    for (int i = 0; i < p->tape->n_inputs; i++) {
        const struct array *spec = tape_spec(p->tape, p->tape->inputs[i]);
        inputs[i] = tape_input(t, spec->dtype, spec->rank, spec->shape);
        int by = (i >= 1 && i <= n_y) || (is_parameter(f, i) && f->theta[2 + i - first_parameter(f)]);
        if (by) wrt[n_wrt++] = inputs[i];
    }
    if (f->works & FIELD_BY_TIME) wrt[n_wrt++] = inputs[0];
    for (int k = 0; k < n_y; k++) { /* the g of events have another length than y */
        const struct array *like = tape_spec(p->tape, works & FIELD_VJPS ? p->dy[k] : p->tape->inputs[1 + k]);
        direction[k] = tape_input(t, like->dtype, 1, like->shape);
    }
    TRY(tape_inline_outputs(t, p->tape, inputs, p->dy, n_y, outputs));
    if (works & FIELD_VJPS) TRY(emit_gradients(f, t, outputs, direction, n_y, wrt, n_wrt, outputs + n_y));
    if (works & FIELD_MASK(FIELD_JVP))
        TRY(tape_jvp(t, outputs, 1, inputs + 1, direction, 1, outputs + p->jvp_at));
    if (works & FIELD_MASK(FIELD_RATE)) {
        int one = tape_literal(t, tape_spec(t, inputs[0])->dtype, 1);
        TRY(tape_jvp(t, outputs, 1, inputs, &one, 1, outputs + p->rate_at));
    }
    if (works & FIELD_MASK(FIELD_CURVE))
        TRY(emit_curve(f, t, inputs, outputs[0], direction[0], wrt, n_wrt, outputs + p->curve_at));
    return tape_status(t);
}

static enum status make_derivatives(const struct tape_field *f, const struct tape_part *p, unsigned works,
                                    struct tape **out, int *outputs)
{
    int *inputs = memory_alloc((size_t)(2 * p->tape->n_inputs + 1) * sizeof *inputs);
    if (!inputs) return memory_status();
    struct tape *t = NULL;
    enum status status = tape_new(&t, NULL);
    if (status == STATUS_OK) status = emit_derivatives(f, p, works, t, inputs, outputs);
    memory_free(inputs);
    if (status == STATUS_OK)
        *out = t;
    else
        tape_release(t);
    return status;
}

static enum status make_own(const struct tape_field *f, struct tape_part *p, unsigned works)
{
    struct tape *tape = NULL;
    int n_outputs = place_outputs(f, p, works), *outputs = memory_alloc((size_t)n_outputs * sizeof *outputs);
    int n_inputs = p->tape->n_inputs + f->n_y + (works & FIELD_MASK(FIELD_CURVE) ? 2 : 0);
    char *varies = memory_alloc((size_t)n_inputs);
    enum status status = outputs && varies ? STATUS_OK : memory_status();
    if (status == STATUS_OK && n_outputs > f->n_y) {
        status = make_derivatives(f, p, works, &tape, outputs);
    } else if (status == STATUS_OK) {
        tape = tape_retain(p->tape);
        memcpy(outputs, p->dy, (size_t)n_outputs * sizeof *outputs);
    }
    if (status == STATUS_OK) {
        for (int i = 0; i < n_inputs; i++) varies[i] = !is_parameter(f, i);
        status = staged_new(&p->own, tape, varies, outputs, n_outputs, 1);
    }
    tape_release(tape);
    memory_free(outputs);
    memory_free(varies);
    return status;
}

/* ---- what to keep ---- */

/* What is said of each node of a tape. */
struct keeping {
    char *live;     /* an output needs it */
    char *backward; /* it depends on the cotangent */
    char *read;     /* the backward half reads it */
    char *dear;     /* it takes a dear op to compute it from what is kept so far */
    char *kept;
    char *wanted;  /* it is to be kept in place of what comes of it */
    int functions; /* they are dear as well as products */
};

static int reads_marked(const struct node *node, const char *mark)
{
    for (int j = 0; j < node->n_in; j++)
        if (mark[node->in[j]]) return 1;
    return 0;
}

/* An activation takes as long as some tens of multiply-adds. */
static int is_function(const struct node *node)
{
    const struct op *op = &op_table[node->op];
    return op->elementwise == ELEMENTWISE_UNARY && (op->flags & OP_FLOAT);
}

static void find_halves(const struct tape *t, const int *cotangents, int n, const int *outputs, int n_outputs,
                        struct keeping *k)
{
    tape_mark_live(t, outputs, n_outputs, k->live);
    for (int i = 0; i < n; i++) k->backward[cotangents[i]] = 1;
    for (int i = 0; i < t->n; i++) {
        const struct node *node = &t->nodes[i];
        k->backward[i] |= reads_marked(node, k->backward);
        for (int j = 0; k->live[i] && k->backward[i] && j < node->n_in; j++) k->read[node->in[j]] = 1;
    }
}

/* Kept are the nodes that the backward half reads and that are dear, and what is wanted. Returns how many
 * bytes that takes, through *count how many they are. */
static int64_t choose_kept(const struct tape *t, struct keeping *k, int *count)
{
    int64_t bytes = 0;
    *count = 0;
    for (int i = 0; i < t->n; i++) {
        const struct node *node = &t->nodes[i];
        k->dear[i] = k->kept[i] = 0;
        if (k->backward[i]) continue;
        k->dear[i] = tape_node_dearness(t, node) >= FIELD_DEAR || reads_marked(node, k->dear) ||
                     (k->functions && is_function(node));
        if (!k->dear[i] || !(k->wanted[i] || (k->live[i] && k->read[i]))) continue;
        if (node->op == OP_CUSTOM) continue; /* the gradient of a solve inside needs that solve to have run */
        k->dear[i] = 0;
        k->kept[i] = 1;
        bytes += (int64_t)array_bytes(&node->spec);
        ++*count;
    }
    return bytes;
}

/* Several values that come of one may take more memory than that one. Returns how many are kept. */
static int choose_fewest(const struct tape *t, struct keeping *k)
{
    int count, tried;
    choose_kept(t, k, &count);
    if (count == 0) return 0;
    k->functions = 1;
    int64_t bytes = choose_kept(t, k, &count);
    for (int i = 0; i < t->n && t->n <= KEEPING_MOST_NODES; i++) {
        if (!k->dear[i] || !k->live[i] || k->kept[i] || op_table[t->nodes[i].op].view) continue;
        k->wanted[i] = 1;
        int64_t other = choose_kept(t, k, &tried);
        k->wanted[i] = other < bytes;
        bytes = other < bytes ? other : bytes;
        choose_kept(t, k, &count);
    }
    return count;
}

/* An input of kept_tape for each input of the body and, after the cotangent, for each node that is kept. */
static void kept_inputs(struct tape_part *p, struct rewrite *r, int n_varying)
{
    const struct tape *body = r->from;
    for (int i = 0; i < n_varying; i++) rewrite_copy(r, body->inputs[i]);
    for (int i = 0; i < p->n_kept; i++) {
        const struct array *spec = tape_spec(body, p->kept[i]);
        p->kept_offset[i] = p->kept_bytes;
        p->kept_bytes += ((int64_t)array_bytes(spec) + 63) & ~INT64_C(63);
        r->copy[p->kept[i]] = tape_input(r->to, spec->dtype, spec->rank, spec->shape);
    }
    for (int i = n_varying; i < body->n_inputs; i++) rewrite_copy(r, body->inputs[i]);
    /* vector loads may run over the end, but not into what another thread is writing */
    if (p->n_kept > 0) p->kept_bytes += MEMORY_SLACK;
}

/* The body with the kept nodes as inputs; what only they needed is dead there. */
static enum status copy_with_kept(struct tape_part *p, const char *kept, int n_varying, int bars_at,
                                  int n_bars)
{
    struct rewrite r;
    const struct staged *own = p->own;
    TRY(rewrite_begin(&r, own->body));
    for (int i = 0, n = 0; i < own->body->n; i++)
        if (kept[i]) p->kept[n++] = i;
    kept_inputs(p, &r, n_varying);
    for (int i = 0; i < own->body->n; i++)
        if (r.copy[i] < 0 && rewrite_copy(&r, i) < 0) break;
    for (int i = 0; i < n_bars; i++) p->kept_outputs[i] = r.copy[own->outputs[bars_at + i]];
    enum status status = tape_status(r.to);
    rewrite_end(&r);
    p->kept_tape = r.to;
    return status;
}

static enum status make_kept(const struct tape_field *f, struct tape_part *p)
{
    const struct tape *body = p->own->body;
    int n_varying = body->n_inputs - p->own->n_fixed, n_bars = f->n_y + f->n_float;
    const int *cotangents = body->inputs + first_parameter(f) + f->n_entries;
    size_t n = (size_t)body->n;
    char *block = memory_zalloc(6, n);
    if (!block) return memory_status();
    struct keeping k = {block, block + n, block + 2 * n, block + 3 * n, block + 4 * n, block + 5 * n, 0};
    find_halves(body, cotangents, f->n_y, p->own->outputs + f->n_y, n_bars, &k);
    p->n_kept = choose_fewest(body, &k);
    p->kept = memory_alloc((size_t)(p->n_kept + 1) * sizeof *p->kept);
    p->kept_offset = memory_alloc((size_t)(p->n_kept + 1) * sizeof *p->kept_offset);
    p->kept_outputs = memory_alloc((size_t)n_bars * sizeof *p->kept_outputs);
    enum status status = p->kept && p->kept_offset && p->kept_outputs ? STATUS_OK : memory_status();
    if (status == STATUS_OK && p->n_kept > 0) status = copy_with_kept(p, k.kept, n_varying, f->n_y, n_bars);
    memory_free(block);
    return status;
}

enum status tape_part_make(struct tape_part *p, const struct tape_field *f, unsigned works)
{
    TRY(make_own(f, p, works));
    return works & FIELD_KEEPING ? make_kept(f, p) : STATUS_OK;
}

void tape_part_release(struct tape_part *p)
{
    tape_release(p->tape);
    tape_release(p->kept_tape);
    staged_free(p->own);
    memory_free(p->kept_outputs);
    memory_free(p->kept);
    memory_free(p->kept_offset);
    *p = (struct tape_part){0};
}

/* ---- programs ---- */

enum status tape_part_program(const struct tape_part *p, const struct tape_field *f, enum field_work work,
                              struct program **out)
{
    const struct staged *own = p->own;
    int n_y = f->n_y, bars = n_y + f->n_float;
    if (work == FIELD_EVAL) return program_new(out, own->body, own->outputs, n_y);
    if (work == FIELD_VJP) return program_new(out, own->body, own->outputs + n_y, bars);
    if (work == FIELD_JVP) return program_new(out, own->body, own->outputs + p->jvp_at, 1);
    if (work == FIELD_RATE) return program_new(out, own->body, own->outputs + p->rate_at, 1);
    if (work == FIELD_CURVE) return program_new(out, own->body, own->outputs + p->curve_at, bars);
    if (work == FIELD_VJP_KEPT) return program_new(out, p->kept_tape, p->kept_outputs, bars);
    int n = work == FIELD_EVAL_KEEP ? n_y + p->n_kept : bars + n_y,
        *outputs = memory_alloc((size_t)n * sizeof *outputs);
    if (!outputs) return memory_status();
    if (work == FIELD_EVAL_KEEP) {
        memcpy(outputs, own->outputs, (size_t)n_y * sizeof *outputs);
        memcpy(outputs + n_y, p->kept, (size_t)p->n_kept * sizeof *outputs);
    } else {
        memcpy(outputs, own->outputs + n_y, (size_t)bars * sizeof *outputs);
        memcpy(outputs + bars, own->outputs, (size_t)n_y * sizeof *outputs);
    }
    enum status status = program_new(out, own->body, outputs, n);
    memory_free(outputs);
    return status;
}
