/* Solves that make a step when they are asked for it, for tide.ode.steps. */
#include <string.h>

#include "call_lua.h"
#include "modules.h"
#include "ode.h"
#include "solver/linear.h"
#include "solver/event.h"
#include "solver/march.h"
#include "solver/newton.h"
#include "solver/tiled.h"
#include "value.h"

#define STEPPER_TYPE "tide.Stepper"

/* What the options and the field borrow is in a table, the user value of the userdata. */
struct stepper {
    struct march m; /* of the solve, or of the sample at hand */
    struct solver s;
    struct field *field;
    int own;             /* the field is to be freed */
    struct tiled *tiled; /* of samples; NULL: the batch makes its steps together, or is empty */
    int64_t sample;
    struct solve_options o;
    struct state_layout layout;
    const double *times;
    const char *y0;
    const void *theta;
    enum { NEW, BETWEEN, INSIDE, OVER } state; /* inside of a step that is being made, or an error has left */
    int begun;                                 /* the solve at hand */
    int64_t made;                              /* steps of all */
    int failed;                                /* one of them, and it was returned: */
    struct report failure;
};

static int stepper_collect(lua_State *L)
{
    struct stepper *st = luaL_checkudata(L, 1, STEPPER_TYPE);
    tiled_free(st->tiled);
    st->tiled = NULL;
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

static enum status make_ready(struct stepper *st)
{
    struct events *e = st->o.events;
    unsigned events = FIELD_MASK(FIELD_EVAL), works = events | newton_works(st->field, &st->o, 0);
    struct solve_stats none = {.t_begin = st->times[0], .t_end = st->times[0]};
    if (st->o.per_sample) TRY(tiled_new(&st->tiled, st->field, &st->o, &st->layout, works, events));
    for (int64_t i = 0; st->tiled && i < st->layout.batch; i++) tiled_note(st->tiled, i, &none);
    if (st->tiled) return STATUS_OK;
    TRY(field_prepare(st->field, works));
    TRY(field_bind(st->field, &st->theta));
    if (e) TRY(events_prepare(e, events));
    return e ? events_bind(e, &st->theta, 0) : STATUS_OK;
}

int stepper_finish(lua_State *L, struct stepper *st, int own, const void *theta)
{
    st->own = own;
    st->theta = theta;
    st->m = (struct march){.s = &st->s, .f = st->field, .o = &st->o, .layout = &st->layout};
    binding_check(L, make_ready(st));
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
    struct tiled_sample one = {.at = 0};
    st->begun = 1;
    if (st->tiled) {
        TRY(tiled_enter(st->tiled, &st->o, &st->theta, st->sample, &one));
        *m = (struct march){.s = one.s, .f = one.f, .o = one.o, .layout = one.layout};
    }
    TRY(march_begin(m, st->y0 + one.at, st->times, 2, NULL));
    if (m->o->events) march_observe(m, &m->o->events->base);
    if (m->o->on_step) march_observe(m, m->o->on_step);
    march_watch(m);
    return m->f->n > 0 ? march_first(m) : STATUS_OK;
}

/* Of the solve at hand. */
static struct solve_stats count(const struct stepper *st)
{
    const struct march *m = &st->m;
    const struct clock *c = &m->clock;
    struct linear_counts linear = linear_counted(m->s->linear);
    return (struct solve_stats){.nfe = st->begun ? m->f->nfe - m->nfe : 0,
                                .steps = c->steps,
                                .accepted = c->accepted + m->waits,
                                .rejected = c->rejected,
                                .implicit = method_implicit(&st->o.method),
                                .jacobians = linear.jacobians,
                                .unrefined = m->s->newton.unrefined,
                                .factorizations = linear.factorizations,
                                .t_begin = st->times[0],
                                .t_end = m->waits ? clock_time(c, &m->p, m->theta) : c->t,
                                .switches = st->o.method.pair[1] ? &m->s->turns : NULL,
                                .n_switches = m->s->turns.n};
}

/* The solve at hand has come to its end, in one way or another. */
static enum status leave(struct stepper *st, enum status status)
{
    int returned = status == STATUS_NUMERIC && failure_complete(&st->m) && st->o.return_failures;
    struct solve_stats stats = count(st);
    if (st->tiled) {
        st->begun = 0;
        tiled_note(st->tiled, st->sample, &stats);
        status = tiled_leave(st->tiled, st->sample, status);
    }
    if (!returned) return status;
    st->failure = *status_report();
    st->failed = 1;
    return STATUS_OK;
}

static enum status advance(struct stepper *st, enum clock_says *says)
{
    st->state = INSIDE;
    for (int64_t last = st->tiled ? st->layout.batch - 1 : 0; st->sample <= last; st->sample++) {
        enum status status = st->begun ? STATUS_OK : begin(st);
        *says = CLOCK_END;
        if (status == STATUS_OK && st->m.f->n > 0) status = march_step(&st->m, says);
        if (status == STATUS_OK && *says == CLOCK_ACCEPTED) return STATUS_OK;
        TRY(leave(st, status));
    }
    return STATUS_OK;
}

/* stepper:next() -> start, end, size, error, flat state, sample or nil; nothing: it is over */
static int stepper_next(lua_State *L)
{
    struct stepper *st = luaL_checkudata(L, 1, STEPPER_TYPE);
    enum clock_says says = CLOCK_END;
    if (st->state == INSIDE)
        return binding_error(L, "ode.steps: there is no next step: the one before is still being made, or an "
                                "error has ended it");
    if (st->state == OVER) return 0;
    call_lua_in(L);
    binding_check(L, advance(st, &says));
    st->state = says == CLOCK_ACCEPTED ? BETWEEN : OVER;
    st->made += says == CLOCK_ACCEPTED;
    return says == CLOCK_ACCEPTED ? step_push(L, &st->m) : 0;
}

/* stepper:at(t, n) -> the flat state in step n, counted from 1, the last one made; nothing where another is
 */
static int stepper_at(lua_State *L)
{
    struct stepper *st = luaL_checkudata(L, 1, STEPPER_TYPE);
    if (st->state != BETWEEN || luaL_checkinteger(L, 3) != st->made) return 0;
    call_lua_in(L);
    step_state_push(L, &st->m, luaL_checknumber(L, 2));
    return 1;
}

/* What happened to each sample, in a userdata that is pushed; e has what happens to the one at hand. */
static const struct event_log *push_logs(lua_State *L, const struct stepper *st, const struct events *e)
{
    size_t n = (size_t)st->layout.batch;
    struct event_log *logs = lua_newuserdatauv(L, n * sizeof *logs, 0);
    memcpy(logs, tiled_logs(st->tiled), n * sizeof *logs);
    if (st->begun)
        logs[st->sample] = (struct event_log){.count = e->count, .log = e->log, .states = e->states};
    return logs;
}

static int stats_of_samples(lua_State *L, struct stepper *st)
{
    int64_t n = st->layout.batch;
    struct solve_stats stats = {0}, own = count(st);
    if (st->tiled && st->begun) tiled_note(st->tiled, st->sample, &own);
    if (st->tiled) tiled_sum(st->tiled, &stats);
    stats.failure = st->failed ? &st->failure : NULL;
    const struct solve_stats *counts = st->tiled ? tiled_counts(st->tiled) : NULL;
    const struct event_log *logs = st->tiled && st->o.events ? push_logs(L, st, st->m.o->events) : NULL;
    stats_push(L, &stats);
    samples_push(L, counts, n, st->o.method.pair[1] != NULL);
    if (st->o.events) events_push_samples(L, st->o.events, counts, logs, n, n > 0 ? st->field->n / n : 0);
    return 1;
}

static int stepper_stats(lua_State *L)
{
    struct stepper *st = luaL_checkudata(L, 1, STEPPER_TYPE);
    if (st->o.per_sample) return stats_of_samples(L, st);
    struct solve_stats stats = count(st);
    stats.failure = st->failed ? &st->failure : NULL;
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
