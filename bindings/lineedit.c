/* lineedit.c -- one line from the terminal: editing, history, completion through a Lua function.
 *
 * This is libedit's own interface (histedit.h). Its readline emulation must not be used: under stock lua5.4,
 * which is linked with libreadline, the same names would reach that library instead. Without libedit, on a
 * dumb terminal, or when standard input is no terminal, the same Lua interface reads plain lines.
 *
 * Bytes are read here and not by libedit, for three reasons: a Ctrl-C between "is there a request?" and
 * "wait" would be lost; a paste (terminals bracket it with ESC[200~ and ESC[201~ when asked) is one piece of
 * text whose tabs are no completion and whose newlines do not submit; and libedit's own signal handling
 * resends Ctrl-C to the whole process group. */
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_LIBEDIT
#include <histedit.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <wchar.h>
#endif

#include "base/interrupt.h"
#include "binding.h"
#include "keyboard.h"
#include "modules.h"
#include "typed.h"

#define EDITOR_TYPE "tide.LineEditor"
#define HISTORY_SIZE 5000

#ifdef HAVE_LIBEDIT

struct editor {
    EditLine *el; /* NULL: plain */
    History *history;
    lua_State *L; /* during read() */
    const char *prompt;
    struct typed typed;
};

#define PASTE_KEY 0x1d /* ^]: stands for "insert e->typed.paste" */

static volatile sig_atomic_t resized, continued;

static void note_signal(int signal_number)
{
    if (signal_number == SIGWINCH) resized = 1;
    if (signal_number == SIGCONT) continued = 1;
}

static void after_signal(void *context)
{
    EditLine *el = (EditLine *)context;
    if (continued) el_set(el, EL_PREP_TERM, 1);
    if (resized) el_resize(el);
    if (resized || continued) el_set(el, EL_REFRESH);
    resized = continued = 0;
}

static struct editor *editor_of(EditLine *el)
{
    void *data = NULL;
    el_get(el, EL_CLIENTDATA, &data);
    return (struct editor *)data;
}

static char *prompt_text(EditLine *el)
{
    return (char *)editor_of(el)->prompt; /* read only: libedit says char* but does not write */
}

/* libedit's EL_GETCFN: one character, decoded from the locale's encoding. */
static int read_character(EditLine *el, wchar_t *out)
{
    struct editor *e = editor_of(el);
    mbstate_t state;
    memset(&state, 0, sizeof state);
    for (;;) {
        unsigned char byte;
        int code = typed_byte(&e->typed, &byte);
        if (code <= 0) return code;
        if (byte == '\033' && mbsinit(&state) && e->typed.queued == 0 && typed_at_paste(&e->typed)) {
            typed_paste(&e->typed);
            *out = PASTE_KEY;
            return e->typed.interrupted ? -1 : 1;
        }
        char c = (char)byte;
        size_t length = mbrtowc(out, &c, 1, &state);
        if (length == (size_t)-2) continue;
        if (length == (size_t)-1) { /* not in the encoding: a question mark, rather than an end of input */
            *out = L'?';
            return 1;
        }
        return 1;
    }
}

static unsigned char key_paste(EditLine *el, int key)
{
    (void)key;
    struct editor *e = editor_of(el);
    if (e->typed.paste_size == 0) return CC_NORM;
    int failed = el_insertstr(el, e->typed.paste) != 0;
    e->typed.paste_size = 0;
    return failed ? CC_ERROR : CC_REFRESH;
}

struct completion {
    EditLine *el;
    const LineInfo *line;
    int code;
};

/* Protected: completer(text before the cursor) -> text to insert or nil, text to show below the line or
 * nil. */
