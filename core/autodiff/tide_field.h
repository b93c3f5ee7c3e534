/* tide/field.h -- the right-hand side of dy/dt = f(t, y; theta) in C or C++, for tide.ode.cfield.
 *
 * A shared object exports a struct tide_field under a name of its own. Made by hand from here:
 *
 *   static int f(const struct tide_field_call *call, double t, const double *y, double *dy) { ...; }
 *   TIDE_FIELD(decay) = {TIDE_FIELD_HEAD, .width = 1, .n_theta = 0, .f = f};
 *
 *   cc -O2 -shared -fPIC -o decay.so decay.c        (-I PREFIX/include finds <tide/field.h>)
 *   tide.odeint(tide.ode.cfield("decay.so", "decay"), tide.ones({1}, {dtype = "float64"}), {0, 1})
 *
 * The rules of the three functions:
 * - They write all of their results, never add to them; what is not written at the first call is an error.
 * - They are pure: the same arguments give the same results, nothing is remembered between calls. The
 *   functions of one field are
 * called from one thread at a time, not always the same one.
 * - They return 0, or anything else for an error that ends the solve; call->message may say why. Where f has
 *   no value (the
 * logarithm of a negative trial state), write NaN and return 0: adaptive steps then become smaller.
 * - No exception, longjmp or exit leaves them. */
#ifndef TIDE_FIELD_H
#define TIDE_FIELD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TIDE_ANY (-1) /* of width, n_theta: any number will do */

struct tide_field_call {
    int64_t n;           /* numbers in y: rows x width */
    int64_t rows;        /* samples in y, one after the other; 1 where width is TIDE_ANY */
    const double *theta; /* the parameters; NULL where there are none */
    int64_t n_theta;
    const double *constants; /* numbers given to tide.ode.cfield; NULL where there are none */
    int64_t n_constants;
    char *message; /* room for text about an error */
    size_t message_size;
};

struct tide_field {
    uint32_t version; /* these two: TIDE_FIELD_HEAD */
    uint32_t size;
    int64_t width;   /* numbers of one sample; samples do not depend on each other */
    int64_t n_theta; /* parameters that derivatives are taken by */
    /* dy = f(t, y) */
    int (*f)(const struct tide_field_call *call, double t, const double *y, double *dy);
    /* ybar = a^T df/dy (n numbers) and thetabar = a^T df/dtheta (n_theta numbers, summed over rows). NULL: no
     * gradients. */
    int (*vjp)(const struct tide_field_call *call, double t, const double *y, const double *a, double *ybar,
               double *thetabar);
    /* ydot = df/dy v. NULL: implicit methods take the Jacobian from vjp, or from differences of f. */
    int (*jvp)(const struct tide_field_call *call, double t, const double *y, const double *v, double *ydot);
};

#define TIDE_FIELD_VERSION                                                                                   \
    0x54464401u /* three letters, and a number that changes when old objects can no longer be used */
#define TIDE_FIELD_HEAD TIDE_FIELD_VERSION, (uint32_t)sizeof(struct tide_field)

#if defined _WIN32 || defined __CYGWIN__
#define TIDE_FIELD_EXPORT __declspec(dllexport)
#else
#define TIDE_FIELD_EXPORT __attribute__((visibility("default")))
#endif
#define TIDE_FIELD(name)                                                                                     \
    TIDE_FIELD_EXPORT extern const struct tide_field name;                                                   \
    const struct tide_field name

#ifdef __cplusplus
}
#endif
#endif
