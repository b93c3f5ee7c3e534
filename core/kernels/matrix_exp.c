#include "kernels/matrix_exp.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/tuning.h"
#include "kernels/gemm.h"
#include "kernels/lapack.h"
#include "kernels/loops.h"
#include "kernels/paste.h"

/* The approximant r_m(a) = p(a) / p(-a) is good to the precision of the type up to norms of `most`; p by
 * powers. */
struct approximant {
    int degree;
    double most, p[14];
    int last; /* beyond it: scaling */
};
static const struct approximant of_double[] = {
    {3, 1.495585217958292e-2, {120, 60, 12, 1}, 0},
    {5, 2.539398330063230e-1, {30240, 15120, 3360, 420, 30, 1}, 0},
    {7, 9.504178996162932e-1, {17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1}, 0},
    {9,
     2.097847961257068,
     {17643225600, 8821612800, 2075673600, 302702400, 30270240, 2162160, 110880, 3960, 90, 1},
     0},
    {13,
     5.371920351148152,
     {64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000,
      10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1},
     1},
};
static const struct approximant of_float[] = {
    {3, 4.258730016922831e-1, {120, 60, 12, 1}, 0},
    {5, 1.880152677804762, {30240, 15120, 3360, 420, 30, 1}, 0},
    {7, 3.925724783138660, {17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1}, 1},
};
#define POWERS 4      /* of a^2 */
#define COLUMN_ROWS 8 /* that are added at once */

size_t matrix_exp_work(int n) { return (POWERS + 3) * (size_t)n * (size_t)n + 3 * (size_t)n; }

#define T float
#define SUFFIX f32
#define DTYPE FLOAT32
#define APPROXIMANTS of_float
#define EPSILON (double)FLT_EPSILON
#include "kernels/matrix_exp_body.h"
#define T double
#define SUFFIX f64
#define DTYPE FLOAT64
#define APPROXIMANTS of_double
#define EPSILON DBL_EPSILON
#include "kernels/matrix_exp_body.h"

void matrix_exp(enum dtype dtype, int n, const void *a, void *out, void *work, int *pivot)
{
    if (dtype == FLOAT32)
        matrix_exp_f32(n, a, out, work, pivot);
    else
        matrix_exp_f64(n, a, out, work, pivot);
}
