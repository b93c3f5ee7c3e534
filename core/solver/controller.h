/* controller.h -- step size control: a scalar error in, accept or reject and the factor for the next step out.
 *
 *   factor = safety * err_n^(-k_1/q) err_(n-1)^(-k_2/q) err_(n-2)^(-k_3/q),  q = order of the error estimate + 1
 *
 * clipped to [min_factor, max_factor]; not above 1 after a rejection. One formula serves I (1, 0, 0), PI (0.7, -0.4, 0) and PID
 * (0.58, -0.21, 0.1) control (Hairer, Wanner, Solving ODEs II, IV.2; Soderlind 2003). A fixed step is a controller that always accepts. */
#ifndef SOLVER_CONTROLLER_H
#define SOLVER_CONTROLLER_H

struct controller {
    double k[3];
    double safety, min_factor, max_factor;
    double exponent; /* 1 / q */
    /* state */
    double previous[2]; /* errors of the last two accepted steps, 1 at the start */
    int rejected;       /* rejections in a row */
};

void controller_reset(struct controller *c);

/* Judge a step with scaled error `err` (accepted when <= 1; NaN and Inf are rejected). Returns whether it is accepted; *factor is what to
 * multiply the step size with, always positive and finite. */
int controller_judge(struct controller *c, double err, double *factor);

#endif
