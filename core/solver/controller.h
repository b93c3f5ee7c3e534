/* controller.h -- step size control: a scalar error in, accept or reject and the factor for the next step
 * out.
 *
 *   factor = safety * err_n^(-k_1/q) err_(n-1)^(-k_2/q) err_(n-2)^(-k_3/q)
 *   q = order of the error estimate + 1
 *
 * clipped to [min_factor, max_factor], and to what the policy allows: by default a step does not grow right
 * after a rejection. One formula serves I, PI and PID control
 * (Hairer, Wanner, Solving ODEs II, IV.2; Soderlind 2003). A fixed step is a controller that always
 * accepts. */
#ifndef SOLVER_CONTROLLER_H
#define SOLVER_CONTROLLER_H

enum controller_kind {
    CONTROLLER_I,
    CONTROLLER_PI,
    CONTROLLER_PID,
    CONTROLLER_OWN, /* k is what it was set to */
};

struct controller {
    enum controller_kind kind;
    double k[3];
    double safety, min_factor, max_factor;
    double exponent; /* 1 / q */
    double
        min_after_accept; /* smallest factor after an accepted step: min_factor, or 1 as torchdiffeq has it */
    double max_after_reject; /* largest factor for the accepted step after a rejection: 1, or max_factor as
                                torchdiffeq has it */
    /* state */
    double previous[2]; /* errors of the last two accepted steps, 1 at the start */
    int rejected;       /* rejections in a row */
};

/* The k of a kind but CONTROLLER_OWN. */
void controller_gains(enum controller_kind kind, double k[3]);

void controller_reset(struct controller *c);

/* Judge a step with scaled error `err` (accepted when <= 1; NaN and Inf are rejected). Returns whether it is
 * accepted; *factor is what to multiply the step size with, always positive and finite. */
int controller_judge(struct controller *c, double err, double *factor);

#endif
