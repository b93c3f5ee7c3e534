/* What to say when a solve gives up: what happened, where, and what helps against the cause that the state at
 * hand points to. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/tuning.h"
#include "solver/family.h"
#include "solver/march.h"

static double element(const struct march *r, const void *x, int64_t i)
{
    return r->s->dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static enum status give_up(const struct march *r, const char *word, double h, const char *what,
                           const char *also, const char *remedy)
{
    status_fail(STATUS_NUMERIC, word, remedy,
                "odeint: %s at t = %.9g, h = %.3g after %lld steps (%lld accepted)%s", what, r->clock.t, h,
                (long long)r->clock.steps, (long long)r->clock.accepted, also);
    status_failure()->h = h;
    return STATUS_NUMERIC;
}

int failure_complete(const struct march *r)
{
    struct failure *f = status_failure();
    if (f->steps >= 0) return 0;
    f->t = r->clock.t;
    f->steps = r->clock.steps;
    f->accepted = r->clock.accepted;
    f->nfe = r->f->nfe - r->nfe;
    return 1;
}

/* ---- signs of causes ---- */

static int64_t largest_element(const struct march *r, const void *x)
{
    int64_t at = 0;
    for (int64_t i = 1; i < r->s->n; i++)
        if (fabs(element(r, x, i)) > fabs(element(r, x, at))) at = i;
    return at;
}

/* Of element i of the vector that is solved: its number in the state, or in a part that has a name. */
static int64_t place(const struct march *r, int64_t i, const char **part, int64_t *size)
{
    const struct state_layout *l = r->layout;
    i += r->s->first;
    *part = "";
    *size = r->s->whole > 0 ? r->s->whole : r->s->n;
    if (l->n_parts == 1 || l->copies > 0) return i;
    int64_t inside = i;
    int p = 0;
    while (p + 1 < l->n_parts && inside >= l->size[p]) inside -= l->size[p++];
    if (!l->name[p][0] && p > 0) return i;
    *part = l->name[p];
    *size = l->size[p];
    return inside;
}

/* The part of the largest element of y. */
static const char *largest_part(const struct march *r)
{
    const char *part;
    int64_t size;
    place(r, largest_element(r, r->s->carry[0]), &part, &size);
    return part;
}

/* y grows at a rate at which it goes to infinity within what the smallest steps resolve. k[0] is f(t, y)
 * whenever a step was tried. */
static int grows_without_bound(const struct march *r)
{
    int64_t i = largest_element(r, r->s->carry[0]);
    double y = element(r, r->s->carry[0], i), slope = element(r, r->s->k[0].v, i) * r->clock.direction;
    if (fabs(y) > 1e-10 * (r->s->dtype == FLOAT32 ? FLT_MAX : DBL_MAX)) return 1;
    return r->clock.accepted > 0 && y * slope > 0 && fabs(y / slope) < 1e6 * clock_smallest_step(r->clock.t);
}

/* y or f is about as large as a number of the state can be, so that steps fail for want of range. */
static int leaves_range(const struct march *r)
{
    double y = element(r, r->s->carry[0], largest_element(r, r->s->carry[0])),
           f = element(r, r->s->k[0].v, largest_element(r, r->s->k[0].v));
    return fmax(fabs(y), fabs(f)) > 1e-6 * (r->s->dtype == FLOAT32 ? FLT_MAX : DBL_MAX);
}

/* The tolerances ask for more digits than a number of the state has. */
static int asks_for_rounding(const struct march *r)
{
    double digits = norm_scaled(r->layout, NORM_BATCH, r->s->dtype, r->s->carry[0], r->s->carry[0],
                                r->o->rtol, r->o->atol);
    return digits * (r->s->dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON) > 0.02;
}

/* An element that is 0 and has no atol cannot have an error: its number, or -1. */
static int64_t without_tolerance(const struct march *r)
{
    const struct state_layout *l = r->layout;
    for (int64_t i = 0; i < (l->copies > 0 ? 0 : l->controlled); i++) {
        double atol = l->atols ? l->atols[i] : r->o->atol;
        if (r->s->dtype == FLOAT32) atol = (float)atol;
        if (atol == 0 && element(r, r->s->carry[0], i) == 0) return i;
    }
    return -1;
}

