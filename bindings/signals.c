/* signals.c -- Ctrl-C.
 *
 * The handler sets the flag of base/interrupt.h, which the engine's loops poll, and a debug hook on the Lua
 * state that runs, which stops loops in Lua; whoever comes first takes the flag and raises "interrupted", the
 * other finds it taken and does nothing. A debug hook acts on one lua_State only, and nothing in Lua's API
 * says which coroutine is running. A count hook that polls the flag would be inherited by every coroutine but
 * makes all Lua code about twice as slow. So coroutine.resume and coroutine.wrap are replaced, while the
 * handler is installed, by the same functions that also remember the running state (`running`).
 *
 * Code that catches errors may go on after the first Ctrl-C. A second one within a second ends a script at
 * once; at a prompt it stops the line (`insisted`): the hook stays and raises again in every caller that is
 * the user's, until the prompt holds interrupts.
 *
 * Under stock lua5.4 nothing is installed unless a script calls on_interrupt(true): stock Lua's own handler
 * then stops Lua code only, and loops inside the engine run to their end. (Stock lua installs its handler
 * anew for each -e and for the script: ask inside it.) */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>
#include <signal.h>

#include "base/interrupt.h"
#include "base/seconds.h"
#include "binding.h"
#include "failure.h"
#include "modules.h"

static lua_State *volatile running;    /* the state whose code runs now; NULL: handler not installed */
static volatile sig_atomic_t held;     /* requests only set the flag; nothing is raised in Lua code */
static volatile sig_atomic_t prompt;   /* a prompt runs: a second Ctrl-C stops the line, not the program */
static volatile sig_atomic_t insisted; /* every level of the user's code is to be left */
static volatile double last, since;    /* the last signal; the oldest that is unanswered */
static lua_State *main_state;          /* the main state of whoever installed the handler */
static pthread_t owner;                /* the thread that runs Lua */
static struct sigaction action_before;

static void stop_hook(lua_State *L, lua_Debug *where)
{
    if (held || !insisted) lua_sethook(L, NULL, 0, 0);
    if (held) return;
    int taken = interrupt_take();
    if (!taken && !insisted) return; /* the engine has already raised the error */
    lua_getinfo(L, "Sl", where);
    /* What the library does after an error, to put things right, may end. */
    if (!taken && (where->currentline <= 0 || is_library(L, where->source))) return;
    int known = where->currentline > 0;
    lua_pushfstring(L, known ? "%s:%d: interrupted" : "interrupted", where->short_src, where->currentline);
    failure_interrupted(L);
}