static int run_completer(lua_State *L)
{
    struct completion *c = (struct completion *)lua_touserdata(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, "tide.completer");
    lua_pushlstring(L, c->line->buffer, (size_t)(c->line->cursor - c->line->buffer));
    lua_call(L, 1, 2);
    const char *insert = lua_tostring(L, -2), *listing = lua_tostring(L, -1);
    int rows = 0; /* libedit moves up by the rows of the line before it redraws */
    for (const char *p = c->line->buffer; p < c->line->lastchar; p++) rows += *p == '\n';
    if (insert && *insert) {
        el_insertstr(c->el, insert);
        c->code = CC_REFRESH;
    }
    if (listing && *listing) {
        printf("\n%s\n", listing);
        while (rows-- > 0) putchar('\n');
        fflush(stdout);
        c->code = CC_REDISPLAY;
    }
    return 0;
}

static unsigned char key_complete(EditLine *el, int key)
{
    (void)key;
    struct editor *e = editor_of(el);
    if (e->typed.queued > 0 || keyboard_within(0)) { /* typed by a program or pasted: a tab is white space */
        el_insertstr(el, "  ");
        return CC_REFRESH;
    }
    struct completion c = {.el = el, .line = el_line(el), .code = CC_REFRESH_BEEP};
    if (!lua_checkstack(e->L, 4)) return CC_ERROR;
    lua_pushcfunction(e->L, run_completer);
    lua_pushlightuserdata(e->L, &c);
    if (lua_pcall(e->L, 1, 0, 0) != LUA_OK) lua_pop(e->L, 1); /* a failing completer is no completion */
    return (unsigned char)c.code;
}

static void bind_keys(EditLine *el)
{
    static const char *const keys[][2] = {
        {"^I", "tide-complete"},           {"^]", "tide-paste"},
        {"^R", "em-inc-search-prev"},      {"^W", "ed-delete-prev-word"},
        {"\\e[3~", "ed-delete-next-char"}, {"\\e[H", "ed-move-to-beg"},
        {"\\e[F", "ed-move-to-end"},       {"\\e[1~", "ed-move-to-beg"},
        {"\\e[4~", "ed-move-to-end"},      {"\\e[1;5C", "em-next-word"},
        {"\\e[1;5D", "ed-prev-word"},
    };
    el_wset(el, EL_ADDFN, L"tide-complete", L"complete names",
            key_complete); /* the narrow call leaks copies of the names */
    el_wset(el, EL_ADDFN, L"tide-paste", L"insert pasted text", key_paste);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        el_set(el, EL_BIND, keys[i][0], keys[i][1], NULL);
    el_source(el, NULL); /* the user's ~/.editrc has the last word */
}

static void editor_open(struct editor *e)
{
    const char *terminal = getenv("TERM");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !terminal || strcmp(terminal, "dumb") == 0) return;
    /* libedit decodes the line with the locale; only the character set is set, numbers keep their decimal
     * point. */
    if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1) setlocale(LC_CTYPE, "C.UTF-8");
    e->el = el_init("tide", stdin, stdout, stderr);
    e->history = e->el ? history_init() : NULL;
    if (!e->history) {
        if (e->el) el_end(e->el);
        e->el = NULL;
        return;
    }
    HistEvent event;
    history(e->history, &event, H_SETSIZE, HISTORY_SIZE);
    history(e->history, &event, H_SETUNIQUE, 1);
    el_set(e->el, EL_CLIENTDATA, e);
    el_set(e->el, EL_PROMPT_ESC, prompt_text, '\1');
    el_set(e->el, EL_EDITOR, "emacs");
    el_set(e->el, EL_SIGNAL, 0);
    el_set(e->el, EL_HIST, history, e->history);
    el_set(e->el, EL_GETCFN, read_character);
    bind_keys(e->el);
}

static void editor_close(struct editor *e)
{
    if (e->el) el_end(e->el);
    if (e->history) history_end(e->history);
    free(e->typed.paste);
    memset(e, 0, sizeof *e);
}

static void editor_remember(struct editor *e, const char *text)
{
    HistEvent event;
    if (e->history) history(e->history, &event, H_ENTER, text);
}

static int editor_native(const struct editor *e) { return e->el != NULL; }