/* Evaluations of f are what a stability boundary has to be divided by. */
static int costs_much_for_its_boundary(const struct march *r)
{
    return r->stiffness.boundary < 0.8 * (r->o->method.rk.stages - r->o->method.rk.fsal);
}

/* ---- remedies ---- */

#define TEXT 640

static void against_stiffness(const struct march *r, const char *budget, char *text)
{
    snprintf(text, TEXT,
             "the problem looks stiff: h |df/dy| = %.3g is at the boundary of stability of the method "
             "(%.3g), so that other tolerances do not help; it wants an implicit method: method = "
             "\"radau5\", \"kvaerno5\", at loose tolerances \"trbdf2\", or \"auto\" where it is stiff in "
             "places alone; or %sraise %s",
             r->stiffness.h_rho, r->stiffness.boundary,
             costs_much_for_its_boundary(r) ? "take \"bosh3\", which needs fewer evaluations here, or " : "",
             budget);
}

/* Neither growing nor decaying by themselves, such methods let what they carry beside y grow where f
 * contracts. */
static int is_weakly_stable(const struct march *r)
{
    const struct method *m = &r->o->method;
    const char *stability = m->rk.stability[0] ? m->rk.stability : m->family->stability;
    return m->family != &family_symplectic && strcmp(stability, "imaginary") == 0;
}

static void against_weak_instability(const struct march *r, const char *otherwise, char *text)
{
    snprintf(
        text, TEXT,
        "%s is weakly unstable: where f contracts, the error of what it carries beside y grows as e^(span "
        "|lambda|), whatever the steps; end the span before, or take a method that is not (\"dopri5\", "
        "\"rk4\"); where f does not contract, %s",
        r->o->method.rk.name, otherwise);
}

static void against_many_steps(const struct march *r, const char *budget, double h, char *text)
{
    if (is_weakly_stable(r) && r->o->adaptive) {
        char otherwise[96];
        snprintf(otherwise, sizeof otherwise, "raise %s, or loosen rtol and atol", budget);
        against_weak_instability(r, otherwise, text);
        return;
    }
    if (leaves_range(r)) {
        snprintf(text, TEXT,
                 "y and f reach the largest numbers of %s (|y| = %.3g): end the span before%s, or rescale y",
                 r->s->dtype == FLOAT32 ? "float32" : "float64",
                 fabs(element(r, r->s->carry[0], largest_element(r, r->s->carry[0]))),
                 r->s->dtype == FLOAT32 ? ", use dtype \"float64\"" : "");
        return;
    }
    if (!r->o->adaptive)
        snprintf(text, TEXT, "raise %s, or take fewer steps", budget);
    else if (2 * r->clock.rejected > r->clock.steps)
        snprintf(text, TEXT,
                 "most steps are rejected: f may jump or be noisy; give the times of jumps as jumps = {t, "
                 "...}, smooth f, or loosen rtol and atol");
    else if (r->o->max_step > 0 && fabs(h) > 0.999 * r->o->max_step)
        snprintf(text, TEXT, "max_step keeps the steps short: raise it, or %s", budget);
    else
        snprintf(
            text, TEXT,
            "raise %s, loosen rtol and atol, or use a method of higher order (\"dopri8\") where they are "
            "tight",
            budget);
}

/* Without a stiff spell before, a solution that grows like this does so by itself. */
static void against_growth(const struct march *r, char *text)
{
    double y = fabs(element(r, r->s->carry[0], largest_element(r, r->s->carry[0])));
    const char *part = largest_part(r), *dot = *part ? "." : "";
    if (stiffness_ever(&r->stiffness))
        snprintf(text, TEXT,
                 "the numerical solution goes to infinity near t = %.9g (|y%s%.31s| = %.3g), and the problem "
                 "looked "
                 "stiff before: where "
                 "the true "
                 "solution stays finite, tighten rtol and atol, which have let an error grow that large",
                 r->clock.t, dot, part, y);
    else
        snprintf(text, TEXT,
                 "the solution appears to go to infinity near t = %.9g (|y%s%.31s| = %.3g): to loosen rtol "
                 "and atol "
                 "does not help, end "
                 "the span "
                 "before; where the true solution stays finite, tighten them",
                 r->clock.t, dot, part, y);
}

