#include "solver/controller.h"

#include <math.h>
#include <string.h>

void controller_gains(enum controller_kind kind, double k[3])
{
    static const double gains[][3] = {
        [CONTROLLER_I] = {1, 0, 0}, [CONTROLLER_PI] = {0.7, -0.4, 0}, [CONTROLLER_PID] = {0.58, -0.21, 0.1}};
    memcpy(k, gains[kind], sizeof gains[kind]);
}

void controller_reset(struct controller *c)
{
    c->previous[0] = c->previous[1] = 1;
    c->rejected = 0;
}

int controller_judge(struct controller *c, double err, double *factor)
{
    if (!(err <= 1)) {
        c->rejected++;
        double shrink = isfinite(err) ? c->safety * pow(err, -c->exponent) : 0;
        *factor = fmin(fmax(shrink, c->min_factor), 1);
        if (*factor >= 1) *factor = c->safety;
        return 0;
    }
    double e = fmax(err, 1e-300);
    double growth = c->safety * pow(e, -c->k[0] * c->exponent) * pow(c->previous[0], -c->k[1] * c->exponent) *
                    pow(c->previous[1], -c->k[2] * c->exponent);
    *factor = fmin(fmax(isfinite(growth) ? growth : c->max_factor, c->min_after_accept),
                   c->rejected ? c->max_after_reject : c->max_factor);
    c->previous[1] = c->previous[0];
    c->previous[0] = fmax(e, 1e-10);
    c->rejected = 0;
    return 1;
}
