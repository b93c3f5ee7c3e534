/* wrong.c -- fields that misbehave, each in its own way; tests/lua/test_cfield.lua says what becomes of
 * them. */
#include "autodiff/tide_field.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int decay(const struct tide_field_call *call, double t, const double *y, double *dy)
{
    (void)t;
    for (int64_t i = 0; i < call->n; i++) dy[i] = -y[i];
    return 0;
}

static int decay_vjp(const struct tide_field_call *call, double t, const double *y, const double *a,
                     double *ybar, double *thetabar)
{
    (void)t, (void)y, (void)thetabar;
    for (int64_t i = 0; i < call->n; i++) ybar[i] = -a[i];
    return 0;
}

/* What is right with them. */
TIDE_FIELD(forward_only) = {TIDE_FIELD_HEAD, .width = TIDE_ANY, .f = decay};
static int decay_jvp(const struct tide_field_call *call, double t, const double *y, const double *v,
                     double *ydot)
{
    (void)y;
    return decay(call, t, v, ydot);
}
TIDE_FIELD(directional) = {TIDE_FIELD_HEAD, .width = TIDE_ANY, .f = decay, .jvp = decay_jvp};
TIDE_FIELD(any) = {TIDE_FIELD_HEAD, .width = TIDE_ANY, .f = decay, .vjp = decay_vjp};

/* As a header of version 1 with nothing behind f would have it, and one that has grown. */
struct grown {
    struct tide_field field;
    void *more[3];
};
TIDE_FIELD_EXPORT extern const struct grown newer;
const struct grown newer = {{TIDE_FIELD_VERSION, sizeof(struct grown), TIDE_ANY, 0, decay, decay_vjp, NULL},
                            {NULL, NULL, NULL}};
TIDE_FIELD(older) = {TIDE_FIELD_VERSION, offsetof(struct tide_field, vjp), .width = TIDE_ANY, .f = decay,
                     .vjp = decay_vjp};

/* What cannot be loaded. */
TIDE_FIELD(other_version) = {TIDE_FIELD_VERSION + 1, sizeof(struct tide_field), .width = 1, .f = decay};
TIDE_FIELD(too_short) = {TIDE_FIELD_VERSION, 8, .width = 1, .f = decay};
TIDE_FIELD(no_function) = {TIDE_FIELD_HEAD, .width = 1};
TIDE_FIELD(no_width) = {TIDE_FIELD_HEAD, .f = decay};
TIDE_FIELD_EXPORT extern const char text[];
const char text[] = "this is no struct of any kind, but it is long enough to be read as one, which is all "
                    "that is asked of it";

/* What fails while it runs: from t = 0.5 on, with words or without; NaN for a while. */
static int fails(const struct tide_field_call *call, double t, const double *y, double *dy)
{
    if (t > 0.5) {
        snprintf(call->message, call->message_size, "y[0] = %g is not for me", y[0]);
        return 7;
    }
    return decay(call, t, y, dy);
}

static int fails_in_silence(const struct tide_field_call *call, double t, const double *y, double *dy)
{
    return t > 0.5 ? -1 : decay(call, t, y, dy);
}

static int overlong(const struct tide_field_call *call, double t, const double *y, double *dy)
{
    (void)t, (void)y, (void)dy;
    memset(call->message, 'x', call->message_size); /* not even an end */
    return 1;
}

static int never(const struct tide_field_call *call, double t, const double *y, double *dy)
{
    decay(call, t, y, dy);
    if (t > 0.5) dy[0] = NAN;
    return 0;
}

/* y' = -1 / (2 y), y = sqrt(1 - t), with no value where a trial step goes too far. */
static int root(const struct tide_field_call *call, double t, const double *y, double *dy)
{
    (void)call, (void)t;
    dy[0] = y[0] > 0 ? -0.5 / y[0] : NAN;
    return 0;
}

static int failing_vjp(const struct tide_field_call *call, double t, const double *y, const double *a,
                       double *ybar, double *thetabar)
{
    (void)t, (void)y, (void)a, (void)ybar, (void)thetabar;
    snprintf(call->message, call->message_size, "no way back");
    return 3;
}

TIDE_FIELD(failing) = {TIDE_FIELD_HEAD, .width = 1, .f = fails};
TIDE_FIELD(silent) = {TIDE_FIELD_HEAD, .width = 1, .f = fails_in_silence};
TIDE_FIELD(long_message) = {TIDE_FIELD_HEAD, .width = 1, .f = overlong};
TIDE_FIELD(not_a_number) = {TIDE_FIELD_HEAD, .width = 1, .f = never};
TIDE_FIELD(square_root) = {TIDE_FIELD_HEAD, .width = 1, .f = root};
TIDE_FIELD(one_way) = {TIDE_FIELD_HEAD, .width = 1, .f = decay, .vjp = failing_vjp};

/* What forgets part of its results, or adds to them. */
static int forgets(const struct tide_field_call *call, double t, const double *y, double *dy)
{
    (void)call, (void)t;
    dy[0] = -y[0];
    return 0;
}

static int adds(const struct tide_field_call *call, double t, const double *y, const double *a, double *ybar,
                double *thetabar)
{
    decay_vjp(call, t, y, a, ybar, NULL);
    thetabar[0] += a[0];
    return 0;
}

TIDE_FIELD(forgetful) = {TIDE_FIELD_HEAD, .width = 2, .f = forgets};
TIDE_FIELD(adding) = {TIDE_FIELD_HEAD, .width = 1, .n_theta = 1, .f = decay, .vjp = adds};

/* Right, with constants and any number of parameters: dy[i] = constants[0] theta[i mod n_theta]. */
static int drift(const struct tide_field_call *call, double t, const double *y, double *dy)
{
    (void)t, (void)y;
    for (int64_t i = 0; i < call->n; i++)
        dy[i] = (call->n_constants > 0 ? call->constants[0] : 1) * call->theta[i % call->n_theta];
    return 0;
}

static int drift_vjp(const struct tide_field_call *call, double t, const double *y, const double *a,
                     double *ybar, double *thetabar)
{
    (void)t, (void)y;
    for (int64_t i = 0; i < call->n_theta; i++) thetabar[i] = 0;
    for (int64_t i = 0; i < call->n; i++) {
        ybar[i] = 0;
        thetabar[i % call->n_theta] += (call->n_constants > 0 ? call->constants[0] : 1) * a[i];
    }
    return 0;
}

TIDE_FIELD(drifting) = {TIDE_FIELD_HEAD, .width = TIDE_ANY, .n_theta = TIDE_ANY, .f = drift,
                        .vjp = drift_vjp};
