#include "solver/linear_split.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/tuning.h"

/* A number whose imaginary part is 0 for the real eigenvalue. */
struct root {
    double re, im;
};

/* The real root of x^3 - c1 x^2 + c2 x - c3, all of whose roots are within 3 of 0: by halves. */
static double real_root(double c1, double c2, double c3)
{
    double low = -3, high = 3, middle = 0;
    for (int i = 0; i < 100; i++) {
        middle = (low + high) / 2;
        double p = ((middle - c1) * middle + c2) * middle - c3;
        if (p == 0) break;
        *(p < 0 ? &low : &high) = middle;
    }
    return middle;
}

/* The vector that A - x I takes to 0: the largest cross product of two of its rows. */
static void null_vector(double A[3][3], struct root x, double *re, double *im)
{
    double R[3][3], I[3][3] = {{0}}, most = -1;
    memcpy(R, A, sizeof R);
    for (int i = 0; i < 3; i++) {
        R[i][i] -= x.re;
        I[i][i] = -x.im;
    }
    for (int i = 0; i < 3; i++) {
        const double *a = R[i], *b = R[(i + 1) % 3], *ai = I[i], *bi = I[(i + 1) % 3];
        double cr[3], ci[3], size = 0;
        for (int k = 0; k < 3; k++) {
            int l = (k + 1) % 3, m = (k + 2) % 3;
            cr[k] = a[l] * b[m] - ai[l] * bi[m] - (a[m] * b[l] - ai[m] * bi[l]);
            ci[k] = a[l] * bi[m] + ai[l] * b[m] - (a[m] * bi[l] + ai[m] * b[l]);
            size += cr[k] * cr[k] + ci[k] * ci[k];
        }
        if (!(size > most)) continue;
        most = size;
        for (int k = 0; k < 3; k++) {
            re[k] = cr[k] / sqrt(size);
            im[k] = ci[k] / sqrt(size);
        }
    }
}

static void invert(double T[3][3], double out[3][3])
{
    double det = 0;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            int k = (i + 1) % 3, l = (i + 2) % 3, m = (j + 1) % 3, n = (j + 2) % 3;
            out[j][i] = T[k][m] * T[l][n] - T[k][n] * T[l][m];
            if (i == 0) det += T[0][j] * out[j][0];
        }
    for (int i = 0; i < 9; i++) out[i / 3][i % 3] /= det;
}

/* Is T D T^-1 nearly A, and T far from singular? */
static int good(const struct split *s, double A[3][3])
{
    double D[3][3] = {{s->real, 0, 0}, {0, s->re, s->im}, {0, -s->im, s->re}};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            double sum = 0;
            for (int k = 0; k < 9; k++) sum += s->basis[i][k / 3] * D[k / 3][k % 3] * s->inverse[k % 3][j];
            if (!(fabs(sum - A[i][j]) <= 64 * DBL_EPSILON && fabs(s->inverse[i][j]) <= SPLIT_INVERSE))
                return 0;
        }
    return 1;
}

int split_find(int stages, const double *A, struct split *s)
{
    double B[3][3] = {{0}}, size = 0, u[3], v[3], c2 = 0;
    int first = 3 - stages;
    if (stages < 2 || stages > 3) return 0;
    for (int i = 0; i < stages * stages; i++) size = fmax(size, fabs(A[i]));
    for (int i = 0; i < stages * stages; i++) B[first + i / stages][first + i % stages] = A[i] / size;
    for (int i = 0; i < 3; i++) {
        int j = (i + 1) % 3;
        c2 += B[i][i] * B[j][j] - B[i][j] * B[j][i];
    }
    double c1 = B[0][0] + B[1][1] + B[2][2], c3 = 0;
    for (int j = 0; j < 3; j++)
        c3 += B[0][j] * (B[1][(j + 1) % 3] * B[2][(j + 2) % 3] - B[1][(j + 2) % 3] * B[2][(j + 1) % 3]);
    s->real = real_root(c1, c2, c3);
    s->re = (c1 - s->real) / 2;
    double square = c2 - s->real * (c1 - s->real) - s->re * s->re;
    if (!(square > 0)) return 0;
    s->im = sqrt(square);
    null_vector(B, (struct root){s->real, 0}, u, v);
    for (int i = 0; i < 3; i++) s->basis[i][0] = u[i];
    null_vector(B, (struct root){s->re, s->im}, u, v);
    for (int i = 0; i < 3; i++) {
        s->basis[i][1] = u[i];
        s->basis[i][2] = v[i];
    }
    invert(s->basis, s->inverse);
    if (!good(s, B)) return 0;
    s->real *= size;
    s->re *= size;
    s->im *= size;
    return 1;
}
