/* What tide.explain prints, as tables: a tape, the program made of it, and the solves inside.
 * scripts/tide/tensor/explain reads them. */
#include "apply.h"
#include "autodiff/field.h"
#include "autodiff/program.h"
#include "autodiff/staged.h"
#include "base/memory.h"
#include "binding.h"
#include "compiled.h"
#include "entry.h"
#include "modules.h"
#include "ode.h"
#include "recording.h"
#include "solver/odeint.h"

static void set_integers(lua_State *L, const char *name, const int64_t *values, int n)
{
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushinteger(L, (lua_Integer)values[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, name);
}

/* Bytes that are read to see all of it: a broadcast repeats its own. */
static int64_t distinct_bytes(const struct array *a)
{
    int64_t n = (int64_t)dtype_size(a->dtype);
    for (int i = 0; i < a->rank; i++) n *= a->stride[i] == 0 && a->shape[i] > 0 ? 1 : a->shape[i];
    return n;
}

static void set_spec(lua_State *L, const struct array *a)
{
    entry_text(L, "dtype", dtype_name(a->dtype));
    set_integers(L, "shape", a->shape, a->rank);
}

static void set_op(lua_State *L, enum op_id op, const struct attrs *attrs)
{
    int backward, custom = op == OP_CUSTOM && attrs && attrs->object;
    entry_text(L, "op", custom ? ((struct custom *)attrs->object)->name : op_table[op].name);
    if (attrs) set_integers(L, "attrs", attrs->v, attrs->n);
    if (attrs && (op == OP_LAYER || op == OP_CONV_LAYER)) {
        const int64_t *layer = attrs->v + LAYER_ATTRS;
        entry_text(L, "base", op_table[layer[LAYER_BASE]].name);
        entry_integer(L, "bias", layer[LAYER_BIAS]);
        entry_integer(L, "second", layer[LAYER_SECOND]);
        if (layer[LAYER_POST]) entry_text(L, "post", op_table[layer[LAYER_POST]].name);
    }
    if (attrs && op == OP_LITERAL) entry_number(L, "value", attrs->value);
    struct odeint *solve = custom ? odeint_of(attrs->object, &backward) : NULL;
    if (!solve) return;
    lua_pushlightuserdata(L, solve);
    lua_setfield(L, -2, "solve");
    entry_flag(L, "backward", backward);
}

static void push_solve(lua_State *L, struct odeint *op);

/* {op, attrs, inputs, dtype, shape, view, bytes, operations, address = of a constant, plan = of a solve} */
static void push_node(lua_State *L, const struct tape *t, const struct node *node)
{
    lua_createtable(L, 0, 8);
    set_op(L, node->op, node->attrs);
    set_spec(L, &node->spec);
    entry_integer(L, "bytes", (int64_t)array_bytes(&node->spec));
    entry_flag(L, "view", op_table[node->op].view != NULL);
    entry_integer(L, "operations", tape_node_work(t, node));
    lua_createtable(L, node->n_in, 0);
    for (int j = 0; j < node->n_in; j++) {
        lua_pushinteger(L, node->in[j] + 1);
        lua_rawseti(L, -2, j + 1);
    }
    lua_setfield(L, -2, "inputs");
    int backward;
    if (node->constant) {
        lua_pushlightuserdata(L, node->constant->array.data);
        lua_setfield(L, -2, "address");
    }
    struct odeint *solve = node->op == OP_CUSTOM ? odeint_of(node->attrs->object, &backward) : NULL;
    if (solve && !backward) {
        push_solve(L, solve);
        lua_setfield(L, -2, "plan");
    }
}

/* {nodes = {{..., input = which}, ...}, outputs = {nodes}} */
static void push_tape(lua_State *L, const struct tape *t, const int *outputs, int n_outputs)
{
    luaL_checkstack(L, 12, "explain");
    lua_createtable(L, 0, 2);
    lua_createtable(L, t->n, 0);
    for (int i = 0; i < t->n; i++) {
        push_node(L, t, &t->nodes[i]);
        lua_rawseti(L, -2, i + 1);
    }
    for (int i = 0; i < t->n_inputs; i++) {
        lua_rawgeti(L, -1, t->inputs[i] + 1);
        entry_integer(L, "input", i + 1);
        lua_pop(L, 1);
    }
    lua_setfield(L, -2, "nodes");
    lua_createtable(L, n_outputs, 0);
    for (int i = 0; i < n_outputs; i++) {
        lua_pushinteger(L, outputs[i] + 1);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "outputs");
}

/* Value v + 1 of the table `values` at the top: {root, kind, slot, dtype, shape, address = of a constant,
 * number = when it has one element}. */
static void set_value(lua_State *L, const struct program *p, int v)
{
    static const char *const kinds[] = {"computed", "constant", "input", "output"};
    struct program_value value = program_value(p, v);
    lua_createtable(L, 0, 6);
    set_spec(L, value.layout);
    entry_integer(L, "root", value.root + 1);
    entry_text(L, "kind", kinds[value.kind]);
    if (value.kind == VALUE_INPUT || value.kind == VALUE_OUTPUT) entry_integer(L, "slot", value.slot + 1);
    if (value.constant) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)value.constant);
        lua_setfield(L, -2, "address");
    }
    if (value.constant && value.root == v && array_numel(value.layout) == 1) {
        struct array one = *value.layout;
        one.data = (void *)(uintptr_t)value.constant;
        entry_number(L, "number", array_get(&one, 0));
    }
    lua_rawseti(L, -2, v + 1);
}

