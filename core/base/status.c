#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

enum status status_set(enum status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return code;
}

const char *status_message(void) { return message; }

enum status status_prefix(enum status code, const char *format, ...)
{
    char old[sizeof message], prefix[256];
    va_list args;
    memcpy(old, message, sizeof old);
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    /* Both parts are bounded so that the whole always fits. */
    snprintf(message, sizeof message, "%s: %.760s", prefix, old);
    return code;
}

enum status status_append(enum status code, const char *format, ...)
{
    size_t n = strlen(message);
    va_list args;
    va_start(args, format);
    vsnprintf(message + n, sizeof message - n, format, args);
    va_end(args);
    return code;
}
