/* machine.c -- what this machine's C library and compiler compute, as fields dy = fn(y), for
 * tests/lua/same_bits.lua.
 *
 * None of it goes through the engine: where these bits differ from those of another machine, the engine's
 * may, too; where they are the same, other bits of the engine come from a change of the engine. */
#include "autodiff/tide_field.h"

#include <float.h>
#include <math.h>

#define PROBE(name, type, expression)                                                                        \
    static int f_##name(const struct tide_field_call *call, double t, const double *y, double *dy)           \
    {                                                                                                        \
        (void)t;                                                                                             \
        for (int64_t i = 0; i < call->n; i++) {                                                              \
            type x = (type)y[i];                                                                             \
            dy[i] = (double)(expression);                                                                    \
        }                                                                                                    \
        return 0;                                                                                            \
    }                                                                                                        \
    TIDE_FIELD(machine_##name) = {TIDE_FIELD_HEAD, .width = 1, .f = f_##name};

#define BOTH(name, of_double, of_float)                                                                      \
    PROBE(name, double, of_double)                                                                           \
    PROBE(name##f, float, of_float)

BOTH(exp, exp(x), expf(x))
BOTH(log, log(fabs(x)), logf(fabsf(x)))
BOTH(log1p, log1p(fabs(x)), log1pf(fabsf(x)))
BOTH(sin, sin(x), sinf(x))
BOTH(cos, cos(x), cosf(x))
BOTH(tanh, tanh(x), tanhf(x))
BOTH(pow, pow(fabs(x), x / 3), powf(fabsf(x), x / 3))

/* Whether plain C, as the loops of TIDE_ISA=generic are, fuses a * b + c or computes in longer numbers. */
#ifdef FP_FAST_FMA
#define FUSES 10
#else
#define FUSES 0
#endif
PROBE(arithmetic, double, 0 * x + (FUSES + FLT_EVAL_METHOD))