/* {op, attrs, inputs = {values}, dtype, shape, operations, result = value, over = value,
 * bytes = read and written, way = where a kernel has several} */
static void push_call(lua_State *L, const struct program *p, int i, int values)
{
    const int *in;
    int out, over;
    const struct call *c = program_call(p, i, &in, &out, &over);
    int64_t bytes = (int64_t)array_bytes(&c->out);
    lua_createtable(L, 0, 12);
    set_op(L, (enum op_id)(c->op - op_table), c->attrs);
    set_spec(L, &c->out);
    lua_createtable(L, c->n_in, 0);
    for (int j = 0; j < c->n_in; j++) {
        int again = 0;
        for (int k = 0; k < j && k < 8; k++) again |= in[k] == in[j];
        if (!again) bytes += distinct_bytes(&c->in[j]);
        lua_pushinteger(L, in[j] + 1);
        lua_rawseti(L, -2, j + 1);
    }
    lua_setfield(L, -2, "inputs");
    entry_integer(L, "result", out + 1);
    if (over >= 0) entry_integer(L, "over", over + 1);
    entry_integer(L, "bytes", bytes);
    entry_integer(L, "operations", op_work(c));
    if (op_way(c)) entry_text(L, "way", op_way(c));
    lua_pushvalue(L, values);
    set_value(L, p, out);
    set_value(L, p, program_value(p, out).root);
    for (int j = 0; j < c->n_in; j++) {
        set_value(L, p, in[j]);
        set_value(L, p, program_value(p, in[j]).root);
    }
    lua_pop(L, 1);
}

/* {calls, values, inputs = {{dtype, shape}, ...}, n_outputs, arena_bytes}; nil for no program. */
static void push_program(lua_State *L, const struct program *p)
{
    luaL_checkstack(L, 12, "explain");
    if (!p) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 0, 5);
    entry_integer(L, "arena_bytes", (int64_t)program_arena_bytes(p));
    entry_integer(L, "n_outputs", program_n_outputs(p));
    lua_newtable(L);
    int values = lua_gettop(L);
    lua_createtable(L, program_n_calls(p), 0);
    for (int i = 0; i < program_n_calls(p); i++) {
        push_call(L, p, i, values);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -3, "calls");
    lua_setfield(L, -2, "values");
    lua_createtable(L, program_n_inputs(p), 0);
    for (int i = 0; i < program_n_inputs(p); i++) {
        lua_createtable(L, 0, 2);
        set_spec(L, program_input(p, i));
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "inputs");
}

/* {program, sources = of each fixed input: i for input i of the setup, -j for its output j; floats = which of
 * these have a gradient} */
