/* The clock by itself; observers that look at steps, cut them and end a solve. */
#include <math.h>
#include <string.h>

#include "base/tuning.h"
#include "solver/march.h"
#include "check.h"
#include "dice.h"

/* ---- the clock ---- */

static struct solve_options options(const char *method)
{
    struct solve_options o = {.rtol = 1e-6, .atol = 1e-9, .max_steps = 1000, .norm = NORM_BATCH};
    CHECK_OK(method_find(method, &o.method));
    o.controller = (struct controller){
        .safety = 0.9, .min_factor = 0.2, .max_factor = 10, .min_after_accept = 0.2, .max_after_reject = 1};
    solve_options_derive(&o);
    return o;
}

/* Steps with the error given until the clock has more to say; returns what it says. */
static enum clock_says go(struct clock *c, double error, double *longest)
{
    struct step p;
    enum clock_says says;
    while ((says = clock_next(c, &p)) == CLOCK_STEP) {
        says = clock_judge(c, &p, 1, error);
        if (says == CLOCK_ACCEPTED) {
            *longest = fmax(*longest, fabs(p.h));
            clock_move(c, &p, 1);
        } else if (says != CLOCK_REJECTED) {
            return says;
        }
    }
    return says;
}

static void clocks_of_fixed_steps(void)
{
    struct solve_options o = options("rk4");
    struct clock c;
    double longest = 0;
    o.step_size = 0.3;
    solve_options_derive(&o);
    clock_begin(&c, &o, 1, 0);
    CHECK_OK(clock_grid(&o, 1, 0, &c.n));
    CHECK(go(&c, 0, &longest) == CLOCK_END && c.steps == 4 && c.accepted == 4 && c.t == 0 && longest == 0.3);
    struct step p;
    clock_begin(&c, &o, 0, 1);
    CHECK_OK(clock_grid(&o, 0, 1, &c.n));
    CHECK(clock_next(&c, &p) == CLOCK_STEP && clock_judge(&c, &p, 0, 0) == CLOCK_FAILED);
}

static void clocks_of_adaptive_steps(void)
{
    struct stop stops[] = {{0.25, 0}, {0.5, 1}};
    struct solve_options o = options("dopri5");
    struct clock c;
    double longest = 0;
    o.stops = stops;
    o.n_stops = 2;
    o.max_step = 0.1;
    clock_begin(&c, &o, 0, 1);
    clock_first(&c, 1e-3);
    CHECK(clock_room(&c).h == 0.1);
    CHECK(go(&c, 1e-3, &longest) == CLOCK_END && c.t == 1 && longest <= 0.1 && c.rejected == 0);
    clock_begin(&c, &o, 0, 1);
    clock_first(&c, 1e-3);
    CHECK(go(&c, NAN, &longest) == CLOCK_MAX_REJECTIONS && c.rejected == STEP_MOST_REJECTIONS);
    o.min_step = 1e-5;
    clock_begin(&c, &o, 0, 1);
    clock_first(&c, 1e-3);
    CHECK(go(&c, NAN, &longest) == CLOCK_UNDERFLOW && c.h == 1e-5);
    o.min_step = 0;
    o.max_steps = 3;
    clock_begin(&c, &o, 0, 1);
    clock_first(&c, 1e-3);
    CHECK(go(&c, 0.5, &longest) == CLOCK_MAX_STEPS && c.steps == 3);
}

/* A step to a jump ends before it, and the next one begins behind it, without a past. */
static void clocks_at_jumps(void)
{
    struct stop jump = {0.5, 1};
    struct solve_options o = options("dopri5");
    struct clock c;
    struct step p;
    o.stops = &jump;
    o.n_stops = 1;
    clock_begin(&c, &o, 0, 1);
    clock_first(&c, 0.7);
    CHECK(clock_next(&c, &p) == CLOCK_STEP && c.goal == 0.5 && p.end < 0.5 && p.end == nextafter(0.5, 0));
    CHECK(clock_judge(&c, &p, 1, 1e-3) == CLOCK_ACCEPTED);
    clock_move(&c, &p, 1);
    CHECK(clock_next(&c, &p) == CLOCK_STEP && p.t == nextafter(0.5, 1) && p.past == 0 && c.goal == 1);
    clock_judge(&c, &p, 1, 1e-3);
    clock_move(&c, &p, 0.5);
    CHECK(fabs(c.t - 0.75) < 1e-12 && c.past == 0);
}

static double uniform(void) { return (double)pick(0, 1000000) / 1e6; }

/* What a hostile field makes of errors. */
static double hostile_error(void)
{
    static const double some[] = {0, 1, 1e-300, 1e-17, 1e300, INFINITY, NAN, 0.99, 1.01};
    int64_t which = pick(0, 20);
    return which < 9 ? some[which] : pow(10, uniform() * 4 - 3);
}

/* A solve by the clock alone: what it must never do. calm: errors are even, so that no step has a reason to
 * be far shorter than the one before. */
