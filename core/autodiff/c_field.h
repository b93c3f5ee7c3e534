/* c_field.h -- fields whose functions are a user's own code (tide_field.h). */
#ifndef AUTODIFF_C_FIELD_H
#define AUTODIFF_C_FIELD_H

#include "autodiff/field.h"
#include "autodiff/tide_field.h"

/* What was exported, for as many fields as there are solves of it; whoever made it gives `base` a free that
 * lets go of the code. */
struct c_code {
    struct object base;
    struct tide_field functions;
    const char *name; /* for messages */
    const double *constants;
    int64_t n_constants;
};

/* Copy what is exported at `symbol`. Errors: it is no struct tide_field, or one of another version. */
enum status c_code_read(struct c_code *code, const void *symbol);

/* A field of n numbers, float64, bound to one vector of n_theta parameters (to none where n_theta is 0); the
 * code is retained. Errors: it takes other numbers of them. */
enum status field_from_c(struct field **out, struct c_code *code, int64_t n, int64_t n_theta);

#endif