static void push_stage(lua_State *L, const struct staged *s)
{
    lua_createtable(L, 0, 2);
    push_program(L, s->setup);
    lua_setfield(L, -2, "program");
    lua_createtable(L, s->n_fixed, 0);
    for (int i = 0; i < s->n_fixed; i++) {
        lua_pushinteger(L, s->source[i] >= 0 ? s->source[i] + 1 : s->source[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "sources");
    lua_createtable(L, s->n_fixed, 0);
    for (int i = 0; i < s->n_fixed; i++) {
        lua_pushboolean(
            L,
            dtype_is_float(tape_spec(s->body, s->body->inputs[s->body->n_inputs - s->n_fixed + i])->dtype));
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "floats");
}

/* {setup = stage, program, given, parts, entries, kept, tiles, rows} */
static void push_work(lua_State *L, const struct field_plan *plan)
{
    lua_createtable(L, 0, 8);
    push_stage(L, plan->own);
    lua_setfield(L, -2, "setup");
    push_program(L, plan->program);
    lua_setfield(L, -2, "program");
    entry_integer(L, "given", plan->n_given);
    entry_integer(L, "parts", plan->n_y);
    entry_integer(L, "entries", plan->n_entries);
    entry_integer(L, "kept", plan->n_kept);
    entry_integer(L, "tiles", plan->n_tiles);
    entry_integer(L, "rows", plan->rows);
}

/* What the gradient of a solve runs at each evaluation, and what the solve itself then does. */
static void set_work(lua_State *L, const struct odeint_plan *plan)
{
    enum gradient_kind kind = plan->options->gradient;
    struct field_plan forward = {0}, backward = {0};
    enum field_work back = kind == GRADIENT_ADJOINT                    ? FIELD_VJP_AND_EVAL
                           : kind == GRADIENT_DIRECT && !plan->returns ? FIELD_VJP_KEPT
                                                                       : FIELD_VJP;
    if (plan->gradient) binding_check(L, field_explain(plan->field, back, &backward));
    if (plan->gradient && back == FIELD_VJP_KEPT && !backward.program)
        binding_check(L, field_explain(plan->field, FIELD_VJP, &backward));
    binding_check(L,
                  field_explain(plan->field, backward.n_kept > 0 ? FIELD_EVAL_KEEP : FIELD_EVAL, &forward));
    push_stage(L, forward.parameters);
    lua_setfield(L, -2, "parameters");
    push_work(L, &forward);
    lua_setfield(L, -2, "forward");
    if (!plan->gradient) return;
    push_work(L, &backward);
    lua_setfield(L, -2, "backward");
    entry_flag(L, "evaluates", kind == GRADIENT_ADJOINT); /* the backward work computes dy as well */
}

static void push_solve(lua_State *L, struct odeint *op)
{
    struct odeint_plan plan;
    luaL_checkstack(L, 12, "explain");
    binding_check(L, odeint_explain(op, &plan));
    lua_createtable(L, 0, 16);
    solve_options_push(L, plan.options);
    lua_setfield(L, -2, "options");
    entry_integer(L, "batch", plan.batch);
    entry_integer(L, "tiles", plan.n_tiles);
    entry_integer(L, "rows", plan.rows);
    entry_integer(L, "abreast", plan.abreast);
    entry_flag(L, "returns", plan.returns);
    push_tape(L, plan.recorded.tape, &plan.recorded.dy, 1);
    lua_setfield(L, -2, "tape");
    set_work(L, &plan);
}

/* explain(tape, {outputs}) -> {tape =, program =, value_of = {value of each node or 0}, common, dead, views,
 * fused} */
static int explain(lua_State *L)
{
    struct tape *t = recorder_check(L, 1)->tape;
    struct program_notes notes;
    int n, *outputs = value_nodes(L, t, 2, &n);
    notes.value_of = lua_newuserdatauv(L, (size_t)(t->n + 1) * sizeof *notes.value_of, 0);
    struct program **box = compiled_push_empty(L);
    binding_check(L, program_new_noted(box, t, outputs, n, &notes));
    lua_createtable(L, 0, 7);
    push_tape(L, t, outputs, n);
    lua_setfield(L, -2, "tape");
    push_program(L, *box);
    lua_setfield(L, -2, "program");
    lua_createtable(L, t->n, 0);
    for (int i = 0; i < t->n; i++) {
        lua_pushinteger(L, notes.value_of[i] + 1);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "value_of");
    entry_integer(L, "common", notes.common);
    entry_integer(L, "dead", notes.dead);
    entry_integer(L, "views", notes.views);
    entry_integer(L, "fused", notes.fused);
    return 1;
}

void open_explain(lua_State *L)
{
    lua_pushcfunction(L, explain);
    lua_setfield(L, -2, "explain");
}
