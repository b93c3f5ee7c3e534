/* binding.h -- what the files of bindings/ share: values, errors, recording.
 *
 * A `struct value` is the payload of the userdata "tide.Tensor": either a concrete tensor or a symbolic one,
 * that is a node of a tape that is being recorded. Push the empty userdata first, fill it second, so that an
 * out-of-memory error of Lua leaks nothing. */
#ifndef BINDINGS_BINDING_H
#define BINDINGS_BINDING_H

#include <lauxlib.h>
#include <lua.h>

#include "autodiff/op.h"
#include "autodiff/tape.h"
#include "base/rng.h"
#include "base/status.h"
#include "tensor/tensor.h"

#define TENSOR_TYPE "tide.Tensor"
#define TAPE_TYPE "tide.Tape"
#define PROGRAM_TYPE "tide.Program"
#define LIBRARY_ROOTS "tide.library_roots" /* registry: list of folder prefixes */

/* Is this chunk (lua_Debug's source) part of the library: does its file lie under one of the registered
 * folders? */
int is_library(lua_State *L, const char *source);

struct value {
    struct tensor *tensor; /* concrete: owned reference; NULL when symbolic or closed */
    struct tape *tape;     /* symbolic: owned reference to the tape; NULL when concrete */
    int node;              /* symbolic: node of that tape */
};

/* One per Lua universe, in the registry. */
struct session {
    struct recorder *recorder;  /* the innermost one; see autodiff.c */
    size_t debt;                /* bytes of tensors made since the last full collection */
    size_t live;                /* bytes of the engine that were alive after it */
    struct generator generator; /* the default one */
    enum dtype default_dtype;   /* of what is made of numbers alone */
};
struct session *session_get(lua_State *L);

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
    struct tape *tape; /* owned; the first member, see field_tape in ode.c; NULL for RECORD_NOTHING */
    enum recorder_kind kind;
    lua_State *thread; /* the one that records, kept alive by the user value */
    struct recorder *previous;
    int active;
};

/* The tape that operations of the running coroutine are recorded on, NULL: they are run at once. */
struct tape *recording_get(lua_State *L);
/* The tape to draw random tensors on as ops, NULL: they are drawn at once. */
struct tape *recording_random(lua_State *L);

/* Push an empty tensor userdata; the caller fills value->tensor with a reference that it gives away, then
 * calls value_account, so that the collector learns about the bytes. */
struct value *value_push_empty(lua_State *L);
void value_account(lua_State *L, const struct value *v);

/* The same for programs, which take memory when they are made and when they first run: to be called before
 * one is made. */
void program_account(lua_State *L);

/* Push a tensor whose reference is given away; on Lua's own memory errors the reference is lost, so use
 * value_push_empty where that matters. */
void tensor_push(lua_State *L, struct tensor *owned);

/* Push node `node` of tape `t` as a symbolic tensor. */
void symbol_push(lua_State *L, struct tape *t, int node);

/* The value at stack index `arg`; errors name the function's argument. value_test returns NULL when it is no
 * tensor. */
struct value *value_check(lua_State *L, int arg);
extern const char recording_ended[]; /* the error of a symbolic tensor that is left over */
struct value *value_test(lua_State *L, int arg);

/* dtype and shape of a concrete or symbolic value. */
const struct array *value_spec(const struct value *v);

/* The concrete tensor at stack index `arg` (borrowed). A symbolic tensor is an error that says what to do. */
struct tensor *tensor_check(lua_State *L, int arg);

/* Node of the tape being recorded for a value: symbolic ones are imported, concrete ones become constants.
 * Raises on failure. */
int value_node(lua_State *L, struct tape *t, struct value *v);

/* Apply an op to the n values at stack indices first .. first + n - 1 (tensors, or numbers beside a tensor)
 * and push the result. While something is recorded the op becomes part of the recording, whether an operand
 * is symbolic or not; else it runs at once. Brings dtypes together as the op's flags say. */
void value_apply(lua_State *L, enum op_id op, const struct attrs *attrs, int first, int n);
/* The same, at once: operands are concrete. */
void value_apply_now(lua_State *L, enum op_id op, const struct attrs *attrs, int first, int n);
/* The op on numbers alone, in float64: pushes a number, of a comparison a boolean. */
void number_apply(lua_State *L, enum op_id op, int first, int n);

/* Raise a Lua error when status is not STATUS_OK; binding_error raises a message of its own. Both put the
 * position of the innermost caller that is not part of Tide's library in front, so that the user sees a line
 * of their own. */
void binding_check(lua_State *L, enum status status);
int binding_error(lua_State *L, const char *format, ...);

/* on_solve_failure(fn): until the result is closed, fn(message) makes the message of a solve that gives
 * up. */
int on_solve_failure(lua_State *L);

/* The number for a message: NaN without its sign, which printf would show as "-nan". */
double unsigned_nan(double v);

/* A dtype name or nil (then `fallback`) at `arg`. */
enum dtype dtype_check(lua_State *L, int arg, int fallback);

/* The number, or an error when a tensor of that dtype cannot hold it (floats hold every number). */
double number_check(lua_State *L, double value, enum dtype dtype);

/* Is the argument true? Anything but true, false, nil and none is an error in the name of `what`. */
int flag_check(lua_State *L, int arg, const char *what);

/* The table of whole numbers at `arg` into out[]; returns how many (at most `most`). `what` names it in
 * errors. */
int integers_check(lua_State *L, int arg, const char *what, int64_t *out, int most);

/* A new field of the C code at `code` for states like y, its parameters at `theta` (nil: none); see
 * cfield.c. */
struct field;
struct field *cfield_new(lua_State *L, int code, int theta, const struct array *y);

/* Each file of bindings/ adds its functions to the module table at the top of the stack. */
void open_tensor(lua_State *L);
void open_creation(lua_State *L);
void open_ops(lua_State *L);
void open_autodiff(lua_State *L);
void open_ode(lua_State *L);
void open_cfield(lua_State *L);
void open_explain(lua_State *L);
void open_io(lua_State *L);
void open_files(lua_State *L);
void open_optim(lua_State *L);
void open_system(lua_State *L);
void open_tree(lua_State *L);

#endif
