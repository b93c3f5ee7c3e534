/* keyboard.h -- plain reading from the terminal, and waiting for it. */
#ifndef BINDINGS_KEYBOARD_H
#define BINDINGS_KEYBOARD_H

#include <lua.h>

/* Wait until fd can be read. 0: yes (or end of file); -1: Ctrl-C. SIGINT is let in only while waiting, so
 * that none is missed; `wake` is called after other signals. */
int keyboard_wait(int fd, void (*wake)(void *), void *context);

/* Does a byte of standard input come within so many milliseconds? */
int keyboard_within(int milliseconds);

/* Write the prompt and push what read() of the plain kind gives: a line, or nil and "eof" or "interrupted".
 * Returns how many values. */
int keyboard_line(lua_State *L, const char *prompt);

#endif
