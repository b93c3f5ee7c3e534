/* The derivative of a solve's gradient.
 *
 * With G(y0, theta, sbar) = J^T sbar and a cotangent u = (u_y, u_theta) of G, <u, G> = <J u, sbar>. J u is
 * the solution v of the tangent equation v' = f_y v + f_theta u_theta, v(t0) = u_y. So the derivative with
 * respect to sbar is v at the times, and that with respect to (y0, theta) is the vjp of the tangent solve.
 *
 * By times J u is that of the flow: y at t_i moves by f(t_i, y_i) u_i, too, and a solution that begins later
 * by u_0 has v(t0) = u_y - f(t0, y0) u_0. The ends of a grid of equal steps move all of its steps, so there
 * the solve is taken for the same from 0 to 1, with two more parameters, t0 and t1 (field_rescaled), and of
 * its times those between them alone move. */
#include <string.h>

#include "base/memory.h"
#include "solver/event.h"
#include "solver/odeint_op.h"

int64_t odeint_pairs(const struct odeint *op)
{
    return op->options.per_sample && op->layout.batch > 0 ? op->layout.batch : 1;
}

/* Does any of them end a solve? */
static int some_end(const struct events *e)
{
    int ends = 0;
    for (int i = 0; e && i < e->n; i++) ends |= e->rules[i].terminal > 0;
    return ends;
}

/* Or change its state? */
static int some_act(const struct events *e)
{
    int act = some_end(e);
    for (int i = 0; e && i < e->n; i++) act |= e->rules[i].change[0].apply != NULL;
    return act;
}

/* Pairs of y and v, with a mark of whether their solve has ended, or of when. */
static struct field_pairs pairs_of(const struct odeint *op)
{
    return (struct field_pairs){.samples = odeint_pairs(op), .mark = some_end(op->options.events)};
}

static enum status tangent_rule(const struct odeint *op, int i, struct event_rule *to)
{
    const struct events *e = op->options.events;
    const struct event_rule *from = &e->rules[i];
    struct field_event event = {op->field, e->g, from->change[0].apply, i, e->n};
    enum field_end end = op->options.ends_at_event ? FIELD_ENDS_TIME : FIELD_ENDS;
    to->direction = from->direction;
    to->terminal = from->terminal;
    memcpy(to->name, from->name, sizeof to->name);
    if (event.apply) TRY(field_tangent_jump(&event, pairs_of(op), FIELD_GOES_ON, &to->change[0].apply));
    if (from->terminal == 0) return STATUS_OK;
    if (from->change[1].apply) event.apply = from->change[1].apply;
    return field_tangent_jump(&event, pairs_of(op), end, &to->change[1].apply);
}

/* The same events of pairs. */
static enum status make_events(const struct odeint *op, struct events *to)
{
    struct field_event event = {.f = op->field, .g = op->options.events->g};
    TRY(field_of_pairs(&event, pairs_of(op), &to->g));
    for (int i = 0; i < to->n; i++) TRY(tangent_rule(op, i, &to->rules[i]));
    return STATUS_OK;
}

/* Those that are noted alone change nothing. */
static enum status tangent_events(const struct odeint *op, struct events **out)
{
    *out = NULL;
    if (!some_act(op->options.events)) return STATUS_OK;
    TRY(events_new(out, op->options.events->n));
    enum status status = make_events(op, *out);
    if (status == STATUS_OK) return STATUS_OK;
    events_free(*out);
    *out = NULL;
    return status;
}

/* The first states that were given are constants: pairs of them have a v of 0. */
static enum status pairs_of_start(const struct odeint *op, int64_t n, struct multistep *m, char **out)
{
    size_t size = dtype_size(op->field->dtype);
    int64_t samples = odeint_pairs(op), states = m->start ? m->past : 0;
    size_t share = (size_t)(op->field->n / samples) * size, pair = (size_t)(n / samples) * size;
    *out = memory_zalloc((size_t)states, (size_t)n * size);
    if (!*out) return memory_status();
    for (int64_t i = 0; i < states * samples; i++)
        memcpy(*out + (size_t)i * pair, m->start + (size_t)i * share, share);
    if (m->start) m->start = *out;
    return STATUS_OK;
}

