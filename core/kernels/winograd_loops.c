/* Transforms of Winograd's convolution, compiled once per instruction set like loops.c. See
 * conv_winograd.c. */
#include "kernels/loops.h"
#include "kernels/paste.h"

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
typedef float vector __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef float four __attribute__((vector_size(16), aligned(4), may_alias));

/* ---- F(4,3), points 0, a, -a, b, -b, infinity; F(2,3), points 0, 1, -1, infinity: one dimension, x[i] at
 * stride s, in place of matrices ----
 *
 * With M(x) = x (x^2 - a^2) (x^2 - b^2): rows of B^T are M(x) / (x - p), of G the powers of p over M'(p),
 * columns of A^T the powers of p. */
/* a = 1/sqrt 2, b = sqrt 2: their errors are the smallest of the simple choices (tests/c/test_winograd.c) */
#define A1 0.70710678f
#define A2 0.5f
#define A3 0.35355339f
#define B1 1.41421356f
#define B2 2.0f
#define B3 2.82842712f
#define A2B2 1.0f
#define SUM2 2.5f
#define NA (1 / (2 * A2 * (A2 - B2)))
#define NB (1 / (2 * B2 * (B2 - A2)))

static inline void input_4(const vector *x, int s, vector *y, int r)
{
    vector even = x[4 * s] - B2 * x[2 * s], odd = A1 * (x[3 * s] - B2 * x[s]);
    vector even2 = x[4 * s] - A2 * x[2 * s], odd2 = B1 * (x[3 * s] - A2 * x[s]);
    vector last = x[5 * s] - SUM2 * x[3 * s] + A2B2 * x[s];
    y[0] = A2B2 * x[0] - SUM2 * x[2 * s] + x[4 * s];
    y[r] = even + odd;
    y[2 * r] = even - odd;
    y[3 * r] = even2 + odd2;
    y[4 * r] = even2 - odd2;
    y[5 * r] = last;
}

static inline void output_4(const vector *x, int s, vector *y, int r)
{
    vector even = x[s] + x[2 * s], odd = x[s] - x[2 * s], even2 = x[3 * s] + x[4 * s],
           odd2 = x[3 * s] - x[4 * s];
    y[0] = x[0] + even + even2;
    y[r] = A1 * odd + B1 * odd2;
    y[2 * r] = A2 * even + B2 * even2;
    y[3 * r] = A3 * odd + B3 * odd2 + x[5 * s];
}

static inline void output_bar_4(const vector *x, int s, vector *y, int r)
{
    vector even = x[0] + A2 * x[2 * s], odd = A1 * x[s] + A3 * x[3 * s], even2 = x[0] + B2 * x[2 * s],
           odd2 = B1 * x[s] + B3 * x[3 * s];
    vector last = x[3 * s];
    y[0] = x[0];
    y[r] = even + odd;
    y[2 * r] = even - odd;
    y[3 * r] = even2 + odd2;
    y[4 * r] = even2 - odd2;
    y[5 * r] = last;
}

static inline void weight_4(const vector *x, int s, vector *y, int r)
{
    vector even = NA * x[0] + (NA * A2) * x[2 * s], odd = (NA * A1) * x[s],
           even2 = NB * x[0] + (NB * B2) * x[2 * s], odd2 = (NB * B1) * x[s];
    vector last = x[2 * s];
    y[0] = (1 / A2B2) * x[0];
    y[r] = even + odd;
    y[2 * r] = even - odd;
    y[3 * r] = even2 + odd2;
    y[4 * r] = even2 - odd2;
    y[5 * r] = last;
}

static inline void weight_bar_4(const vector *x, int s, vector *y, int r)
{
    vector even = x[s] + x[2 * s], odd = x[s] - x[2 * s], even2 = x[3 * s] + x[4 * s],
           odd2 = x[3 * s] - x[4 * s], last = x[5 * s];
    y[0] = (1 / A2B2) * x[0] + NA * even + NB * even2;
    y[r] = (NA * A1) * odd + (NB * B1) * odd2;
    y[2 * r] = (NA * A2) * even + (NB * B2) * even2 + last;
}

static inline void input_2(const vector *x, int s, vector *y, int r)
{
    vector sum = x[s] + x[2 * s], difference = x[2 * s] - x[s], last = x[3 * s] - x[s];
    y[0] = x[0] - x[2 * s];
    y[r] = sum;
    y[2 * r] = difference;
    y[3 * r] = last;
}

static inline void output_2(const vector *x, int s, vector *y, int r)
{
    vector first = x[0] + x[s] + x[2 * s], second = x[s] - x[2 * s] + x[3 * s];
    y[0] = first;
    y[r] = second;
}

static inline void output_bar_2(const vector *x, int s, vector *y, int r)
{
    vector first = x[0], second = x[s];
    y[0] = first;
    y[r] = first + second;
    y[2 * r] = first - second;
    y[3 * r] = second;
}