static int editor_line(lua_State *L, struct editor *e, const char *prompt)
{
    if (!e->el) return keyboard_line(L, prompt);
    struct sigaction action = {.sa_handler = note_signal}, winch, cont;
    sigemptyset(&action.sa_mask);
    sigaction(SIGWINCH, &action, &winch);
    sigaction(SIGCONT, &action, &cont);
    e->L = L;
    e->prompt = prompt;
    e->typed.wake = after_signal;
    e->typed.context = e->el;
    e->typed.interrupted = 0;
    resized = 1; /* the window may have changed since the last line */
    el_resize(e->el);
    resized = 0;
    el_set(e->el, EL_PREP_TERM, 1); /* before the prompt: what is typed at once would be echoed twice */
    fputs("\033[?2004h", stdout);
    fflush(stdout);
    int size = 0;
    const char *line = el_gets(e->el, &size);
    fputs("\033[?2004l", stdout);
    sigaction(SIGWINCH, &winch, NULL);
    sigaction(SIGCONT, &cont, NULL);
    e->prompt = "";
    if (!line || size <= 0) {
        clearerr(
            stdout); /* the signal may have cut a write of the editor short; what it drew is drawn again */
        puts(e->typed.interrupted ? "^C" : "");
        if (e->typed.interrupted) interrupt_clear();
        el_reset(e->el);
        lua_pushnil(L);
        lua_pushstring(L, e->typed.interrupted ? "interrupted" : "eof");
        return 2;
    }
    fflush(stdout);
    size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\n') length--;
    lua_pushlstring(L, line, length);
    return 1;
}

#else /* without libedit: every line is a plain one */

struct editor {
    char unused;
};

static void editor_open(struct editor *e) { (void)e; }
static void editor_close(struct editor *e) { (void)e; }
static int editor_native(const struct editor *e) { return (void)e, 0; }
static void editor_remember(struct editor *e, const char *text) { (void)e, (void)text; }
static int editor_line(lua_State *L, struct editor *e, const char *prompt)
{
    return (void)e, keyboard_line(L, prompt);
}

#endif

static struct editor *check_editor(lua_State *L)
{
    return (struct editor *)luaL_checkudata(L, 1, EDITOR_TYPE);
}

/* editor:read(prompt) -> line, or nil and "eof" or "interrupted". In the prompt, \1 encloses what takes no
 * room (colours). */
static int lua_editor_read(lua_State *L)
{
    struct editor *e = check_editor(L);
    return editor_line(L, e, luaL_optstring(L, 2, "> "));
}

/* editor:add(text): the newest entry of the history of this session. */
static int lua_editor_add(lua_State *L)
{
    editor_remember(check_editor(L), luaL_checkstring(L, 2));
    return 0;
}

/* editor:completer(fn): what TAB calls, see run_completer. */
static int lua_editor_completer(lua_State *L)
{
    check_editor(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_setfield(L, LUA_REGISTRYINDEX, "tide.completer");
    return 0;
}

/* editor:native(): are lines edited here (true), or read plainly? */
static int lua_editor_native(lua_State *L)
{
    lua_pushboolean(L, editor_native(check_editor(L)));
    return 1;
}

/* editor:close(), also by the collector. */
static int lua_editor_close(lua_State *L)
{
    editor_close(check_editor(L));
    return 0;
}

/* editor() -> a line editor on standard input and output. */
static int lua_editor(lua_State *L)
{
    struct editor *e = (struct editor *)lua_newuserdatauv(L, sizeof *e, 0);
    memset(e, 0, sizeof *e);
    luaL_setmetatable(L, EDITOR_TYPE);
    editor_open(e);
    return 1;
}

void open_lineedit(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"read", lua_editor_read},     {"add", lua_editor_add},     {"completer", lua_editor_completer},
        {"native", lua_editor_native}, {"close", lua_editor_close}, {NULL, NULL},
    };
    luaL_newmetatable(L, EDITOR_TYPE);
    luaL_newlib(L, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "methods");
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, lua_editor_close);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_pushcfunction(L, lua_editor);
    lua_setfield(L, -2, "editor");
}