enum status odeint_tangent(const struct odeint *op, struct odeint **out)
{
    struct field *tangent;
    char *start = NULL;
    struct state_layout layout = op->layout;
    struct solve_options options = op->options;
    if (options.own_jacobian) options.jacobian = LINEAR_AUTO; /* it is of another state */
    options.own_jacobian = NULL;
    options.defect = 0; /* what goes back through the tangent's solve is no cotangent of a loss */
    TRY(field_tangent(op->field, pairs_of(op), &tangent));
    enum status status = pairs_of_start(op, tangent->n, &options.method.multistep, &start);
    if (status == STATUS_OK) status = tangent_events(op, &options.events);
    if (status != STATUS_OK) {
        memory_free(start);
        field_free(tangent);
        return status;
    }
    if (layout.toleranced == 0) layout.toleranced = op->field->n / odeint_pairs(op); /* v has none */
    layout.tangents = tangent->n - op->field->n;
    layout.n_parts += layout.n_parts <= MAX_PARTS;
    layout.size[layout.n_parts - 1] += tangent->n - op->field->n; /* no norm looks at it */
    status = odeint_new(out, tangent, &options, &layout);
    memory_free(start);
    if (status != STATUS_OK) events_free(options.events);
    return status;
}

static int joined(struct tape *t, const int *parts, int n, int axis)
{
    return tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {axis}}, parts, n);
}

/* A gradient that is differentiated. */
struct second {
    struct vjp *v;
    struct odeint *op, *tangent; /* op: the solve itself, or the same from 0 to 1 */
    int by_times, rescaled;      /* by_times: the gradient has a part for them */
    struct field_pairs pairs;
    int64_t n, n_times;
    int *x; /* y0, times, theta..., those that it is differentiated by under names of their own: nothing is to
               be seen of how they hang together */
    int *bar; /* room for as many */
    int *inputs,
        n_inputs; /* of the tangent's solve; n_theta of them, from number 2 on, are op's parameters */
    int n_theta;
    int *outputs; /* room for one at each time */
    int u_times;  /* direction of the times of op; -1: it is 0 */
};

/* Of `rows` pairs their y (0), v (1) or marks (2). */
static int part_of_pairs(const struct second *d, int pairs, int which, int64_t rows)
{
    struct tape *t = d->v->tape;
    int64_t share = d->n / d->pairs.samples, n = which < 2 ? share : 1;
    int matrix = emit_reshape(t, pairs, 2, (int64_t[]){rows, 2 * share + d->pairs.mark});
    struct attrs columns = {.n = 6, .v = {0, 1, rows, which * share, 1, n}};
    return emit_reshape(t, tape_emit(t, OP_SLICE, &columns, &matrix, 1), 1, (int64_t[]){rows * n});
}

/* The pairs of one time, with marks of 0. */
static int pairs_of_halves(const struct second *d, int y, int v)
{
    struct tape *t = d->v->tape;
    int64_t rows = d->pairs.samples, share = d->n / rows;
    int in[3] = {emit_reshape(t, y, 2, (int64_t[]){rows, share}),
                 emit_reshape(t, v, 2, (int64_t[]){rows, share}),
                 emit_broadcast(t, emit_like(t, y, 0), 2, (int64_t[]){rows, 1})};
    return emit_reshape(t, joined(t, in, 2 + d->pairs.mark, 1), 1,
                        (int64_t[]){2 * d->n + rows * d->pairs.mark});
}

/* Number i of the times as a scalar. */
static int time_at(struct tape *t, int times, int64_t i)
{
    return emit_reshape(t, emit_slice_flat(t, times, i, 1), 0, (int64_t[]){1});
}

/* x_i - x_0 - share_i (x_last - x_0) of the times between the ends, in parts of the span; share -1: of 0. */
static int between(const struct second *d, int x, int share)
{
    struct tape *t = d->v->tape;
    int64_t last = d->n_times - 1;
    int first = emit_slice_flat(t, x, 0, 1), times = d->x[1];
    int inner = emit2(t, OP_SUB, emit_slice_flat(t, x, 1, last - 1), first);
    if (share >= 0) {
        int span = emit2(t, OP_SUB, emit_slice_flat(t, x, last, 1), first);
        inner = emit2(t, OP_SUB, inner, emit2(t, OP_MUL, share, span));
    }
    return emit2(t, OP_DIV, inner,
                 emit2(t, OP_SUB, emit_slice_flat(t, times, last, 1), emit_slice_flat(t, times, 0, 1)));
}

