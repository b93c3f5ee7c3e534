/* failure.h -- failures that a program can act on (struct failure of base/status.h) as Lua errors.
 *
 * Such an error is a table {status =, kind =, message =, t =, h =, steps =, ...} that is used as its message
 * where a string is expected: printed, joined, by the string methods, by #. Lua code makes them, too
 * (core.fail), and whoever knows more of what is under way adds to them before they are raised
 * (core.on_failure), for handlers of errors see them where they are raised. */
#ifndef BINDINGS_FAILURE_H
#define BINDINGS_FAILURE_H

#include <lua.h>

/* Positions are those of the user's code, "file:line: " or "", and go in front of messages. */

/* A position on top becomes the failure of this thread's last status. */
void failure_push(lua_State *L);

/* A failure that was returned, as a value. */
struct report;
void failure_push_value(lua_State *L, const struct report *r);

/* Raise a failure that Lua code made: a position, and above it its fields, with status, kind and message. */
int failure_raise(lua_State *L);

/* Is the value one? */
int failure_is(lua_State *L, int at);

/* Raise an interruption; its message is on top. */
int failure_interrupted(lua_State *L);

/* is_failure(value) -> boolean */
int failure_is_lua(lua_State *L);

/* on_failure(fn): until the result is closed, fn(failure) may add to a failure of a solve before it is
 * raised. */
int failure_on_raise(lua_State *L);

#endif
