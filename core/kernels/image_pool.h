/* image_pool.h -- windows that slide over images: averages of them, and where their largest numbers are.
 * Dense row-major arrays, planes x H x W, of one float dtype. */
#ifndef KERNELS_IMAGE_POOL_H
#define KERNELS_IMAGE_POOL_H

#include "tensor/tensor.h"

/* Of n pixels, `out` windows. Window i begins at i stride - pad and has `kernel` taps, `dilation` apart;
 * adaptive: it has the pixels from i n / out up to (i + 1) n / out, rounded down and up. */
struct image_pool_axis {
    int64_t n, out, kernel, stride, pad, dilation;
    int adaptive;
};

struct image_pool {
    enum dtype dtype;
    int64_t planes;
    struct image_pool_axis rows, columns;
    int counts_padding; /* an average divides by padding, too */
    int64_t divisor;    /* not 0: it divides by this */
};

/* position: 1-based, in the plane, of the largest number of each window, the first of equal ones; a NaN is
 * larger than any number; 0 where a window has no pixel. */
void image_pool_positions(const struct image_pool *p, const void *x, int64_t *position);

/* y = the numbers of x at these positions, -infinity at 0; windows: positions of a plane. put: its transpose,
 * x = sums of the y whose position it is. */
void image_pool_pick(const struct image_pool *p, int64_t windows, const void *x, const int64_t *position,
                     void *y);
void image_pool_put(const struct image_pool *p, int64_t windows, const void *y, const int64_t *position,
                    void *x);

/* y = averages of the windows of x; spread: its transpose. */
void image_pool_average(const struct image_pool *p, const void *x, void *y);
void image_pool_spread(const struct image_pool *p, const void *y, void *x);

#endif