/* An option of the user's asks for steps that t does not resolve. */
static const char *option_too_short(const struct march *r, double h)
{
    double least = clock_smallest_step(r->clock.t);
    if (!(fabs(h) < least)) return NULL;
    if (r->o->max_step > 0 && r->o->max_step < least) return "max_step";
    return r->clock.steps == 0 && r->o->first_step > 0 ? "first_step" : NULL;
}

static void against_small_steps(const struct march *r, double h, char *text)
{
    const char *option = option_too_short(r, h);
    if (r->o->own_norm && isinf(r->clock.error)) {
        snprintf(text, TEXT, "norm, a function of yours, gives infinity: see what it does to such errors");
    } else if (option) {
        snprintf(text, TEXT, "%s is shorter than t resolves there (%.2g): raise it", option,
                 clock_smallest_step(r->clock.t));
    } else if (without_tolerance(r) >= 0) {
        snprintf(
            text, TEXT,
            "element %lld of y is 0 there and has no tolerance, atol = 0 and rtol |y| = 0: give atol > 0",
            (long long)(r->s->first + without_tolerance(r) + 1));
    } else if (grows_without_bound(r)) {
        against_growth(r, text);
    } else if (r->o->min_step > 0 && fabs(h) <= r->o->min_step * (1 + 1e-9)) {
        snprintf(text, TEXT,
                 "the error asks for a step below min_step = %.3g: lower min_step, loosen rtol and atol, or "
                 "give the times where f "
                 "jumps as "
                 "jumps = {t, ...}",
                 r->o->min_step);
    } else if (asks_for_rounding(r)) {
        snprintf(text, TEXT, "rtol and atol ask for more digits than %s",
                 r->s->dtype == FLOAT32 ? "float32 has here: loosen them, or use dtype \"float64\""
                                        : "float64 has here: loosen them");
    } else {
        int n = snprintf(text, TEXT,
                         "f appears to be discontinuous or singular there: end the span before a "
                         "singularity; give the exact time of a "
                         "jump, here near %.9g, in jumps = {...}; smooth a noisy f, or loosen rtol and atol",
                         r->clock.t);
        if (stiffness_ever(&r->stiffness))
            snprintf(text + n, TEXT - (size_t)n,
                     "; the problem looked stiff before, where an error may have led away: tighten them");
    }
}

/* ---- failures ---- */

/* A budget, an option of that name, is spent; a stiff problem has a word of its own where it is the one of
 * steps. */
static enum status spent(const struct march *r, const char *budget, double h)
{
    char what[64], done[160], remedy[TEXT];
    double part = (r->clock.t - r->clock.first) / (r->clock.end - r->clock.first);
    int stiff = stiffness_seen(&r->stiffness, r->clock.accepted);
    int n = snprintf(done, sizeof done, "; %.3g %% of the span is done", 100 * part);
    if (part > 0)
        snprintf(done + n, sizeof done - (size_t)n, ", at this pace it takes about %.2g steps",
                 (double)r->clock.steps / part);
    if (stiff)
        against_stiffness(r, budget, remedy);
    else
        against_many_steps(r, budget, h, remedy);
    snprintf(what, sizeof what, "the solve needs more than %s", budget);
    const char *word = stiff && strcmp(budget, "max_steps") == 0 ? "stiff" : budget;
    return give_up(r, word, h, what, done, remedy);
}

static enum status small_step(const struct march *r, double h, const char *what)
{
    char text[TEXT];
    if (r->clock.steps > 0 && !solver_is_finite(r->s, r->s->next[0]))
        return failure_not_finite(r, h, r->s->next[0], "f or y");
    against_small_steps(r, h, text);
    give_up(r, "underflow", h, what, "", text);
    if (grows_without_bound(r))
        snprintf(status_failure()->part, sizeof status_failure()->part, "%s", largest_part(r));
    return STATUS_NUMERIC;
}

