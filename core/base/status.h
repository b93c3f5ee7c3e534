/* status.h -- how every fallible function of the engine reports.
 *
 * A function that can fail returns a status; STATUS_OK is zero. The reason, in words a user can act on (what
 * came, what was expected, what to do), is kept per thread until the next failure. The engine never prints
 * and never exits: the bindings turn a status into a Lua error at one place. What a program can act on has a
 * word and numbers beside the message (struct failure), so that nobody has to read them out of it. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdint.h>

enum status {
    STATUS_OK = 0,
    STATUS_MEMORY,   /* an allocation failed */
    STATUS_ARGUMENT, /* an argument is out of its range */
    STATUS_SHAPE,    /* shapes do not fit together */
    STATUS_DTYPE,    /* a dtype is not accepted here */
    STATUS_IO,       /* the operating system refused: open, read, write, rename */
    STATUS_FORMAT,   /* a file is not what it claims to be */
    STATUS_NUMERIC,  /* a solve gave up: underflow, too many steps, NaN or Inf */
    STATUS_RETRY,    /* a step cannot be made like this, a smaller one may; without a message, never seen by
                        users */
    STATUS_INTERRUPTED, /* the user asked to stop */
    STATUS_CALLBACK,    /* a callback failed; its own error is kept by whoever installed it */
    STATUS_UNSUPPORTED, /* a valid request that this object cannot serve */
};

/* Store a printf-style message (at most 1023 bytes) for this thread and return `code`. */
__attribute__((format(printf, 2, 3))) enum status status_set(enum status code, const char *format, ...);

/* What a program can act on of a failure. */
#define FAILURE_SAMPLES 32
struct failure {
    enum status code;      /* STATUS_OK: nothing of the kind, only a message */
    const char *word;      /* a literal: "max_steps", "not_finite", ... */
    double t, h;           /* last accepted time, step that was tried with its sign; NAN: not known */
    int64_t steps;         /* of the solve until then; -1: not known, nor the next two */
    int64_t accepted, nfe; /* nfe counts evaluations of f */
    int64_t element; /* the first that is not finite, from 1, of the part or of the whole state; 0: none */
    int backward;    /* in the gradient */
    int64_t n_samples, sample[FAILURE_SAMPLES]; /* of solves sample by sample: how many failed, and the first
                                                   of them, from 1 */
    char part[32];                              /* of the state, by its name; "": there is but one */
    char remedy[640];
};

/* The same as status_set, with a failure: the message is "format; remedy", or format alone (remedy ""). */
__attribute__((format(printf, 4, 5))) enum status status_fail(enum status code, const char *word,
                                                              const char *remedy, const char *format, ...);

/* Message of this thread's last failure; valid until the next status_set on this thread. */
const char *status_message(void);

/* What else is known of it, to be read and to be filled in; status_set clears it. */
struct failure *status_failure(void);
/* Is it that of this word? Most have none. */
int status_is(const char *word);

/* All that is known of a failure, to be taken from one thread to another. */
struct report {
    char message[1024];
    struct failure failure;
};
const struct report *status_report(void);
enum status status_again(enum status code, const struct report *report);

/* Prefix the current message with "who: " (used by outer layers to name the function and the argument). */
__attribute__((format(printf, 2, 3))) enum status status_prefix(enum status code, const char *format, ...);

/* Add to its end (outer layers say what else can be done). */
__attribute__((format(printf, 2, 3))) enum status status_append(enum status code, const char *format, ...);

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        enum status try_status_ = (call);                                                                    \
        if (try_status_ != STATUS_OK) return try_status_;                                                    \
    } while (0)

/* For functions that own something: jump to the label `done:` which frees and returns `status`. */
#define TRY_GOTO_DONE(call)                                                                                  \
    do {                                                                                                     \
        status = (call);                                                                                     \
        if (status != STATUS_OK) goto done;                                                                  \
    } while (0)

#endif