static void one_hostile_solve(struct solve_options *o, int calm)
{
    struct clock c;
    struct step p = {0};
    double t0 = (uniform() - 0.5) * pow(10, (double)pick(-3, 6)),
           end = t0 + (uniform() - 0.5) * pow(10, (double)pick(-3, 6)), last = 0,
           error = 0.1 * uniform(); /* nearer to 1 controllers with memory make steps shorter and shorter */
    enum clock_says says;
    if (fabs(end - t0) < clock_smallest_step(fmax(fabs(t0), fabs(end)))) return;
    clock_begin(&c, o, t0, end);
    clock_first(&c, fabs(end - t0) * pow(10, -6 * uniform()));
    while ((says = clock_next(&c, &p)) == CLOCK_STEP) {
        double before = c.t;
        CHECK(isfinite(p.h) && p.h * (end - t0) > 0 && c.goal != before && isfinite(c.goal));
        CHECK((c.goal - before) * (end - t0) > 0 && (end - c.goal) * (end - t0) >= 0);
        if (calm && last != 0) CHECK(fabs(p.h) >= 0.99e-3 * fabs(last));
        says = clock_judge(&c, &p, 1, calm ? error : hostile_error());
        CHECK(isfinite(c.h) && c.h > 0);
        if (says == CLOCK_ACCEPTED) {
            last = p.h;
            clock_move(&c, &p, 1);
            CHECK(c.t != before);
        } else if (says != CLOCK_REJECTED) {
            break;
        }
    }
    CHECK(says == CLOCK_END || (!calm && says != CLOCK_ACCEPTED && says != CLOCK_STEP));
    if (says == CLOCK_END) CHECK(c.t == end);
    CHECK(c.controller.rejected <= STEP_MOST_REJECTIONS);
}

static void clocks_of_hostile_errors(void)
{
    struct solve_options o = options("dopri5");
    o.max_steps = 100000;
    for (int i = 0; i < 2000; i++) {
        o.controller.kind = (enum controller_kind)(i / 2 % 4);
        memcpy(o.controller.k, (double[]){0.4, -0.3, 0.2}, sizeof o.controller.k);
        solve_options_derive(&o);
        one_hostile_solve(&o, i % 2);
    }
    struct clock c;
    double longest = 0;
    clock_begin(&c, &o, 0, INFINITY);
    clock_first(&c, 1);
    CHECK(go(&c, 0, &longest) == CLOCK_END && isfinite(c.t) && isfinite(longest));
}

/* ---- observers ---- */

/* y' = 2 t, so that every method of order 2 is exact. */
static enum status eval(struct field *f, double t, const void *y, void *dy)
{
    (void)y;
    for (int64_t i = 0; i < f->n; i++) ((double *)dy)[i] = 2 * t;
    return STATUS_OK;
}

struct cutter {
    struct observer base;
    double at; /* the step over this time ends there */
    int cuts, seen, stops;
};

static enum status cut(struct observer *self, struct march *m, const struct step *p, double *theta)
{
    struct cutter *c = (struct cutter *)self;
    c->seen++;
    if (m->clock.t < c->at && m->clock.goal > c->at) {
        *theta = (c->at - m->clock.t) / p->h;
        c->cuts++;
        if (c->stops) m->clock.end = clock_time(&m->clock, p, *theta);
    }
    return STATUS_OK;
}

static void observers_of(const char *method, int64_t steps)
{
    static const struct field_type type = {.name = "a field of the test", .eval = eval};
    struct field f = {.type = &type, .n = 3, .dtype = FLOAT64};
    struct state_layout layout = {.n_parts = 1, .size = {3}, .controlled = 3};
    struct solve_options o = options(method);
    struct cutter c = {.base = {.accepted = cut}, .at = 0.4};
    struct solver s = {0};
    struct solve_stats plain, stats;
    double y0[3] = {0, 1, 2}, times[3] = {0, 0.3, 1}, out[9];
    o.steps = steps;
    solve_options_derive(&o);
    CHECK_OK(solve(&s, &f, &o, &layout, y0, times, 3, out, NULL, &plain));
    o.observers = &c.base;
    for (int again = 0; again < 2; again++) { /* the list is the caller's again behind a solve */
        memset(out, 0, sizeof out);
        CHECK_OK(solve(&s, &f, &o, &layout, y0, times, 3, out, NULL, &stats));
        CHECK(c.base.next == NULL && c.seen == stats.accepted && c.cuts == 1);
        for (int i = 0; i < 3; i++) {
            CHECK(fabs(out[3 + i] - (i + 0.09)) < 1e-12);
            CHECK(fabs(out[6 + i] - (i + 1)) < 1e-12);
        }
        c.cuts = c.seen = 0;
    }
    c.stops = 1;
    CHECK_OK(solve(&s, &f, &o, &layout, y0, times, 3, out, NULL, &stats));
    CHECK(c.cuts == 1 && stats.accepted <= plain.accepted + 1);
    CHECK(fabs(((const double *)s.carry[0])[2] - (2.16)) < 1e-12);
    struct solve_record record = {0};
    CHECK(solve(&s, &f, &o, &layout, y0, times, 3, out, &record, &stats) == STATUS_UNSUPPORTED);
    record_free(&record);
    solver_release(&s);
}

static void observers_cut_steps(void)
{
    observers_of("dopri5", 0);
    observers_of("bosh3", 0);
    observers_of("rk4", 7);
    observers_of("heun", 1);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {{"clocks of fixed steps", clocks_of_fixed_steps},
                                              {"clocks of adaptive steps", clocks_of_adaptive_steps},
                                              {"clocks at jumps", clocks_at_jumps},
                                              {"clocks of hostile errors", clocks_of_hostile_errors},
                                              {"observers cut steps", observers_cut_steps}};
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
