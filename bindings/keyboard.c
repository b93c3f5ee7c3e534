/* Plain reading from the terminal: lines, keys. */
#include "keyboard.h"

#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "modules.h"

int keyboard_wait(int fd, void (*wake)(void *), void *context)
{
    sigset_t sigint, before;
    sigemptyset(&sigint);
    sigaddset(&sigint, SIGINT);
    pthread_sigmask(SIG_BLOCK, &sigint, &before);
    struct pollfd input = {.fd = fd, .events = POLLIN};
    int code = 0;
    while (!interrupt_pending()) {
        code = ppoll(&input, 1, NULL, &before);
        if (code >= 0 || errno != EINTR) break;
        if (wake) wake(context);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return interrupt_pending() ? -1 : 0;
}

int keyboard_line(lua_State *L, const char *prompt)
{
    int terminal = isatty(STDIN_FILENO);
    if (terminal) fputs(prompt, stdout);
    fflush(stdout);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    int c = EOF;
    /* A terminal hands over whole lines, so nothing is left in stdin's buffer when a line begins. */
    if (!terminal || keyboard_wait(STDIN_FILENO, NULL, NULL) == 0) {
        clearerr(stdin);
        while ((c = getc(stdin)) != EOF && c != '\n') luaL_addchar(&buffer, (char)c);
    }
    luaL_pushresult(&buffer);
    if (c != EOF || (lua_rawlen(L, -1) > 0 && !interrupt_pending())) return 1;
    int interrupted = interrupt_take();
    lua_pushnil(L);
    lua_pushstring(L, interrupted ? "interrupted" : "eof");
    return 2;
}

int keyboard_within(int milliseconds)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, milliseconds) > 0;
}

/* One key from the terminal, its sequence of bytes: of an arrow key several, which come at once. */
static ssize_t take_key(char *bytes, size_t room)
{
    if (keyboard_wait(STDIN_FILENO, NULL, NULL) < 0) return -1;
    ssize_t n = read(STDIN_FILENO, bytes, 1);
    while (n >= 1 && bytes[0] == '\033' && (size_t)n < room && keyboard_within(20)) {
        ssize_t more = read(STDIN_FILENO, bytes + n, 1);
        if (more != 1) break;
        n++;
        if (n > 2 && (bytes[n - 1] == '~' || (bytes[n - 1] >= 'A' && bytes[n - 1] <= 'z'))) break;
    }
    return n;
}

/* input_waits(): is there input that was typed ahead or pasted, for somebody else than who would ask now? */
static int lua_input_waits(lua_State *L)
{
    lua_pushboolean(L, keyboard_within(0));
    return 1;
}

/* ask_key(text): write a question, then -> the key that is pressed, unseen ("\3" for Ctrl-C), or nil and
 * "eof" or "interrupted" (by a signal; the request is forgotten). */
static int lua_ask_key(lua_State *L)
{
    const char *text = luaL_checkstring(L, 1);
    struct termios before, raw;
    char bytes[8];
    ssize_t n = 0;
    if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0) {
        raw = before;
        raw.c_lflag &=
            ~(tcflag_t)(ICANON | ECHO |
                        ISIG); /* Ctrl-C is a key here: no handler, ours or stock Lua's, is asked */
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw); /* before the question: who answers at once is heard */
        fputs(text, stdout);
        fflush(stdout);
        n = take_key(bytes, sizeof bytes);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    }
    if (n >= 1) return lua_pushlstring(L, bytes, (size_t)n), 1;
    if (n < 0) interrupt_clear();
    lua_pushnil(L);
    lua_pushstring(L, n < 0 ? "interrupted" : "eof");
    return 2;
}

void open_keyboard(lua_State *L)
{
    lua_pushcfunction(L, lua_ask_key);
    lua_setfield(L, -2, "ask_key");
    lua_pushcfunction(L, lua_input_waits);
    lua_setfield(L, -2, "input_waits");
}