static void set_stop_hook(lua_State *L)
{
    lua_sethook(L, stop_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* Only calls what POSIX or (for lua_sethook) the Lua manual allows in a handler. */
static void handle_sigint(int signal_number)
{
    int errno_before = errno;
    if (!pthread_equal(pthread_self(),
                       owner)) { /* a worker got it: the Lua state may be touched by its own thread only */
        pthread_kill(owner, signal_number);
        errno = errno_before;
        return;
    }
    double now = monotonic_seconds();
    int again = now - last < 1.0;
    last = now;
    if (!interrupt_pending()) since = now;
    if (again && (!prompt || now - since > 0.1)) { /* a script; or a line that does not answer */
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
    if (again && prompt && !held) insisted = 1;
    interrupt_request();
    if (running) set_stop_hook(running);
    errno = errno_before;
}

/* The order matters: once `running` is set the handler hooks L; a signal that came just before is seen by the
 * test. */
static void set_running(lua_State *L)
{
    running = L;
    if (interrupt_pending() || insisted) set_stop_hook(L);
}

/* lcorolib.c's auxresume, with the running state kept: results or an error message are left on L; -1 for an
 * error. */
static int resume(lua_State *L, lua_State *co, int count)
{
    if (!lua_checkstack(co, count)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, count);
    int results = 0;
    set_running(co);
    int code = lua_resume(co, L, count, &results);
    set_running(L);
    if (code != LUA_OK && code != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, results + 1)) {
        lua_pop(co, results);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, results);
    return results;
}

static int coroutine_resume(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    if (!co) return luaL_typeerror(L, 1, "thread");
    int results = resume(L, co, lua_gettop(L) - 1);
    lua_pushboolean(L, results >= 0);
    lua_insert(L, results >= 0 ? -(results + 1) : -2);
    return results >= 0 ? results + 1 : 2;
}

static int wrapped_call(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int results = resume(L, co, lua_gettop(L));
    if (results >= 0) return results;
    int code = lua_status(co);
    if (code != LUA_OK &&
        code != LUA_YIELD) { /* it failed inside: close its variables; the error may change */
        code = lua_resetthread(co);
        lua_pop(L, 1);
        lua_xmove(co, L, 1);
    }
    if (code != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int coroutine_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrapped_call, 1);
    return 1;
}

/* Swap resume and wrap of the table `coroutine` with the pair kept in the registry. */
static void swap_coroutine_functions(lua_State *L)
{
    static const char *const names[] = {"resume", "wrap"};
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, "coroutine") == LUA_TTABLE) {
        lua_getfield(L, LUA_REGISTRYINDEX, "tide.coroutine");
        for (int i = 0; i < 2; i++) {
            lua_getfield(L, -2, names[i]);
            lua_getfield(L, -2, names[i]);
            lua_setfield(L, -4, names[i]);
            lua_setfield(L, -2, names[i]);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
}

static void uninstall(void)
{
    if (!running) return;
    sigaction(SIGINT, &action_before, NULL);
    running = NULL;
    held = prompt = insisted = 0;
    interrupt_clear();
}

/* on_interrupt(true | false) -> what it was before. */
static int on_interrupt(lua_State *L)
{
    int wanted = lua_toboolean(L, 1);
    int before = running != NULL;
    if (wanted && !before) {
        if (!lua_pushthread(L))
            return luaL_error(L, "on_interrupt: call it from the main program, not from a coroutine");
        interrupt_clear();
        last = -1.0;
        owner = pthread_self();
        main_state = running = L;
        struct sigaction action = {.sa_handler =
                                       handle_sigint}; /* no SA_RESTART: reads at the prompt must return */
        sigemptyset(&action.sa_mask);
        sigaction(SIGINT, &action, &action_before);
        swap_coroutine_functions(L);
    } else if (!wanted && before) {
        uninstall();
        swap_coroutine_functions(L);
    }
    lua_pushboolean(L, before);
    return 1;
}

/* hold_interrupts(true | false): a prompt holds them while its own code runs, so that only the user's code is
 * interrupted. */
static int hold_interrupts(lua_State *L)
{
    held = lua_toboolean(L, 1);
    if (held) {
        insisted = 0;
    } else {
        last = -1.0; /* what was pressed at the prompt does not count for the line */
    }
    if (!held && running && interrupt_pending()) set_stop_hook(running);
    return 0;
}

/* at_prompt(true | false) -> what it was before. */
static int at_prompt(lua_State *L)
{
    int before = prompt;
    prompt = lua_toboolean(L, 1);
    lua_pushboolean(L, before);
    return 1;
}

/* The state closes: the handler's code is about to be unloaded. */
static int collect_handler(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    if (lua_tothread(L, -1) == main_state) uninstall();
    return 0;
}

/* interrupt([clear]): is a request waiting? With true, forget it. */
static int interrupt_state(lua_State *L)
{
    lua_pushboolean(L, interrupt_pending());
    if (lua_toboolean(L, 1)) interrupt_clear();
    return 1;
}

void open_signals(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"on_interrupt", on_interrupt},
        {"hold_interrupts", hold_interrupts},
        {"at_prompt", at_prompt},
        {"interrupt", interrupt_state},
        {NULL, NULL},
    };
    static const luaL_Reg tracked[] = {{"resume", coroutine_resume}, {"wrap", coroutine_wrap}, {NULL, NULL}};
    static const luaL_Reg sentinel[] = {{"__gc", collect_handler}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    luaL_newlib(L, tracked);
    luaL_newlib(L, sentinel);
    lua_setmetatable(L, -2); /* the registry lives until the state closes, and this table with it */
    lua_setfield(L, LUA_REGISTRYINDEX, "tide.coroutine");
}
