/* system.c -- what scripts need from the operating system: terminal, time, processors, files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/seconds.h"
#include "binding.h"
#include "modules.h"

/* ---- terminal, time, processors ---- */

static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    const char *columns = getenv("COLUMNS");
    int n = columns ? atoi(columns) : 0;
    return n > 0 ? n : 80;
}

static int sys_terminal_width(lua_State *L)
{
    lua_pushinteger(L, terminal_width());
    return 1;
}

/* Rows of the terminal of standard output, or nil. */
static int sys_terminal_height(lua_State *L)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        lua_pushinteger(L, size.ws_row);
    else
        lua_pushnil(L);
    return 1;
}

static int sys_isatty(lua_State *L)
{
    lua_Integer fd = luaL_checkinteger(L, 1);
    lua_pushboolean(L, fd >= 0 && fd <= INT_MAX && isatty((int)fd));
    return 1;
}

static int sys_monotonic(lua_State *L)
{
    lua_pushnumber(L, monotonic_seconds());
    return 1;
}

static int sys_sleep(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= 1e9, 1, "seconds must be in 0..1e9");
    double end = monotonic_seconds() + seconds;
    for (double left = seconds; left > 0; left = end - monotonic_seconds()) {
        /* In slices: a signal that arrives between the poll and the sleep would not end it. */
        double slice = left < 0.05 ? left : 0.05;
        struct timespec wait = {.tv_sec = 0, .tv_nsec = (long)(slice * 1e9)};
        nanosleep(&wait, NULL);
        binding_check(L, interrupt_poll());
    }
    return 0;
}

/* Processors that this process may use (taskset and container sets included). */
static int sys_cpu_count(lua_State *L)
{
    cpu_set_t set;
    long n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
    lua_pushinteger(L, n > 0 ? n : 1);
    return 1;
}

static int sys_getpid(lua_State *L)
{
    lua_pushinteger(L, getpid());
    return 1;
}

/* ---- files: expected failures return nil, message, errno as Lua's io library does ---- */

static int sys_mkdir(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    char *part = strcpy((char *)lua_newuserdatauv(L, strlen(path) + 1, 0), path);
    for (char *p = part; *p; p++) { /* the parents; whether they are fine shows at the end */
        if (*p != '/' || p == part) continue;
        *p = '\0';
        mkdir(part, 0777);
        *p = '/';
    }
    struct stat info;
    int failed = mkdir(path, 0777) != 0;
    if (failed && errno == EEXIST && stat(path, &info) == 0) {
        failed = !S_ISDIR(info.st_mode);
        errno = ENOTDIR;
    }
    return luaL_fileresult(L, !failed, path);
}

static int sys_rename(lua_State *L)
{
    const char *from = luaL_checkstring(L, 1), *to = luaL_checkstring(L, 2);
    return luaL_fileresult(L, rename(from, to) == 0, from);
}

static int sys_remove(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    return luaL_fileresult(L, remove(path) == 0, path);
}

/* exists(path) -> false, or the kind: "file", "directory" or "other" (all true as conditions). */
static int sys_exists(lua_State *L)
{
    struct stat info;
    if (stat(luaL_checkstring(L, 1), &info) != 0) {
        lua_pushboolean(L, 0);
    } else {
        lua_pushstring(L, S_ISREG(info.st_mode) ? "file" : S_ISDIR(info.st_mode) ? "directory" : "other");
    }
    return 1;
}

static int close_directory(lua_State *L)
{
    DIR **dir = (DIR **)lua_touserdata(L, 1);
    if (*dir) closedir(*dir);
    *dir = NULL;
    return 0;
}

