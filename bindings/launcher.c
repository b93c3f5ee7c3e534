/* launcher.c -- the program `tide`: a Lua state, our paths, then the Lua module tide.main does the rest.
 *
 * The engine lives in the C module tide/core.so, so that this program and stock lua5.4 run the same bits. This program is linked
 * with -Wl,-E: core.so has no Lua of its own and finds the lua_* symbols here.
 *
 * Which files are loaded is decided by where this program lies, not by the environment:
 *   package.path   our scripts, then LUA_PATH_5_4 or LUA_PATH (";;" is the default, as in stock Lua), else the default path of Lua.
 *                  Ours come first, so that a stray file never replaces a part of Tide.
 *   package.cpath  our core.so, then Lua's default path without the working directory. LUA_CPATH and LUA_INIT are not read: a
 * shared object or a chunk that the environment slips in would run before anything could be checked. */
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "standard_files.h"

/* Folder of this program (without a final slash) into dir; 0 when the system does not say. */
static int program_folder(char dir[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
    if (n <= 0) return 0;
    dir[n] = '\0';
    char *slash = strrchr(dir, '/');
    if (!slash) return 0;
    *slash = '\0';
    return 1;
}

static int file_exists(lua_State *L, const char *dir, const char *name)
{
    int found = access(lua_pushfstring(L, "%s/%s", dir, name), R_OK) == 0;
    lua_pop(L, 1);
    return found;
}

/* Push our part of package.path and of package.cpath, each empty or ending in ';'. */
static void push_own_paths(lua_State *L)
{
    char dir[PATH_MAX];
    if (!program_folder(dir)) {
        lua_pushliteral(L, "");
        lua_pushliteral(L, "");
    } else if (file_exists(L, dir, "scripts/tide/main.lua")) { /* a checkout */
        lua_pushfstring(L, "%s/scripts/?.lua;%s/scripts/?/init.lua;", dir, dir);
        lua_pushfstring(L, "%s/build/?.so;", dir);
    } else { /* PREFIX/bin/tide */
        char *slash = strrchr(dir, '/');
        if (slash) *slash = '\0';
        lua_pushfstring(L, "%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua;", dir, dir);
        lua_pushfstring(L, "%s/lib/lua/5.4/?.so;", dir);
    }
}

/* The value of LUA_PATH_5_4 or LUA_PATH with ";;" replaced by Lua's default, or that default. */
static const char *push_user_path(lua_State *L, const char *fallback)
{
    const char *given = getenv("LUA_PATH_5_4");
    if (!given) given = getenv("LUA_PATH");
    if (!given) return lua_pushstring(L, fallback);
    const char *expanded = luaL_gsub(L, given, ";;", lua_pushfstring(L, ";%s;", fallback));
    lua_remove(L, -2);
    return expanded;
}

static void set_paths(lua_State *L)
{
    lua_getglobal(L, LUA_LOADLIBNAME);
    int package = lua_gettop(L);
    push_own_paths(L);

    lua_getfield(L, package, "path");
    lua_pushvalue(L, package + 1);
    push_user_path(L, lua_tostring(L, -2));
    lua_concat(L, 2);
    lua_setfield(L, package, "path");

    lua_getfield(L, package, "cpath"); /* of the build: LUA_NOENV was set */
    lua_pushvalue(L, package + 2);
    luaL_gsub(L, lua_tostring(L, -2), ";./?.so", "");
    lua_concat(L, 2);
    lua_setfield(L, package, "cpath");
    lua_settop(L, package - 1);
}

/* main(argc, argv) in protected mode: require("tide.main").run(argv, LUA_RELEASE) -> exit status. */
static int protected_main(lua_State *L)
{
    int argc = (int)lua_tointeger(L, 1);
    char **argv = (char **)lua_touserdata(L, 2);
    luaL_checkversion(L);
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    luaL_openlibs(L);
    set_paths(L);

    lua_getglobal(L, "require");
    lua_pushliteral(L, "tide.main");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "run");
    lua_createtable(L, argc, 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i);
    }
    lua_pushliteral(L, LUA_RELEASE);
    lua_call(L, 2, 1);
    return 1;
}

/* What print wrote must have arrived, however the program ends; a full disk is a failure of its own. */
static void check_output(void)
{
    errno = 0;
    if (ferror(stdout) | fflush(stdout)) {
        fprintf(stderr, "tide: standard output: %s\n", errno ? strerror(errno) : "write error");
        _exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv)
{
    standard_files_open();
    atexit(check_output);
    lua_State *L = luaL_newstate();
    if (!L) {
        fprintf(stderr, "tide: not enough memory\n");
        return EXIT_FAILURE;
    }
    lua_pushcfunction(L, protected_main);
    lua_pushinteger(L, argc);
    lua_pushlightuserdata(L, argv);
    int exit_status = EXIT_FAILURE;
    if (lua_pcall(L, 2, 1, 0) == LUA_OK) {
        exit_status = (int)lua_tointeger(L, -1);
    } else {
        const char *message = lua_tostring(L, -1);
        fprintf(stderr, "tide: %s\n", message ? message : "unknown error");
    }
    signal(SIGINT, SIG_DFL); /* lua_close unloads core.so, where the handler lives */
    lua_close(L);
    return exit_status;
}
