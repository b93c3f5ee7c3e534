/* special.h -- functions that the C library lacks. Each takes and gives doubles; NaN outside of its domain.
 */
#ifndef KERNELS_SPECIAL_H
#define KERNELS_SPECIAL_H

/* log |Gamma(x)|. The library's own writes a variable that threads share. */
double special_log_gamma(double x);
float special_log_gamma_f32(float x);

/* The derivative of log Gamma; -+infinity at +-0, NaN at the other poles. */
double special_digamma(double x);

/* Its derivative of order n, an integer of 0..170 (0..64 where x < 0), as a double; infinite at the poles. */
double special_polygamma(double x, double n);

/* The y with erf(y) = x. */
double special_erfinv(double x);

#endif