/* The first element of y that is not finite: its number in the state, or in a part that has a name. */
static int64_t find_fault(const struct march *r, const void *y, const char **part, int64_t *size)
{
    int64_t i = 0;
    while (i < r->s->n && isfinite(element(r, y, i))) i++;
    return place(r, i, part, size);
}

/* Why there is a NaN or an Inf. */
static void against_not_finite(const struct march *r, const void *y, char *text)
{
    const char *remedy =
        "check the field: however small the step, it is not defined beyond this state (a root "
        "or logarithm of a negative number, a division by 0, an overflow?)";
    if (is_weakly_stable(r) && y != r->y0 && r->clock.steps > 0) {
        against_weak_instability(r, "check the field, or use smaller steps", text);
        return;
    }
    if (y == r->y0)
        remedy = "check y0";
    else if (r->clock.steps == 0)
        remedy = "check the field and the parameters: no step can be made from a slope that is no number";
    else if (!r->o->adaptive)
        remedy = "check the field; where the solution is finite, these steps are too long for an explicit "
                 "method: use smaller ones, or an adaptive method without step_size and steps";
    else if (grows_without_bound(r)) {
        against_growth(r, text);
        return;
    }
    snprintf(text, TEXT, "%s", remedy);
}

enum status failure_not_finite(const struct march *r, double h, const void *y, const char *what)
{
    char text[160], remedy[TEXT];
    const char *part;
    int64_t size, element = find_fault(r, y, &part, &size) + 1;
    const char *of = !*part ? "" : strcmp(part, "quadrature") == 0 ? " of the " : " of y.";
    snprintf(text, sizeof text, "NaN or Inf in %s (element %lld of %lld%s%.31s)", what, (long long)element,
             (long long)size, of, part);
    against_not_finite(r, y, remedy);
    give_up(r, "not_finite", h, text, "", remedy);
    status_failure()->element = element;
    snprintf(status_failure()->part, sizeof status_failure()->part, "%s", part);
    return STATUS_NUMERIC;
}

enum status failure_unresolved(const struct march *r)
{
    double ulp = nextafter(fabs(r->clock.end), INFINITY) - fabs(r->clock.end);
    return status_fail(
        STATUS_NUMERIC, "underflow", "shift or rescale t, so that it counts from a time near the span",
        "odeint: the span from t = %.17g to %.17g is too short to be resolved: float64 numbers are "
        "%.2g apart there",
        r->clock.t, r->clock.end, ulp);
}

enum status failure_unstable(const struct march *r)
{
    return give_up(
        r, "stiff", r->p.h,
        "y has grown 1000-fold although f pulls back: the steps are unstable, "
        "which the error estimate of this method does not see,",
        "",
        "the problem looks stiff: tighten rtol and atol, or take \"dopri5\", or an implicit method: "
        "\"radau5\", \"kvaerno5\"");
}

enum status failure_no_event(const struct march *r)
{
    status_fail(STATUS_NUMERIC, "no_event",
                "raise max_time, or check the sign and the direction of g; where g touches 0 without a "
                "change of sign there is no event",
                "odeint: g has no zero until max_time = %.9g", r->clock.end);
    status_failure()->h = r->clock.before[0]; /* the last step's */
    return STATUS_NUMERIC;
}

enum status failure_of_clock(const struct march *r, enum clock_says what, double h)
{
    char text[96];
    snprintf(text, sizeof text, "%d rejected steps in a row, the last with an error of %.3g tolerances,",
             STEP_MOST_REJECTIONS, fabs(r->clock.error));
    switch (what) {
    case CLOCK_MAX_STEPS: return spent(r, "max_steps", h);
    case CLOCK_MAX_NFE: return spent(r, "max_nfe", h);
    case CLOCK_MAX_SECONDS: return spent(r, "max_seconds", h);
    case CLOCK_MAX_REJECTIONS: return small_step(r, h, text);
    case CLOCK_FAILED:
        if (r->family == &family_rosenbrock)
            return give_up(r, "newton", h, "the linear system of a Rosenbrock step has no solution", "",
                           "use other steps, or check that f and its Jacobian are finite there");
        return give_up(r, "newton", h, "Newton's method does not converge", "",
                       "use smaller steps, or check that f is finite and smooth there");
    default: return small_step(r, h, "step size underflow");
    }
}
