#include "base/status.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct report last;

static void write_message(const char *format, va_list args)
{
    vsnprintf(last.message, sizeof last.message, format, args);
}

enum status status_set(enum status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_message(format, args);
    va_end(args);
    last.failure.code = STATUS_OK;
    return code;
}

enum status status_fail(enum status code, const char *word, const char *remedy, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_message(format, args);
    va_end(args);
    last.failure = (struct failure){.code = code, .word = word, .t = NAN, .h = NAN, .steps = -1};
    if (!remedy[0]) return code;
    snprintf(last.failure.remedy, sizeof last.failure.remedy, "%s", remedy);
    return status_append(code, "; %s", remedy);
}

const char *status_message(void) { return last.message; }

struct failure *status_failure(void) { return &last.failure; }

int status_is(const char *word) { return last.failure.word && strcmp(last.failure.word, word) == 0; }

const struct report *status_report(void) { return &last; }

enum status status_again(enum status code, const struct report *report)
{
    last = *report;
    return code;
}

enum status status_prefix(enum status code, const char *format, ...)
{
    char old[sizeof last.message], prefix[256];
    va_list args;
    memcpy(old, last.message, sizeof old);
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    /* Both parts are bounded so that the whole always fits. */
    snprintf(last.message, sizeof last.message, "%s: %.760s", prefix, old);
    return code;
}

enum status status_append(enum status code, const char *format, ...)
{
    size_t n = strlen(last.message);
    va_list args;
    va_start(args, format);
    vsnprintf(last.message + n, sizeof last.message - n, format, args);
    va_end(args);
    return code;
}
