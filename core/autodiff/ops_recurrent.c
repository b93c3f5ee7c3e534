/* Rules of recurrent cells, PyTorch's formulas. gx, gh: what the weights made of the input and of the state,
 * gates side by side.
 *
 * GRU: r, z = sigmoid(gx + gh), s = tanh(gx + r gh), h' = s + z (h - s). Result {N, 4 n}: h', r, z, s.
 * LSTM: i, f, o = sigmoid(gx + gh), g = tanh(gx + gh), c' = f c + i g, t = tanh c', h' = o t. Result {N, 7
 * n}: h', c', i, f, g, o, t.
 *
 * What users take is the state in front, so a cotangent is zero behind it, and a gradient op does all at once
 * with what the step left there. Derivatives of that op, and cotangents of the rest, are those of the
 * formulas, emitted here. */
#include "autodiff/op_rules.h"
#include "autodiff/rule_formula.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "base/tuning.h"

/* ---- shapes ---- */

/* in[i] has columns[i] n columns; n is the width of input `unit`. */
static enum status infer_cell(struct call *c, int unit, const int *columns, int result)
{
    const struct array *state = &c->in[unit];
    char text[SHAPE_TEXT];
    for (int i = 0; i < c->n_in; i++) {
        const struct array *x = &c->in[i];
        int fits = x->rank == 2 && state->rank == 2 && x->shape[0] == state->shape[0] &&
                   x->shape[1] == columns[i] * state->shape[1] && x->dtype == state->dtype &&
                   dtype_is_float(x->dtype);
        if (!fits)
            return status_set(STATUS_SHAPE, "%s: operand %d must have %d columns for each unit, got %s",
                              c->op->name, i + 1, columns[i], array_shape_text(x, text));
    }
    return array_init(&c->out, state->dtype, 2, (int64_t[]){state->shape[0], result * state->shape[1]});
}

enum status infer_gru_cell(struct call *c) { return infer_cell(c, 2, (int[]){3, 3, 1}, 4); }
enum status infer_gru_cell_grad(struct call *c) { return infer_cell(c, 2, (int[]){4, 3, 1, 1}, 7); }
enum status infer_lstm_cell(struct call *c) { return infer_cell(c, 2, (int[]){4, 4, 1}, 7); }
enum status infer_lstm_cell_grad(struct call *c) { return infer_cell(c, 1, (int[]){7, 1, 2}, 5); }

/* ---- running ---- */

struct cell {
    recurrent_loop *loop;
    int64_t n, rows_of_task;
    const struct call *call;
};

static void run_rows(void *context, int64_t task)
{
    const struct cell *p = context;
    const struct call *c = p->call;
    const void *in[4];
    int64_t first = task * p->rows_of_task, size = (int64_t)dtype_size(c->out.dtype),
            rows = c->out.shape[0] - first < p->rows_of_task ? c->out.shape[0] - first : p->rows_of_task;
    for (int i = 0; i < c->n_in; i++) in[i] = (const char *)c->in[i].data + first * c->in[i].shape[1] * size;
    p->loop(rows, p->n, in, (char *)c->out.data + first * c->out.shape[1] * size);
}

static enum status run_cell(struct call *c)
{
    struct cell p = *(const struct cell *)c->plan;
    p.call = c;
    if (c->out.shape[0] <= p.rows_of_task)
        run_rows(&p, 0);
    else
        threads_for((c->out.shape[0] + p.rows_of_task - 1) / p.rows_of_task, run_rows, &p);
    return STATUS_OK;
}

static enum status prepare_cell(struct call *c, recurrent_loop *const loop[2], int unit)
{
    struct cell *p = c->plan = memory_zalloc(1, sizeof *p);
    if (!p) return memory_status();
    p->loop = loop[c->out.dtype];
    p->n = c->in[unit].shape[1];
    p->rows_of_task = ELEMENTWISE_TASK_ELEMENTS / (c->out.shape[1] + 1) + 1;
    c->run = run_cell;
    return STATUS_OK;
}

enum status prepare_gru_cell(struct call *c) { return prepare_cell(c, loops->gru_cell, 2); }
enum status prepare_gru_cell_grad(struct call *c) { return prepare_cell(c, loops->gru_cell_grad, 2); }
enum status prepare_lstm_cell(struct call *c) { return prepare_cell(c, loops->lstm_cell, 2); }
enum status prepare_lstm_cell_grad(struct call *c) { return prepare_cell(c, loops->lstm_cell_grad, 1); }

/* ---- formulas as ops ---- */

static int columns(struct tape *t, int x, int64_t first, int64_t length)
{
    int64_t rows = tape_spec(t, x)->shape[0];
    struct attrs slice = {.n = 6, .v = {0, 1, rows, first, 1, length}};
    return tape_emit(t, OP_SLICE, &slice, &x, 1);
}

static int product(struct tape *t, int x, int y) { return emit2(t, OP_MUL, x, y); }
static int plus(struct tape *t, int x, int y) { return emit2(t, OP_ADD, x, y); }
static int minus(struct tape *t, int x, int y) { return emit2(t, OP_SUB, x, y); }
static int beside(struct tape *t, const int *x, int n)
{
    return tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {1}}, x, n);
}

static int gru_formula(struct tape *t, const int *in)
{
    int64_t n = tape_spec(t, in[2])->shape[1];
    int rz = emit1(t, OP_SIGMOID, plus(t, columns(t, in[0], 0, 2 * n), columns(t, in[1], 0, 2 * n)));
    int r = columns(t, rz, 0, n), z = columns(t, rz, n, n);
    int s =
        emit1(t, OP_TANH, plus(t, columns(t, in[0], 2 * n, n), product(t, r, columns(t, in[1], 2 * n, n))));
    return beside(t, (int[]){plus(t, s, product(t, z, minus(t, in[2], s))), rz, s}, 3);
}

