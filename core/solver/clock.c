#include "solver/clock.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/tuning.h"

double clock_rounding(const struct clock *c) { return 4 * DBL_EPSILON * fmax(fabs(c->goal), fabs(c->t)); }

double clock_smallest_step(double t) { return fmax(16 * DBL_EPSILON * fabs(t), 16 * DBL_MIN); }

/* ---- times that must be hit ---- */

/* Stop number i along the direction, i < n_stops. */
static const struct stop *stop_number(const struct clock *c, int64_t i)
{
    return &c->o->stops[c->direction > 0 ? i : c->o->n_stops - 1 - i];
}

static int is_jump(const struct clock *c, double t)
{
    for (int64_t low = 0, high = c->o->n_stops; low < high;) {
        int64_t middle = low + (high - low) / 2;
        if (c->o->stops[middle].t == t) return c->o->stops[middle].jump;
        if (c->o->stops[middle].t < t)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

static void stand_at(struct clock *c, double t)
{
    c->t = t;
    c->behind_jump = is_jump(c, t);
    while (c->next_stop < c->o->n_stops && (stop_number(c, c->next_stop)->t - t) * c->direction <= 0)
        c->next_stop++;
}

/* Where the next step has to end at the latest. */
static double target(const struct clock *c)
{
    double end = c->end;
    if (c->next_stop < c->o->n_stops) {
        double stop = stop_number(c, c->next_stop)->t;
        if ((end - stop) * c->direction > 0) end = stop;
    }
    return (end - c->landing) * c->direction > 0 ? c->landing : end;
}

/* The step of size h from t to `end`, with the times of its stages on the near sides of jumps. */
static struct step step_to(const struct clock *c, double h, double end)
{
    struct step p = {.t = c->behind_jump ? nextafter(c->t, end) : c->t,
                     .h = h,
                     .end = is_jump(c, end) ? nextafter(end, c->t) : end,
                     .number = c->accepted,
                     .order = c->order,
                     .stiff = c->stiff,
                     .past = c->past};
    memcpy(p.before, c->before, sizeof p.before);
    if ((p.end - p.t) * h < 0) { /* neighbours: there is nothing between */
        p.t = c->t;
        p.end = end;
    }
    return p;
}

void clock_forget(struct clock *c)
{
    c->past = c->steady = 0;
    c->order = c->climbing = 1;
}

void clock_turn(struct clock *c)
{
    c->stiff = !c->stiff;
    controller_reset(&c->controller);
    c->controller.exponent = 1.0 / (c->o->method.pair[c->stiff]->rk.error_order + 1);
    clock_forget(c);
}

void clock_begin(struct clock *c, const struct solve_options *o, double t0, double end)
{
    *c = (struct clock){
        .o = o, .end = end, .direction = end > t0 ? 1 : -1, .controller = o->controller, .landing = NAN};
    clock_forget(c);
    controller_reset(&c->controller);
    stand_at(c, t0);
    c->first = t0;
    c->h = o->steps ? (end - t0) / (double)o->steps : o->step_size * c->direction;
}

double clock_time(const struct clock *c, const struct step *p, double theta)
{
    return theta == 1 ? c->goal : c->t + theta * p->h;
}

/* The step was whole: it is part of the past. What was cut, or ended at a jump, begins anew. */
static void remember(struct clock *c, double h)
{
    int whole = !c->behind_jump && !c->off_grid;
    memmove(c->before + 1, c->before, sizeof c->before - sizeof *c->before);
    c->before[0] = h;
    if (c->past < MAX_PAST) c->past++;
    if (!whole) clock_forget(c);
}

void clock_land(struct clock *c, const struct step *p, double theta)
{
    double h = theta * (1 + EVENT_MARGIN) * p->h;
    c->landing = c->t + h;
    c->h = fmax(c->h, fabs(h));
    c->rejected++;
}

void clock_move(struct clock *c, const struct step *p, double theta)
{
    stand_at(c, clock_time(c, p, theta));
    c->accepted++;
    c->landing = NAN;
    c->off_grid = theta < 1;
    remember(c, p->h);
    c->done += !c->off_grid;
}

/* ---- fixed steps ---- */

/* A grid of more steps than the limit is refused before any is made; where failures are returned, those that
 * the limit allows are made. */
#define MOST_STEPS 0x1p62
enum status clock_grid(const struct solve_options *o, double t0, double end, int64_t *steps)
{
    if (isinf(end)) { /* an event ends it */
        *steps = o->max_steps + 1;
        return STATUS_OK;
    }
    double size = o->steps ? fabs(end - t0) / (double)o->steps : o->step_size;
    double exact = o->steps ? (double)o->steps : fabs(end - t0) / size,
           resolution = clock_smallest_step(fmax(fabs(t0), fabs(end)));
    double sliver = fmax(STEP_SHORT * fmax(1, exact), resolution / size); /* it is not a step of its own */
    double count = isfinite(exact) ? fmax(1, ceil(exact - sliver)) : INFINITY;
    if (!(count <= (double)o->max_steps) && !(o->return_failures && count < MOST_STEPS)) {
        status_fail(STATUS_NUMERIC, "max_steps", "use larger steps, or raise max_steps",
                    "odeint: the fixed grid needs more than max_steps = %lld steps (%.4g of size %.3g over a "
                    "span of %.3g)",
                    (long long)o->max_steps, count, size, fabs(end - t0));
        status_failure()->h = copysign(size, end - t0);
        return STATUS_NUMERIC;
    }
    if (count > 1 && size < resolution)
        return status_fail(STATUS_NUMERIC, "underflow", "use larger steps, or shift t towards 0",
                           "odeint: step size underflow: steps of %.3g do not resolve t near %.9g, where "
                           "float64 numbers are %.2g apart",
                           size, end, nextafter(fabs(end), INFINITY) - fabs(end));
    *steps = (int64_t)count;
    return STATUS_OK;
}

/* The grid is t0 + k h, not a running sum. */
static double fixed_next(struct clock *c)
{
    int64_t i = c->done;
    double resolution = 4 * DBL_EPSILON * fmax(fabs(c->first), fabs(c->end));
    c->goal = i == c->n - 1 ? c->end : c->first + (double)(i + 1) * c->h;
    double size = !c->off_grid && (c->o->steps || i < c->n - 1) ? c->h : c->goal - c->t;
    return fabs(size - c->h) <= resolution ? c->h : size; /* one that is short by rounding only is whole */
}

/* ---- adaptive steps ---- */

struct step clock_room(const struct clock *c)
{
    double goal = target(c), most = fabs(goal - c->t);
    if (!(c->o->max_step > 0 && c->o->max_step < most)) return step_to(c, most * c->direction, goal);
    most = c->o->max_step;
    return step_to(c, most * c->direction, c->t + most * c->direction);
}

void clock_first(struct clock *c, double h)
{
    c->h = fmin(fmax(h, fmax(clock_smallest_step(c->t), c->o->min_step)), fabs(c->end - c->t));
    if (!(c->h > 0)) c->h = 1e-6 * fabs(c->end - c->t); /* f is NaN or huge at the probe; it will be seen */
}

/* A step of about the size h: landing on what must be hit exactly, and leaving no sliver for a last step. */
static double adaptive_next(struct clock *c)
{
    double goal = target(c), rest = fabs(goal - c->t), h = c->h;
    double most = c->o->max_step > 0 ? c->o->max_step : INFINITY;
    int open = c->o->overshoot && goal == c->end;
    if (h > most) h = most;
    c->lands = !open && h >= rest * (1 - STEP_SLIVER) && rest <= most;
    c->goal = goal;
    if (c->lands) return c->direction * rest;
    if (!open && h >= rest * (1 - STEP_SLIVER)) h = rest / 2; /* max_step forbids to go all the way */
    c->goal = c->t + c->direction * h;
    double resolved = (c->goal - c->t) * c->direction;
    if (fabs(resolved - h) > STEP_COARSE * h)
        h = resolved; /* t is so large that h is a different one by rounding */
    return c->direction * h;
}

/* May another step be tried? */
static enum clock_says within_budgets(const struct clock *c)
{
    const struct solve_options *o = c->o;
    if (c->steps >= o->max_steps) return CLOCK_MAX_STEPS;
    if (o->max_nfe > 0 && c->nfe >= o->max_nfe) return CLOCK_MAX_NFE;
    return o->max_seconds > 0 && c->seconds >= o->max_seconds ? CLOCK_MAX_SECONDS : CLOCK_STEP;
}

enum clock_says clock_next(struct clock *c, struct step *p)
{
    if (!((c->end - c->t) * c->direction > 0)) return CLOCK_END;
    double h = c->o->adaptive ? adaptive_next(c) : fixed_next(c);
    if (isinf(c->goal)) return CLOCK_END; /* nothing has come of a solve without an end */
    *p = step_to(c, h, c->goal);
    if (c->o->adaptive && !c->lands && fabs(h) < clock_smallest_step(c->t)) return CLOCK_UNDERFLOW;
    enum clock_says says = within_budgets(c);
    c->steps += says == CLOCK_STEP;
    return says;
}

/* Where errors grew from step to step they will again: the factor is less by as much as the last one was too
 * large (Gustafsson 1994; Hairer, Wanner, Solving ODEs II, IV.8). */
static double foreseen(const struct clock *c, const struct step *p, double factor)
{
    const struct controller *k = &c->controller;
    double now = fmax(c->error, PREDICT_LEAST_ERROR), before = fmax(k->previous[1], PREDICT_LEAST_ERROR);
    double growth = fabs(p->h / p->before[0]) * pow(before / now, k->exponent);
    return growth < 1 ? fmax(factor * growth, k->min_after_accept) : factor;
}

enum clock_says clock_judge(struct clock *c, const struct step *p, int made, double error)
{
    double factor;
    if (!c->o->adaptive) return made ? CLOCK_ACCEPTED : CLOCK_FAILED;
    c->error = made ? error : INFINITY;
    int accepted = controller_judge(&c->controller, c->error, &factor);
    if (!made && c->controller.rejected <= NEWTON_SHRINKS) factor = fmax(factor, c->o->unsolved_factor);
    if (accepted && c->o->predicts && (c->stiff || !c->o->method.pair[0]) && p->past > 0)
        factor = foreseen(c, p, factor);
    double next = fabs(p->h) * factor;
    c->h = fmax(accepted && c->lands ? fmax(next, c->h) : next,
                c->o->min_step); /* a stop has made it short, not the error */
    if (accepted) return CLOCK_ACCEPTED;
    c->rejected++;
    if (c->controller.rejected >= STEP_MOST_REJECTIONS) return CLOCK_MAX_REJECTIONS;
    return fabs(p->h) <= c->o->min_step ? CLOCK_UNDERFLOW : CLOCK_REJECTED;
}