/* Numbers with these at both ends; inner -1: there are none between. */
static int with_ends(struct tape *t, double first, int inner, double last)
{
    int in[3], n = 0;
    in[n++] = emit_reshape(t, tape_literal(t, FLOAT64, first), 1, (int64_t[]){1});
    if (inner >= 0) in[n++] = inner;
    in[n++] = emit_reshape(t, tape_literal(t, FLOAT64, last), 1, (int64_t[]){1});
    return joined(t, in, n, 0);
}

/* The times of the solve from 0 to 1, and their direction. Its ends do not move. */
static int shares_of_span(struct second *d, int u)
{
    struct tape *t = d->v->tape;
    int inner = d->n_times > 2 ? between(d, d->x[1], -1) : -1;
    d->u_times = u < 0 || inner < 0 ? -1 : with_ends(t, 0, between(d, u, inner), 0);
    return with_ends(t, 0, inner, 1);
}

/* f at number i of the times, times what that moves by: by nothing where the solve has ended before. */
static int motion(const struct second *d, int64_t i, int y, int mark)
{
    struct tape *t = d->v->tape;
    int64_t rows = d->pairs.samples;
    int f = -1, by = emit_cast(t, time_at(t, d->u_times, i), d->op->field->dtype);
    enum status status = field_emit(d->op->field, t, time_at(t, d->inputs[1], i), y, d->inputs + 2, &f);
    if (status != STATUS_OK) return tape_fail(t, status);
    f = emit2(t, OP_MUL, f, by);
    if (mark < 0) return f;
    int goes = emit_reshape(t, emit2(t, OP_SUB, emit_like(t, mark, 1), mark), 2, (int64_t[]){rows, 1}),
        matrix = emit_reshape(t, f, 2, (int64_t[]){rows, d->n / rows});
    return emit_reshape(t, emit2(t, OP_MUL, matrix, goes), 1, &d->n);
}

/* theta..., then the direction of each float one; those of t0 and t1 in front of them. */
static void tangent_parameters(struct second *d, int64_t at, int u)
{
    struct vjp *v = d->v;
    struct tape *t = v->tape;
    int *to = d->inputs + 2;
    for (int i = 0; i < 2 && d->rescaled; i++) *to++ = time_at(t, d->x[1], i * (d->n_times - 1));
    for (int i = 4; i < v->n_in; i++) *to++ = d->x[i - 2];
    d->n_theta = (int)(to - d->inputs) - 2;
    for (int i = 0; i < 2 && d->rescaled; i++)
        *to++ = u < 0 ? tape_literal(t, FLOAT64, 0) : time_at(t, u, i * (d->n_times - 1));
    for (int i = 4; i < v->n_in; i++)
        if (dtype_is_float(tape_spec(t, v->in[i])->dtype))
            *to++ = odeint_emit_part(t, v->ybar, &at, v->in[i], 1);
    d->n_inputs = (int)(to - d->inputs);
}

/* (y0, v), the times, parameters. */
static void tangent_inputs(struct second *d)
{
    struct vjp *v = d->v;
    struct tape *t = v->tape;
    int64_t n = d->n, end = tape_spec(t, v->ybar)->shape[0];
    int u =
        d->by_times ? emit_cast(t, emit_slice_flat(t, v->ybar, end - d->n_times, d->n_times), FLOAT64) : -1;
    int start = emit_slice_flat(t, v->ybar, 0, n);
    d->u_times = u;
    d->inputs[1] = d->rescaled ? shares_of_span(d, u) : d->x[1];
    tangent_parameters(d, n, u);
    if (u >= 0 && !d->rescaled) start = emit2(t, OP_SUB, start, motion(d, 0, d->x[0], -1));
    d->inputs[0] = pairs_of_halves(d, d->x[0], start);
}

/* J u of a solve that gives its end: u of y0, v of y at the event, by what its time moves. */
static int along_to_event(const struct second *d, int pairs)
{
    struct tape *t = d->v->tape;
    int64_t n = 2 * d->n + d->pairs.samples;
    int end = emit_slice_flat(t, pairs, n, n), u = emit_slice_flat(t, d->v->ybar, 0, d->n);
    int parts[3] = {emit_cast(t, u, FLOAT64), part_of_pairs(d, end, 1, d->pairs.samples),
                    part_of_pairs(d, end, 2, d->pairs.samples)};
    return joined(t, parts, 3, 0);
}

