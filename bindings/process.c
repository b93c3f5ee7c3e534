/* process.c -- other programs, started by their list of arguments. No shell takes part, so nothing in an
 * argument can be a command. */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "binding.h"
#include "modules.h"

#define PROCESS_TYPE "tide.Process"

extern char **environ;

/* A child, and the end of the pipe into which it writes. Who drops it ends it: nothing runs on unseen. */
struct process {
    pid_t pid;  /* 0: not started, or waited for */
    int output; /* -1: closed */
};

static void process_close(struct process *p)
{
    if (p->output >= 0) close(p->output);
    p->output = -1;
    if (p->pid <= 0) return;
    kill(p->pid, SIGTERM);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    p->pid = 0;
}

static int process_gc(lua_State *L)
{
    process_close((struct process *)luaL_checkudata(L, 1, PROCESS_TYPE));
    return 0;
}

/* process:read() -> some bytes, or nil at the end. */
static int process_read(lua_State *L)
{
    struct process *p = (struct process *)luaL_checkudata(L, 1, PROCESS_TYPE);
    char bytes[8192];
    while (p->output >= 0) {
        ssize_t n = read(p->output, bytes, sizeof bytes);
        if (n > 0) {
            lua_pushlstring(L, bytes, (size_t)n);
            return 1;
        }
        if (n < 0 && errno == EINTR) {
            binding_check(L, interrupt_poll());
            continue;
        }
        close(p->output);
        p->output = -1;
    }
    lua_pushnil(L);
    return 1;
}

/* process:wait() -> "exit" | "signal", status. Read to the end first: a child that fills the pipe waits
 * too. */
