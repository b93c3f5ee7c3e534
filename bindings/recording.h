/* recording.h -- who records what happens to tensors. */
#ifndef BINDINGS_RECORDING_H
#define BINDINGS_RECORDING_H

#include <lua.h>

#include "autodiff/tape.h"

#define TAPE_TYPE "tide.Tape" /* the userdata of a struct recorder */

/* Recorders form a list from the innermost outwards. They need not end in the order of a stack: a coroutine
 * may be suspended, or dropped, while it records. What a recorder is for decides where random tensors are
 * drawn. */
enum recorder_kind {
    RECORD_ONCE,    /* a function that is recorded anew at each call: random tensors are drawn while it is */
    RECORD_PROGRAM, /* one that is recorded once and run many times: they are ops, drawn at each run */
    RECORD_FIELD,   /* a field: once per solve, that is outside of it */
    RECORD_NOTHING, /* until this one ends, operations on tensors are run at once */
};
struct recorder {
    struct tape *tape; /* owned; NULL for RECORD_NOTHING */
    enum recorder_kind kind;
    lua_State *thread; /* the one that records, kept alive by the user value */
    struct recorder *previous;
    int active;
};

/* The recorder of the userdata at `arg`; one that is closed is an error. */
struct recorder *recorder_check(lua_State *L, int arg);

/* The tape that operations of the running coroutine are recorded on, NULL: they are run at once. */
struct tape *recording_get(lua_State *L);
/* The tape to draw random tensors on as ops, NULL: they are drawn at once. */
struct tape *recording_random(lua_State *L);

#endif