/* listdir(path) -> names without "." and "..", in no particular order. */
static int sys_listdir(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    DIR **dir = (DIR **)lua_newuserdatauv(
        L, sizeof *dir, 0); /* closed by the collector when lua_pushstring runs out of memory */
    *dir = NULL;
    if (luaL_newmetatable(L, "tide.Directory")) {
        lua_pushcfunction(L, close_directory);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    *dir = opendir(path);
    if (!*dir) return luaL_fileresult(L, 0, path);
    lua_newtable(L);
    lua_Integer n = 0;
    for (struct dirent *entry; (entry = readdir(*dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        lua_pushstring(L, entry->d_name);
        lua_rawseti(L, -2, ++n);
    }
    closedir(*dir);
    *dir = NULL;
    return 1;
}

/* tempname([dir]) -> path of a new empty file, so that nobody else gets the same name. */
static int sys_tempname(lua_State *L)
{
    const char *dir = luaL_optstring(L, 1, NULL);
    const char *base = dir ? dir : getenv("TMPDIR");
    const char *pattern = lua_pushfstring(L, "%s/.tide-XXXXXX", base && *base ? base : "/tmp");
    char *path = strcpy((char *)lua_newuserdatauv(L, strlen(pattern) + 1, 0), pattern);
    int fd = mkstemp(path);
    if (fd < 0) return luaL_fileresult(L, 0, path);
    if (dir) { /* meant to be renamed into place beside its neighbours: give it their usual permissions */
        mode_t mask = umask(0);
        umask(mask);
        if (fchmod(fd, 0666 & ~mask) !=
            0) { /* some file systems have no permissions; the file is good all the same */
        }
    }
    close(fd);
    lua_pushstring(L, path);
    return 1;
}

/* mkdtemp() -> path of a new folder that only its owner may enter. */
static int sys_mkdtemp(lua_State *L)
{
    const char *base = getenv("TMPDIR");
    const char *pattern = lua_pushfstring(L, "%s/tide-XXXXXX", base && *base ? base : "/tmp");
    char *path = strcpy((char *)lua_newuserdatauv(L, strlen(pattern) + 1, 0), pattern);
    if (!mkdtemp(path)) return luaL_fileresult(L, 0, pattern);
    lua_pushstring(L, path);
    return 1;
}

/* Append all of the text, or nothing: 0, or an errno. Where the disk is full after a part of it, that part is
 * taken back, so that the next line does not go on behind half of this one. */
static int append_whole(int fd, const char *text, size_t size)
{
    off_t done = 0;
    while (size > 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            int code = n < 0 ? errno : ENOSPC;
            struct stat now;
            if (done > 0 && fstat(fd, &now) == 0 && now.st_size >= done &&
                ftruncate(fd, now.st_size - done) != 0)
                return errno;
            return code;
        }
        text += n, size -= (size_t)n, done += n;
    }
    return 0;
}

/* append_private(path, text): append to a file that only its owner may read (created so). */
static int sys_append_private(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    size_t size;
    const char *text = luaL_checklstring(L, 2, &size);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    int code = fd < 0 ? errno : append_whole(fd, text, size);
    if (fd >= 0 && close(fd) != 0 && code == 0) code = errno;
    errno = code;
    return luaL_fileresult(L, code == 0, path);
}

static int sys_realpath(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    char resolved[PATH_MAX];
    if (!realpath(path, resolved)) return luaL_fileresult(L, 0, path);
    lua_pushstring(L, resolved);
    return 1;
}

void open_system(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"isatty", sys_isatty},
        {"terminal_width", sys_terminal_width},
        {"terminal_height", sys_terminal_height},
        {"monotonic", sys_monotonic},
        {"sleep", sys_sleep},
        {"cpu_count", sys_cpu_count},
        {"getpid", sys_getpid},
        {"mkdir", sys_mkdir},
        {"rename", sys_rename},
        {"remove", sys_remove},
        {"exists", sys_exists},
        {"listdir", sys_listdir},
        {"tempname", sys_tempname},
        {"mkdtemp", sys_mkdtemp},
        {"append_private", sys_append_private},
        {"realpath", sys_realpath},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
#ifdef HAVE_LIBEDIT
    lua_pushboolean(L, 1);
#else
    lua_pushboolean(L, 0);
#endif
    lua_setfield(L, -2, "has_libedit");
}
