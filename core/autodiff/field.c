#include "autodiff/field.h"

static enum status cannot(const struct field *f, const char *what, const char *remedy)
{
    return status_set(STATUS_UNSUPPORTED, "this field is %s, which has no %s; %s", f->type->name, what,
                      remedy);
}

#define RECORD_AS_LUA "record it as a Lua function for that"
#define RECORD_IT "record it instead: leave out eager = true and plain = true"

int field_can(const struct field *f, enum field_work work)
{
    if (f->type->can) return f->type->can(f, work);
    if (work == FIELD_EVAL || work == FIELD_EVAL_KEEP) return 1;
    if (work == FIELD_RATE) return f->type->rate != NULL;
    if (work == FIELD_CURVE) return f->type->curve != NULL;
    return work == FIELD_JVP ? f->type->jvp != NULL : f->type->vjp != NULL;
}

enum status field_prepare(struct field *f, unsigned works)
{
    const unsigned evaluations = FIELD_MASK(FIELD_EVAL) | FIELD_MASK(FIELD_EVAL_KEEP),
                   jvp = FIELD_MASK(FIELD_JVP), rate = FIELD_MASK(FIELD_RATE);
    if ((works & ~(evaluations | jvp | rate)) && !f->type->vjp) return cannot(f, "gradient", RECORD_IT);
    if ((works & jvp) && !f->type->jvp) return cannot(f, "Jacobian", RECORD_IT);
    return f->type->prepare ? f->type->prepare(f, works) : STATUS_OK;
}

enum status field_bind(struct field *f, const void *const *parameters)
{
    return f->type->bind ? f->type->bind(f, parameters) : STATUS_OK;
}

enum status field_eval(struct field *f, double t, const void *y, void *dy)
{
    f->nfe++;
    return f->type->eval(f, t, y, dy);
}

enum status field_vjp(struct field *f, double t, const void *y, const void *a, void *dy, void *ybar,
                      void *thetabar)
{
    if (!f->type->vjp) return cannot(f, "gradient", RECORD_IT);
    f->nfe_vjp++;
    return f->type->vjp(f, t, y, a, dy, ybar, thetabar);
}

enum status field_eval_keep(struct field *f, double t, const void *y, void *dy, void *residual)
{
    if (!residual) return field_eval(f, t, y, dy);
    f->nfe++;
    return f->type->eval_keep(f, t, y, dy, residual);
}

enum status field_vjp_kept(struct field *f, double t, const void *y, const void *a, const void *residual,
                           void *ybar, void *thetabar)
{
    if (!residual) return field_vjp(f, t, y, a, NULL, ybar, thetabar);
    f->nfe_vjp++;
    return f->type->vjp_kept(f, t, y, a, residual, ybar, thetabar);
}

enum status field_theta_gradient(struct field *f, const void *own, void *thetabar)
{
    if (!f->type->theta_gradient) return cannot(f, "gradient", RECORD_IT);
    return f->type->theta_gradient(f, own, thetabar);
}

enum status field_jvp(struct field *f, double t, const void *y, const void *v, void *ydot)
{
    if (!f->type->jvp) return cannot(f, "Jacobian", RECORD_IT);
    f->nfe_jvp++;
    return f->type->jvp(f, t, y, v, ydot);
}

enum status field_rate(struct field *f, double t, const void *y, void *dfdt)
{
    if (!f->type->rate) return cannot(f, "derivative by t", RECORD_IT);
    f->nfe_jvp++;
    return f->type->rate(f, t, y, dfdt);
}

enum status field_curve(struct field *f, double t, const void *y, const void *v, double c, const void *a,
                        void *ybar, void *thetabar)
{
    if (!f->type->curve) return cannot(f, "second derivative", RECORD_AS_LUA);
    f->nfe_vjp++;
    return f->type->curve(f, t, y, v, c, a, ybar, thetabar);
}

enum status field_tangent(const struct field *f, struct field_pairs pairs, struct field **out)
{
    if (!f->type->tangent) return cannot(f, "second derivative", RECORD_AS_LUA);
    return f->type->tangent(f, pairs, out);
}

enum status field_rescaled(const struct field *f, struct field **out)
{
    if (!f->type->rescaled) return cannot(f, "second derivative by times", RECORD_AS_LUA);
    return f->type->rescaled(f, out);
}

enum status field_emit(const struct field *f, struct tape *tape, int t, int y, const int *theta, int *dy)
{
    if (!f->type->emit) return cannot(f, "second derivative by times", RECORD_AS_LUA);
    return f->type->emit(f, tape, t, y, theta, dy);
}

enum status field_cut(const struct field *f, int64_t rows, int by_sample, struct field **out)
{
    *out = NULL;
    return f->type->cut ? f->type->cut(f, rows, by_sample, out) : STATUS_OK;
}

enum status field_abreast(const struct field *f, int64_t rows, const struct field *alone, unsigned works,
                          struct field **out)
{
    *out = NULL;
    return f->type->abreast ? f->type->abreast(f, rows, alone, works, out) : STATUS_OK;
}

void field_cost(const struct field *f, struct field_cost *out)
{
    *out = (struct field_cost){.least_rows = 1};
    if (f->type->cost) f->type->cost(f, out);
}

enum status field_explain(struct field *f, enum field_work work, struct field_plan *out)
{
    if (!f->type->explain) return cannot(f, "tape to show", "tide.explain shows recorded fields");
    return f->type->explain(f, work, out);
}

void field_free(struct field *f)
{
    if (f) f->type->free(f);
}