static int process_wait(lua_State *L)
{
    struct process *p = (struct process *)luaL_checkudata(L, 1, PROCESS_TYPE);
    if (p->pid <= 0) return binding_error(L, "process: it has been waited for");
    int status;
    while (waitpid(p->pid, &status, 0) < 0) {
        if (errno != EINTR) return luaL_fileresult(L, 0, "waitpid");
        binding_check(L, interrupt_poll());
    }
    p->pid = 0;
    lua_pushstring(L, WIFSIGNALED(status) ? "signal" : "exit");
    lua_pushinteger(L, WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return 2;
}

/* The field `name` of the options at `index`, a string without NUL; NULL where there is none. Leaves it on
 * the stack. */
static const char *option(lua_State *L, int index, const char *name)
{
    if (lua_getfield(L, index, name) == LUA_TNIL) return NULL;
    size_t size;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : NULL;
    if (!text || strlen(text) != size) binding_error(L, "spawn: %s must be a string without NUL bytes", name);
    return text;
}

/* The list of strings at `index` as argv, in a userdata that is pushed; `extra` more places stay free in
 * front of the NULL. */
static char **string_list(lua_State *L, int index, size_t extra)
{
    size_t n = lua_rawlen(L, index);
    char **list = (char **)lua_newuserdatauv(L, (n + extra + 1) * sizeof *list, 0);
    for (size_t i = 0; i < n; i++) {
        size_t size;
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : NULL;
        if (!text || strlen(text) != size)
            binding_error(L, "spawn: argument %d must be a string without NUL bytes", (int)i + 1);
        list[i] = (char *)text; /* the table keeps it alive */
        lua_pop(L, 1);
    }
    memset(list + n, 0, (extra + 1) * sizeof *list);
    return list;
}

/* Our environment with the settings NAME=value of the list at the top of the stack in front of it (getenv
 * finds the first), pushed. */
static char **environment(lua_State *L)
{
    size_t n = 0, given = lua_rawlen(L, -1), kept = given;
    while (environ[n]) n++;
    char **list = string_list(L, lua_gettop(L), n);
    for (size_t i = 0; i < n; i++) {
        const char *sign = strchr(environ[i], '=');
        size_t name = sign ? (size_t)(sign - environ[i]) + 1 : strlen(environ[i]);
        int replaced = 0;
        for (size_t k = 0; k < given; k++) replaced |= strncmp(list[k], environ[i], name) == 0;
        if (!replaced) list[kept++] = environ[i];
    }
    return list;
}

/* Of its options: NULL where the usual is meant. */
struct spawn_options {
    const char *folder, *input, *output;
    char **variables;
    int show_errors;
};

struct start {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
};

/* The child's three streams, its folder and its signals: an error number, or 0. */
static int prepare(struct start *s, const int pipe_ends[2], const struct spawn_options *o)
{
    const char *input = o->input, *output = o->output;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGINT);
    int error = posix_spawnattr_setflags(&s->attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    if (!error) error = posix_spawnattr_setsigdefault(&s->attributes, &usual);
    if (!error) error = posix_spawnattr_setsigmask(&s->attributes, &none);
    if (!error)
        error = posix_spawn_file_actions_addopen(&s->actions, STDIN_FILENO, input ? input : "/dev/null",
                                                 O_RDONLY, 0);
    if (!error && output)
        error = posix_spawn_file_actions_addopen(&s->actions, STDOUT_FILENO, output,
                                                 O_WRONLY | O_CREAT | O_TRUNC, 0666);
    else if (!error)
        error = posix_spawn_file_actions_adddup2(&s->actions, pipe_ends[1], STDOUT_FILENO);
    if (!error && !o->show_errors)
        error = posix_spawn_file_actions_adddup2(&s->actions, output ? STDOUT_FILENO : pipe_ends[1],
                                                 STDERR_FILENO);
    if (!error && o->folder) error = posix_spawn_file_actions_addchdir_np(&s->actions, o->folder);
    return error;
}

/* Start the program: an error number, or 0. */
static int start_process(struct process *p, char **argv, const int pipe_ends[2],
                         const struct spawn_options *o)
{
    struct start s;
    int error = posix_spawn_file_actions_init(&s.actions);
    if (error) return error;
    error = posix_spawnattr_init(&s.attributes);
    if (!error) {
        error = prepare(&s, pipe_ends, o);
        if (!error) error = posix_spawnp(&p->pid, argv[0], &s.actions, &s.attributes, argv, o->variables);
        if (error) p->pid = 0;
        posix_spawnattr_destroy(&s.attributes);
    }
    posix_spawn_file_actions_destroy(&s.actions);
    return error;
}

/* spawn({program, argument, ...}, {folder =, input =, output =, environment = {"NAME=value"}, show_errors =})
 * -> process, or nil and a message. The program is looked up in PATH. Standard input is the file `input`
 * (default: nothing). What it prints goes to process:read, or to the file `output`; its errors go the same
 * way, or to our own standard error with show_errors. */
static int sys_spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    if (lua_rawlen(L, 1) == 0) return binding_error(L, "spawn: the list names no program");
    char **argv = string_list(L, 1, 0);
    struct spawn_options o = {.variables = environ};
    o.folder = option(L, 2, "folder");
    o.input = option(L, 2, "input");
    o.output = option(L, 2, "output");
    if (lua_getfield(L, 2, "environment") == LUA_TTABLE) o.variables = environment(L);
    lua_getfield(L, 2, "show_errors");
    o.show_errors = lua_toboolean(L, -1);
    struct process *p = (struct process *)lua_newuserdatauv(L, sizeof *p, 0);
    *p = (struct process){.pid = 0, .output = -1};
    luaL_setmetatable(L, PROCESS_TYPE);

    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) return luaL_fileresult(L, 0, argv[0]);
    int error = start_process(p, argv, pipe_ends, &o);
    close(pipe_ends[1]);
    if (error) {
        close(pipe_ends[0]);
        errno = error;
        return luaL_fileresult(L, 0, argv[0]);
    }
    p->output = pipe_ends[0];
    return 1;
}

void open_process(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"read", process_read},  {"wait", process_wait}, {"__gc", process_gc},
        {"__close", process_gc}, {NULL, NULL},
    };
    if (luaL_newmetatable(L, PROCESS_TYPE)) {
        luaL_setfuncs(L, methods, 0);
        lua_pushvalue(L, -1);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
    lua_pushcfunction(L, sys_spawn);
    lua_setfield(L, -2, "spawn");
}
