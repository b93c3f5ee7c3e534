/* What to say when a solve gives up: what happened, where, and what helps against the cause that the state at hand points to. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "solver/run.h"

static double element(const struct run *r, const void *x, int64_t i)
{
    return r->s->dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static enum status give_up(const struct run *r, double h, const char *what, const char *remedy)
{
    return status_set(STATUS_NUMERIC, "odeint: %s at t = %.9g, h = %.3g after %lld steps (%lld accepted); %s", what, r->t, h,
                      (long long)r->stats->steps, (long long)r->stats->accepted, remedy);
}

/* ---- signs of causes ---- */

static int64_t largest_element(const struct run *r, const void *x)
{
    int64_t at = 0;
    for (int64_t i = 1; i < r->s->n; i++)
        if (fabs(element(r, x, i)) > fabs(element(r, x, at))) at = i;
    return at;
}

/* y grows at a rate at which it goes to infinity within what the smallest steps resolve. k[0] is f(t, y) whenever a step was tried. */
static int grows_without_bound(const struct run *r)
{
    int64_t i = largest_element(r, r->s->y);
    double y = element(r, r->s->y, i), slope = element(r, r->s->k[0], i) * r->direction;
    return r->stats->accepted > 0 && y * slope > 0 && fabs(y / slope) < 1e6 * run_smallest_step(r->t);
}

/* The tolerances ask for more digits than a number of the state has. */
static int asks_for_rounding(const struct run *r)
{
    double digits = norm_scaled(r->layout, NORM_BATCH, r->s->dtype, r->s->y, r->s->y, r->o->rtol, r->o->atol);
    return digits * (r->s->dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON) > 0.02;
}

/* ---- failures ---- */

static const char *against_many_steps(const struct run *r, double h)
{
    if (2 * r->stats->rejected > r->stats->steps)
        return "most steps are rejected: f may jump or be noisy; give the times of jumps as jumps = {t, ...}, smooth f, or loosen rtol "
               "and atol";
    if (r->o->max_step > 0 && fabs(h) > 0.999 * r->o->max_step) return "max_step keeps the steps short: raise it, or max_steps";
    return "raise max_steps, loosen rtol and atol, or use a method of higher order (\"dopri8\") where they are tight";
}

enum status failure_max_steps(const struct run *r, double h)
{
    char text[400];
    double done = (r->t - r->times[0]) / (r->end - r->times[0]);
    int n = snprintf(text, sizeof text, "%.3g %% of the span is done", 100 * done);
    if (done > 0) n += snprintf(text + n, sizeof text - (size_t)n, ", at this pace it takes about %.2g steps", (double)r->stats->steps / done);
    snprintf(text + n, sizeof text - (size_t)n, "; %s", against_many_steps(r, h));
    return give_up(r, h, "the solve needs more than max_steps", text);
}

enum status failure_small_step(const struct run *r, double h, const char *what)
{
    char text[320], name[80];
    if (r->stats->steps > 0 && !run_is_finite(r->s, r->s->next)) return failure_not_finite(r, h, r->s->next, "f or y");
    const char *asked = r->o->max_step > 0 && r->o->max_step <= fabs(h) * (1 + 1e-9)   ? "max_step"
                        : r->stats->steps == 0 && r->o->first_step > 0 ? "first_step" : NULL;
    if (asked && fabs(h) < run_smallest_step(r->t)) {
        snprintf(text, sizeof text, "%s is shorter than t resolves there (%.2g): raise it", asked, run_smallest_step(r->t));
        return give_up(r, h, what, text);
    }
    if (grows_without_bound(r)) {
        int64_t i = largest_element(r, r->s->y);
        snprintf(text, sizeof text, "the solution appears to go to infinity near t = %.9g (|y| = %.3g): to loosen rtol and atol does not help, end "
                 "the span before", r->t, fabs(element(r, r->s->y, i)));
        return give_up(r, h, what, text);
    }
    if (r->o->min_step > 0 && fabs(h) <= r->o->min_step * (1 + 1e-9)) {
        snprintf(name, sizeof name, "%.40s below min_step = %.3g", what, r->o->min_step);
        return give_up(r, h, name,
                       "the error asks for a shorter one: lower min_step, loosen rtol and atol, or give the times where f jumps as "
                       "jumps = {t, ...}");
    }
    if (asks_for_rounding(r))
        return give_up(r, h, what,
                       r->s->dtype == FLOAT32 ? "rtol and atol ask for more digits than float32 has here: loosen them, or use dtype \"float64\""
                                              : "rtol and atol ask for more digits than float64 has here: loosen them");
    snprintf(text, sizeof text,
             "f appears to be discontinuous or singular there: end the span before a singularity; give the time of a jump as jumps = "
             "{%.9g}; smooth a noisy f, or loosen rtol and atol", r->t);
    return give_up(r, h, what, text);
}

enum status failure_not_finite(const struct run *r, double h, const void *y, const char *what)
{
    char text[160], remedy[320];
    int64_t i = 0;
    while (i < r->s->n && isfinite(element(r, y, i))) i++;
    snprintf(text, sizeof text, "NaN or Inf in %s (element %lld of %lld)", what, (long long)(r->s->first + i) + 1,
             (long long)(r->s->whole > 0 ? r->s->whole : r->s->n));
    if (y == r->y0) return give_up(r, h, text, "check y0");
    if (r->stats->steps == 0) return give_up(r, h, text, "check the field and the parameters: it fails before any step is made");
    if (!r->o->adaptive)
        return give_up(r, h, text,
                       "check the field; where the solution is finite, these steps are too long for an explicit method: use smaller ones, or "
                       "leave out step_size and steps for steps that adapt (with a method that can)");
    if (grows_without_bound(r)) {
        snprintf(remedy, sizeof remedy, "the solution appears to go to infinity near t = %.9g; end the span before, or check the field", r->t);
        return give_up(r, h, text, remedy);
    }
    return give_up(r, h, text,
                   "however small the step: check the field, which is not defined beyond this state (a root or logarithm of a negative "
                   "number, a division by 0, an overflow?)");
}

enum status failure_unresolved(const struct run *r)
{
    double ulp = nextafter(fabs(r->end), INFINITY) - fabs(r->end);
    return status_set(STATUS_NUMERIC,
                      "odeint: the span from t = %.17g to %.17g is too short to be resolved: float64 numbers are %.2g apart there; shift or "
                      "rescale t, so that it counts from a time near the span", r->t, r->end, ulp);
}