static int gru_grad_formula(struct tape *t, const int *in)
{
    int64_t n = tape_spec(t, in[2])->shape[1];
    int r = columns(t, in[0], n, n), z = columns(t, in[0], 2 * n, n), s = columns(t, in[0], 3 * n, n);
    int bar = in[3], kept = product(t, bar, z);
    int ds = emit2(t, OP_TANH_GRAD, s, minus(t, bar, kept));
    int dz = emit2(t, OP_SIGMOID_GRAD, z, product(t, bar, minus(t, in[2], s)));
    int dr = emit2(t, OP_SIGMOID_GRAD, r, product(t, ds, columns(t, in[1], 2 * n, n)));
    return beside(t, (int[]){dr, dz, ds, dr, dz, product(t, ds, r), kept}, 7);
}

static int lstm_formula(struct tape *t, const int *in)
{
    int64_t n = tape_spec(t, in[2])->shape[1];
    int sum = plus(t, in[0], in[1]), both = emit1(t, OP_SIGMOID, columns(t, sum, 0, 2 * n));
    int i = columns(t, both, 0, n), f = columns(t, both, n, n);
    int g = emit1(t, OP_TANH, columns(t, sum, 2 * n, n)), o = emit1(t, OP_SIGMOID, columns(t, sum, 3 * n, n));
    int next = plus(t, product(t, f, in[2]), product(t, i, g)), tanh = emit1(t, OP_TANH, next);
    return beside(t, (int[]){product(t, o, tanh), next, both, g, o, tanh}, 6);
}

static int lstm_grad_formula(struct tape *t, const int *in)
{
    int64_t n = tape_spec(t, in[1])->shape[1];
    int i = columns(t, in[0], 2 * n, n), f = columns(t, in[0], 3 * n, n), g = columns(t, in[0], 4 * n, n),
        o = columns(t, in[0], 5 * n, n), tanh = columns(t, in[0], 6 * n, n);
    int hbar = columns(t, in[2], 0, n);
    int cbar = plus(t, columns(t, in[2], n, n), emit2(t, OP_TANH_GRAD, tanh, product(t, hbar, o)));
    int list[] = {emit2(t, OP_SIGMOID_GRAD, i, product(t, cbar, g)),
                  emit2(t, OP_SIGMOID_GRAD, f, product(t, cbar, in[1])),
                  emit2(t, OP_TANH_GRAD, g, product(t, cbar, i)),
                  emit2(t, OP_SIGMOID_GRAD, o, product(t, hbar, tanh)), product(t, cbar, f)};
    return beside(t, list, 5);
}

/* ---- derivatives ---- */

void vjp_formula(struct vjp *v, int (*formula)(struct tape *t, const int *in))
{
    int in[5], bars[5], n_in = v->n_in, ybar = v->ybar;
    for (int i = 0; i < n_in; i++) in[i] = emit1(v->tape, OP_ALIAS, v->in[i]);
    int y = formula(v->tape, in);
    enum status status = tape_status(v->tape);
    if (status == STATUS_OK) status = tape_vjp(v->tape, &y, &ybar, 1, in, n_in, bars);
    if (status != STATUS_OK) {
        tape_fail(v->tape, status);
        return;
    }
    for (int i = 0; i < n_in; i++)
        if (v->need[i]) v->xbar[i] = bars[i];
}

/* The cotangent of the first `width` columns of y, where there is no other; else -1. */
static int front_cotangent(const struct vjp *v, int64_t width)
{
    const struct node *bar = &v->tape->nodes[v->ybar];
    if (bar->op != OP_EMBED) return -1;
    const int64_t *a = bar->attrs->v, *part = tape_spec(v->tape, bar->in[0])->shape;
    if (a[0] != 0 || a[1] != 1 || part[0] != a[2] || a[4] != 1 || a[3] + part[1] > width) return -1;
    return part[1] == width ? bar->in[0] : columns(v->tape, v->ybar, 0, width);
}

void vjp_gru_cell(struct vjp *v)
{
    struct tape *t = v->tape;
    int64_t n = tape_spec(t, v->in[2])->shape[1];
    int in[] = {v->in[0], v->in[1], v->in[2]}, front = front_cotangent(v, n);
    if (front < 0) {
        vjp_formula(v, gru_formula);
        return;
    }
    int all = tape_emit(t, OP_GRU_CELL_GRAD, NULL, (int[]){v->y, in[1], in[2], front}, 4);
    if (v->need[0]) v->xbar[0] = columns(t, all, 0, 3 * n);
    if (v->need[1]) v->xbar[1] = columns(t, all, 3 * n, 3 * n);
    if (v->need[2]) v->xbar[2] = columns(t, all, 6 * n, n);
}

void vjp_lstm_cell(struct vjp *v)
{
    struct tape *t = v->tape;
    int64_t n = tape_spec(t, v->in[2])->shape[1];
    int c = v->in[2], front = front_cotangent(v, 2 * n);
    if (front < 0) {
        vjp_formula(v, lstm_formula);
        return;
    }
    int all = tape_emit(t, OP_LSTM_CELL_GRAD, NULL, (int[]){v->y, c, front}, 3);
    if (v->need[0]) v->xbar[0] = columns(t, all, 0, 4 * n);
    if (v->need[1]) v->xbar[1] = columns(t, all, 0, 4 * n);
    if (v->need[2]) v->xbar[2] = columns(t, all, 4 * n, n);
}

void vjp_gru_cell_grad(struct vjp *v) { vjp_formula(v, gru_grad_formula); }
void vjp_lstm_cell_grad(struct vjp *v) { vjp_formula(v, lstm_grad_formula); }
