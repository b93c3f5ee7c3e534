/* system.h -- what system.c, signals.c, lineedit.c, process.c and terminal.c share. */
#ifndef BINDINGS_SYSTEM_H
#define BINDINGS_SYSTEM_H

#include <lua.h>

/* Parts of open_system: they add functions to the module table at the top of the stack. */
void open_signals(lua_State *L);
void open_lineedit(lua_State *L);
void open_process(lua_State *L);
void open_terminal(lua_State *L);

/* Seconds of a clock that never goes back. Async-signal-safe. */
double monotonic_seconds(void);

/* Columns of the terminal of standard output, COLUMNS when that is none, else 80. */
int terminal_width(void);

#endif