/* Of what the times move, outputs first..last. */
static int motions(const struct second *d, int pairs, int64_t first, int64_t last)
{
    struct tape *t = d->v->tape;
    int64_t n = d->n, rows = d->pairs.samples;
    int y = part_of_pairs(d, pairs, 0, d->n_times * rows),
        marks = d->pairs.mark ? part_of_pairs(d, pairs, 2, d->n_times * rows) : -1;
    for (int64_t i = first; i <= last; i++)
        d->outputs[i - first] = motion(d, i, emit_slice_flat(t, y, i * n, n),
                                       marks < 0 ? -1 : emit_slice_flat(t, marks, i * rows, rows));
    int moved = joined(t, d->outputs, (int)(last - first + 1), 0);
    if (first == 0) return moved;
    return tape_emit(t, OP_EMBED, &(struct attrs){.n = 3, .v = {n, 1, d->n_times * n}}, &moved, 1);
}

/* J u. */
static int emit_along(const struct second *d)
{
    struct tape *t = d->v->tape;
    int pairs = odeint_emit(t, d->tangent, d->inputs[0], d->inputs[1], d->inputs + 2, d->n_inputs - 2);
    if (d->op->options.ends_at_event) return along_to_event(d, pairs);
    int v = part_of_pairs(d, pairs, 1, d->n_times * d->pairs.samples), ends = d->rescaled;
    return d->u_times < 0 ? v : emit2(t, OP_ADD, v, motions(d, pairs, ends, d->n_times - 1 - ends));
}

static void emit_derivative(struct second *d)
{
    struct vjp *v = d->v;
    struct tape *t = v->tape;
    int n_x = 0, *bar = d->bar, *x = bar + v->n_in;
    for (int i = 2; i < v->n_in; i++) {
        d->x[i - 2] = v->need[i] ? emit1(t, OP_ALIAS, v->in[i]) : v->in[i];
        if (v->need[i]) x[n_x++] = d->x[i - 2];
    }
    tangent_inputs(d);
    int along = emit_along(d);
    enum status status = tape_status(t);
    if (v->need[1]) v->xbar[1] = along;
    if (status == STATUS_OK && n_x > 0) status = tape_vjp(t, &along, &v->in[1], 1, x, n_x, bar);
    if (status != STATUS_OK) {
        tape_fail(t, status);
        return;
    }
    for (int i = v->n_in - 1; i >= 2; i--)
        if (v->need[i]) v->xbar[i] = bar[--n_x];
}

/* ---- by times ---- */

/* The same solve from 0 to 1. Events that are noted alone are of no interest. */
static enum status rescaled(const struct odeint *op, struct odeint **out)
{
    struct field *field;
    struct solve_options options = op->options;
    options.events = NULL;
    TRY(field_rescaled(op->field, &field));
    return odeint_new(out, field, &options, &op->layout);
}

static enum status make_solves(struct second *d)
{
    if (d->rescaled) {
        struct odeint *same;
        TRY(rescaled(d->op, &same));
        d->op = same;
    }
    return odeint_tangent(d->op, &d->tangent);
}

/* Is J u that of the flow, where the steps of a grid have one of their own? */
static int is_of_flow(const struct second *d)
{
    int moved = d->by_times && !(d->rescaled && d->n_times == 2);
    return !d->op->options.adaptive && (moved || some_act(d->op->options.events));
}

void odeint_gradient_vjp(struct custom *self, struct vjp *v)
{
    struct odeint *op = odeint_of_gradient(self);
    int by_times = ((struct odeint_gradient *)self)->by_times;
    struct second d = {.v = v,
                       .op = op,
                       .pairs = pairs_of(op),
                       .n = tape_spec(v->tape, v->in[2])->shape[0],
                       .n_times = tape_spec(v->tape, v->in[3])->shape[0],
                       .by_times = by_times,
                       .rescaled = (v->need[3] || by_times) && op->options.steps > 0 &&
                                   !some_act(op->options.events)};
    int *room = memory_alloc((size_t)(5 * v->n_in + 4 + d.n_times) * sizeof *room);
    enum status status = room ? make_solves(&d) : memory_status();
    d.inputs = room;
    d.x = room + 2 * v->n_in + 4;
    d.bar = d.x + v->n_in;
    d.outputs = d.bar + 2 * v->n_in;
    if (status == STATUS_OK)
        emit_derivative(&d);
    else
        tape_fail(v->tape, status);
    v->tape->flows += is_of_flow(&d);
    memory_free(room);
    if (d.tangent) object_release(odeint_object(d.tangent));
    if (d.op != op) object_release(odeint_object(d.op));
}
