/* Solves that make a step when they are asked for it, for tide.ode.steps. */
#include "base/memory.h"
#include "call_lua.h"
#include "modules.h"
#include "ode.h"
#include "solver/linear.h"
#include "solver/event.h"
#include "solver/march.h"
#include "solver/newton.h"
#include "value.h"

#define STEPPER_TYPE "tide.Stepper"

/* What the options and the field borrow is in a table, the user value of the userdata. */
struct stepper {
    struct march m;
    struct solver s;
    struct field *field;
    int own; /* the field is to be freed */
    struct solve_options o;
    struct state_layout layout;
    const double *times;
    const void *y0, *theta;
    enum { NEW, BETWEEN, INSIDE, OVER } state; /* inside of a step that is being made, or an error has left */
    int failed;
};

static int stepper_collect(lua_State *L)
{
    struct stepper *st = luaL_checkudata(L, 1, STEPPER_TYPE);
    if (st->field && st->own) field_free(st->field);
    st->field = NULL;
    solver_release(&st->s);
    return 0;
}

struct stepper *stepper_push(lua_State *L, const struct problem *p, struct field ***field)
{
    const struct array *y0 = &tensor_check(L, 3)->array, *times = &tensor_check(L, 4)->array;
    struct stepper *st = lua_newuserdatauv(L, sizeof *st, 1);
    *st = (struct stepper){.o = p->options, .layout = p->layout, .times = times->data, .y0 = y0->data};
    luaL_setmetatable(L, STEPPER_TYPE);
    *field = &st->field;
    return st;
}

int stepper_finish(lua_State *L, struct stepper *st, int own, const void *theta)
{
    struct events *e = st->o.events;
    st->own = own;
    st->theta = theta;
    st->m = (struct march){.s = &st->s, .f = st->field, .o = &st->o, .layout = &st->layout};
    unsigned implicit = newton_works(st->field, &st->o, 0);
    binding_check(L, field_prepare(st->field, FIELD_MASK(FIELD_EVAL) | implicit));
    binding_check(L, field_bind(st->field, &st->theta));
    if (e) binding_check(L, events_prepare(e, FIELD_MASK(FIELD_EVAL)));
    if (e) binding_check(L, events_bind(e, &st->theta, 0));
    int top = lua_gettop(L), self = 0;
    lua_createtable(L, top, 0);
    for (int i = 1; i <= top; i++) {
        if (lua_touserdata(L, i) == (void *)st) {
            self = i;
            continue;
        }
        lua_pushvalue(L, i);
        lua_rawseti(L, -2, i);
    }
    lua_setiuservalue(L, self, 1);
    lua_pushvalue(L, self);
    return 1;
}

static enum status begin(struct stepper *st)
{
    struct march *m = &st->m;
    TRY(march_begin(m, st->y0, st->times, 2, NULL));
    if (st->o.events) march_observe(m, &st->o.events->base);
    if (st->o.on_step) march_observe(m, st->o.on_step);
    march_watch(m);
    return st->field->n > 0 ? march_first(m) : STATUS_OK;
}

static enum status advance(struct stepper *st, enum clock_says *says)
{
    int first = st->state == NEW;
    *says = CLOCK_END;
    st->state = INSIDE;
    if (first) TRY(begin(st));
    return st->field->n > 0 ? march_step(&st->m, says) : STATUS_OK;
}

/* stepper:next() -> start, end, size, error, flat state; nothing: it is over */
static int stepper_next(lua_State *L)
{
    struct stepper *st = luaL_checkudata(L, 1, STEPPER_TYPE);
    enum clock_says says;
    if (st->state == INSIDE)
        return binding_error(L, "ode.steps: there is no next step: the one before is still being made, or an "
                                "error has ended it");
    if (st->state == OVER) return 0;
    call_lua_in(L);
    enum status status = advance(st, &says);
    if (status == STATUS_NUMERIC && failure_complete(&st->m) && st->o.return_failures) {
        st->s.failure = *status_report();
        st->failed = 1;
        status = STATUS_OK;
        says = CLOCK_END;
    }
    binding_check(L, status);
    st->state = says == CLOCK_ACCEPTED ? BETWEEN : OVER;
    return says == CLOCK_ACCEPTED ? step_push(L, &st->m) : 0;
}

/* stepper:at(t, n) -> the flat state in step n, counted from 1, the last one made; nothing where another is
 */
static int stepper_at(lua_State *L)
{
    struct stepper *st = luaL_checkudata(L, 1, STEPPER_TYPE);
    if (st->state != BETWEEN || luaL_checkinteger(L, 3) != st->m.clock.accepted + 1) return 0;
    call_lua_in(L);
    step_state_push(L, &st->m, luaL_checknumber(L, 2));
    return 1;
}

static int stepper_stats(lua_State *L)
{
    struct stepper *st = luaL_checkudata(L, 1, STEPPER_TYPE);
    const struct clock *c = &st->m.clock;
    struct solve_stats stats = {.steps = c->steps,
                                .accepted = c->accepted + st->m.waits,
                                .rejected = c->rejected,
                                .implicit = method_implicit(&st->o.method),
                                .jacobians = linear_counted(st->s.linear).jacobians,
                                .factorizations = linear_counted(st->s.linear).factorizations,
                                .t_end = c->t,
                                .switches = st->o.method.pair[1] ? &st->s.turns : NULL,
                                .n_switches = st->s.turns.n,
                                .failure = st->failed ? &st->s.failure : NULL};
    if (st->state != NEW) stats.nfe = st->field->nfe - st->m.nfe;
    if (st->m.waits) stats.t_end = clock_time(c, &st->m.p, st->m.theta);
    stats_push(L, &stats);
    if (st->o.events) events_push(L, st->o.events, &stats);
    return 1;
}

void open_ode_stepper(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"next", stepper_next}, {"at", stepper_at}, {"stats", stepper_stats}, {NULL, NULL}};
    binding_class(L, STEPPER_TYPE, methods, stepper_collect, stepper_collect);
}
