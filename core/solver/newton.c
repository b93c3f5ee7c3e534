#include "solver/newton.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/tuning.h"
#include "solver/linear.h"
#include "solver/norm.h"
#include "solver/options.h"

/* How many stages are one system. */
static int stages_at_once(const struct solve_options *o)
{
    const struct tableau *rk = &method_solving(&o->method)->rk;
    return rk->coupled ? rk->stages : 1;
}

unsigned newton_works(struct field *f, const struct solve_options *o, int transposed)
{
    const struct family *family = o->method.family;
    return (method_implicit(&o->method)
                ? linear_works(f, o->jacobian, o->own_jacobian, stages_at_once(o), transposed)
                : 0) |
           (family->works ? family->works(f, o, transposed) : 0);
}

enum status newton_reserve(struct solver *s, struct field *f, const struct solve_options *o,
                           const struct state_layout *layout)
{
    if (!method_implicit(&o->method)) return STATUS_OK;
    s->options = o;
    s->layout = layout;
    s->newton.renew = 1;
    s->newton.at_hand = 0;
    s->newton.unrefined = 0;
    s->newton.rejected = NAN;
    s->linear_g = 0;
    TRY(linear_begin(&s->linear, f, o->jacobian, o->own_jacobian, stages_at_once(o)));
    linear_count_anew(s->linear);
    linear_tolerance(s->linear, o->method.loose ? KRYLOV_LOOSE : KRYLOV_NEWTON);
    return STATUS_OK;
}

/* ---- iterations ---- */

void newton_begin(struct newton *n, const struct solver *s)
{
    const struct solve_options *o = s->options;
    double epsilon = s->dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON;
    double y = o->rtol > 0 ? 1 / o->rtol : newton_size(s, s->carry[0]); /* in tolerances, at most */
    *n = (struct newton){
        .most = (int)o->max_newton, .tolerance = fmax(o->newton_goal, 10 * epsilon * y), .eta = 1};
}

enum newton_says newton_judge(struct newton *n, double size)
{
    if (!isfinite(size)) return NEWTON_FAILS;
    if (n->i++ > 0 && size > 0) {
        double rate = size / n->before;
        if (!(rate < 1)) return NEWTON_FAILS;
        n->eta = rate / (1 - rate);
        n->worst = fmax(n->worst, rate);
        if (n->eta * pow(rate, n->most - n->i) * size > n->tolerance) return NEWTON_FAILS;
    }
    n->before = size;
    if (n->eta * size <= n->tolerance) return NEWTON_DONE;
    return n->i < n->most ? NEWTON_GO_ON : NEWTON_FAILS;
}

void newton_end(const struct newton *n, struct solver *s)
{
    if (n->i > n->spare && n->worst > NEWTON_KEEP) s->newton.renew = 1;
}

double newton_size(const struct solver *s, const void *correction)
{
    const struct solve_options *o = s->options;
    return norm_scaled(s->layout, o->norm, s->dtype, correction, s->carry[0], o->rtol, o->atol);
}

/* ---- steps ---- */

/* The Jacobian of the step is that at its beginning. */
static void renew(struct solver *s, const struct step *p)
{
    s->newton.made.t = p->t;
    s->newton.renew = 0;
}

/* Its state in the carry is the first vector of the memory. */
static int memory(const struct solver *s, const struct method *m)
{
    return s->n_carry - m->family->memory(m);
}

static const void *point(const struct solver *s, const struct method *m, const struct step *p)
{
    return s->carry[s->newton.made.t == p->t ? 0 : memory(s, m)];
}

static void remember(struct solver *s, const struct method *m, const struct step *p)
{
    memcpy(s->next[memory(s, m)], point(s, m, p), solver_bytes(s));
}

enum status newton_restore(struct solver *s, struct field *f, const struct method *m, const struct step *p)
{
    return linear_jacobian(s->linear, f, 0, s->newton.made.t, point(s, m, p));
}

static enum status with_jacobian(struct solver *s, struct field *f, const struct method *m,
                                 const struct step *p, newton_attempt attempt)
{
    if (s->newton.made.t == p->t) linear_base(s->linear, s->newton.slope);
    TRY(newton_retry(newton_restore(s, f, m, p)));
    return attempt(s, f, m, p);
}

enum status newton_step(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                        newton_attempt attempt)
{
    if (s->newton.renew || p->past == 0) renew(s, p); /* nothing is known, or y is another */
    enum status status = with_jacobian(s, f, m, p, attempt);
    if (status == STATUS_RETRY && s->newton.made.t != p->t) {
        renew(s, p);
        status = with_jacobian(s, f, m, p, attempt);
    }
    if (status == STATUS_OK) remember(s, m, p);
    return status;
}

enum status newton_again(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                         newton_attempt attempt)
{
    s->newton.made = p->newton;
    s->newton.slope = NULL;
    s->slope_ready = 0;
    TRY(with_jacobian(s, f, m, p, attempt));
    remember(s, m, p);
    return STATUS_OK;
}
