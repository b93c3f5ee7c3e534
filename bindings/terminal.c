/* terminal.c -- what the terminal says of itself: its size in pixels, and answers to questions. */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/seconds.h"
#include "modules.h"

/* terminal_pixels() -> width of the terminal of standard output in pixels; 0 when it does not say. */
static int sys_terminal_pixels(lua_State *L)
{
    struct winsize size;
    lua_pushinteger(L, ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_xpixel : 0);
    return 1;
}

/* Read into answer until a byte of `ends` has come, for so many seconds at most; returns how many bytes. */
static size_t read_answer(int fd, char *answer, size_t room, const char *ends, double seconds)
{
    size_t n = 0;
    double end = monotonic_seconds() + seconds;
    while (n < room) {
        double left = end - monotonic_seconds();
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (left <= 0 || poll(&wait, 1, (int)(left * 1e3) + 1) <= 0) break;
        if (read(fd, answer + n, 1) != 1) break;
        if (strchr(ends, answer[n++])) break;
    }
    return n;
}

/* ask_terminal(question, last, seconds) -> what the terminal answers up to the byte `last`, or nil: when
 * there is none, when it is silent, or when keys have been pressed already, which would be lost. */
static int sys_ask_terminal(lua_State *L)
{
    size_t size;
    const char *question = luaL_checklstring(L, 1, &size), *ends = luaL_checkstring(L, 2);
    double seconds = luaL_checknumber(L, 3);
    luaL_argcheck(L, seconds >= 0 && seconds <= 10, 3, "seconds must be in 0..10");
    char answer[256];
    size_t n = 0;
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios before;
    if (fd >= 0 && tcgetattr(fd, &before) == 0) {
        struct termios raw = before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        struct pollfd typed = {.fd = fd, .events = POLLIN};
        if (tcsetattr(fd, TCSANOW, &raw) == 0) {
            if (poll(&typed, 1, 0) == 0 && write(fd, question, size) == (ssize_t)size)
                n = read_answer(fd, answer, sizeof answer, ends, seconds);
            tcsetattr(fd, TCSANOW, &before);
        }
    }
    if (fd >= 0) close(fd);
    if (n > 0)
        lua_pushlstring(L, answer, n);
    else
        lua_pushnil(L);
    return 1;
}

void open_terminal(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"terminal_pixels", sys_terminal_pixels},
        {"ask_terminal", sys_ask_terminal},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