static inline void weight_2(const vector *x, int s, vector *y, int r)
{
    vector even = 0.5f * (x[0] + x[2 * s]), odd = 0.5f * x[s], first = x[0], last = x[2 * s];
    y[0] = first;
    y[r] = even + odd;
    y[2 * r] = even - odd;
    y[3 * r] = last;
}

static inline void weight_bar_2(const vector *x, int s, vector *y, int r)
{
    vector even = 0.5f * (x[s] + x[2 * s]), odd = 0.5f * (x[s] - x[2 * s]), first = x[0], last = x[3 * s];
    y[0] = first + even;
    y[r] = odd;
    y[2 * r] = even + last;
}

/* Two dimensions: N x N numbers (vectors of channels) to R x R, columns first. */
#define TRANSFORM(NAME, N, R)                                                                                \
    static void transform_##NAME(int64_t channels, const float *in, int64_t in_row, int64_t in_column,       \
                                 float *out, int64_t out_row, int64_t out_column)                            \
    {                                                                                                        \
        for (int64_t c = 0; c < channels; c += LANES) {                                                      \
            vector x[N * N], t[R * N], y[R * R];                                                             \
            _Pragma("GCC unroll 6") for (int i = 0; i < N; i++)                                              \
                _Pragma("GCC unroll 6") for (int j = 0; j < N; j++) x[i * N + j] =                           \
                    *(const vector *)(in + i * in_row + j * in_column + c);                                  \
            _Pragma("GCC unroll 6") for (int j = 0; j < N; j++) NAME(x + j, N, t + j, N);                    \
            _Pragma("GCC unroll 6") for (int i = 0; i < R; i++) NAME(t + i * N, 1, y + i * R, 1);            \
            _Pragma("GCC unroll 6") for (int i = 0; i < R; i++)                                              \
                    _Pragma("GCC unroll 6") for (int j = 0; j < R; j++) *                                    \
                (vector *)(out + i * out_row + j * out_column + c) = y[i * R + j];                           \
        }                                                                                                    \
    }
TRANSFORM(input_2, 4, 4)
TRANSFORM(output_2, 4, 2)
TRANSFORM(output_bar_2, 2, 4)
TRANSFORM(weight_2, 3, 4)
TRANSFORM(weight_bar_2, 4, 3)
TRANSFORM(input_4, 6, 6)
TRANSFORM(output_4, 6, 4)
TRANSFORM(output_bar_4, 4, 6)
TRANSFORM(weight_4, 3, 6)
TRANSFORM(weight_bar_4, 6, 3)

/* ---- transposes, four by four ---- */

static void transpose_plain(int64_t rows, int64_t columns, const float *x, int64_t pitch, float *out,
                            int64_t out_pitch)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) out[j * out_pitch + i] = x[i * pitch + j];
}

static inline void transpose_block(const float *x, int64_t pitch, float *out, int64_t out_pitch)
{
    typedef int32_t index __attribute__((vector_size(16)));
    four a = *(const four *)x, b = *(const four *)(x + pitch), c = *(const four *)(x + 2 * pitch),
         d = *(const four *)(x + 3 * pitch);
#ifdef __clang__
#define SHUFFLE(u, v, i, j, k, l) __builtin_shufflevector(u, v, i, j, k, l)
#else
#define SHUFFLE(u, v, i, j, k, l) __builtin_shuffle(u, v, (index){i, j, k, l})
#endif
    four ab = SHUFFLE(a, b, 0, 4, 1, 5), cd = SHUFFLE(c, d, 0, 4, 1, 5), ab2 = SHUFFLE(a, b, 2, 6, 3, 7),
         cd2 = SHUFFLE(c, d, 2, 6, 3, 7);
    *(four *)out = SHUFFLE(ab, cd, 0, 1, 4, 5);
    *(four *)(out + out_pitch) = SHUFFLE(ab, cd, 2, 3, 6, 7);
    *(four *)(out + 2 * out_pitch) = SHUFFLE(ab2, cd2, 0, 1, 4, 5);
    *(four *)(out + 3 * out_pitch) = SHUFFLE(ab2, cd2, 2, 3, 6, 7);
}

/* out[j out_pitch + i] = x[i pitch + j] */
static void transpose(int64_t rows, int64_t columns, const float *x, int64_t pitch, float *out,
                      int64_t out_pitch)
{
    int64_t i4 = rows / 4 * 4, j4 = columns / 4 * 4;
    for (int64_t i = 0; i < i4; i += 4)
        for (int64_t j = 0; j < j4; j += 4)
            transpose_block(x + i * pitch + j, pitch, out + j * out_pitch + i, out_pitch);
    transpose_plain(rows, columns - j4, x + j4, pitch, out + j4 * out_pitch, out_pitch);
    transpose_plain(rows - i4, j4, x + i4 * pitch, pitch, out + i4, out_pitch);
}

const struct winograd_loops LOOPED(winograd_loops) = {
    .transpose = transpose,
    .transform = {{transform_input_2, transform_output_2, transform_output_bar_2, transform_weight_2,
                   transform_weight_bar_2},
                  {transform_input_4, transform_output_4, transform_output_bar_4, transform_weight_4,
                   transform_weight_bar_4}},
};
