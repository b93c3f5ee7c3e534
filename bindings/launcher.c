/* launcher.c -- the program `tide`: a Lua state, our paths; the Lua module tide.prompt.main does the rest.
 *
 * The engine lives in the C module tide/core.so, so that this program and stock lua5.4 run the same bits.
 * This program is linked with -Wl,-E: core.so has no Lua of its own and finds the lua_* symbols here.
 *
 * Which files are loaded is decided by where this program lies, not by the environment or the working
 * directory: it runs tide/loader.lua by its full path, and that file decides where modules come from. */
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

/* Push the folders that hold tide/loader.lua and tide/core.so. */
static void push_folders(lua_State *L)
{
    char dir[PATH_MAX];
    if (!program_folder(dir))
        luaL_error(L, "the system does not say where this program lies (/proc/self/exe)");
    if (file_exists(L, dir, "scripts/tide/loader.lua")) { /* a checkout */
        lua_pushfstring(L, "%s/scripts", dir);
        lua_pushfstring(L, "%s/build", dir);
    } else { /* PREFIX/bin/tide */
        char *slash = strrchr(dir, '/');
        if (slash) *slash = '\0';
        lua_pushfstring(L, "%s/share/lua/5.4", dir);
        lua_pushfstring(L, "%s/lib/lua/5.4", dir);
    }
}

/* Run tide/loader.lua with both folders. */
static void set_loader(lua_State *L)
{
    push_folders(L);
    const char *path = lua_pushfstring(L, "%s/tide/loader.lua", lua_tostring(L, -2));
    if (luaL_loadfilex(L, path, "t") != LUA_OK)
        luaL_error(L,
                   "%s\nthe program belongs beside the folder scripts/ of Tide, or into PREFIX/bin of an "
                   "installation; a link to "
                   "it may lie anywhere",
                   lua_tostring(L, -1));
    lua_insert(L, -4); /* below the folders and the path */
    lua_pop(L, 1);
    lua_call(L, 2, 0);
}

/* main(argc, argv) in protected mode: require("tide.prompt.main").run(argv, LUA_RELEASE) -> exit status. */
static int protected_main(lua_State *L)
{
    int argc = (int)lua_tointeger(L, 1);
    char **argv = (char **)lua_touserdata(L, 2);
    luaL_checkversion(L);
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    luaL_openlibs(L);
    set_loader(L);

    lua_getglobal(L, "require");
    lua_pushliteral(L, "tide.prompt.main");
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
    signal(SIGXFSZ, SIG_IGN); /* a file size limit (ulimit -f) is an error of write, as a full disk is */
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
        fprintf(stderr, "tide: %s\n", luaL_tolstring(L, -1, NULL));
    }
    signal(SIGINT, SIG_DFL); /* lua_close unloads core.so, where the handler lives */
    lua_close(L);
    return exit_status;
}
