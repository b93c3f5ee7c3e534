#include "solver/retrace.h"

#include <string.h>

#include "base/tuning.h"
#include "solver/family.h"

static double number(enum dtype dtype, const void *x, int64_t i)
{
    return dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

/* 1/2 .. 3/2, spread evenly by the golden ratio. */
static double weight(int64_t i) { return 0.5 + (double)((uint32_t)i * 2654435769u >> 1) * 0x1p-31; }

double retrace_mark(const struct solver *s, const void *y)
{
    double sum = 0;
    for (int64_t i = 0; i < s->n; i++) sum += weight(i) * number(s->dtype, y, i);
    return sum;
}

/* As a share of what y is at one end of the step or at the other. */
static double mark_error(const struct solver *s, double mark)
{
    double before = 0, behind = 0;
    for (int64_t i = 0; i < s->n; i++) {
        before += weight(i) * fabs(number(s->dtype, s->carry[0], i));
        behind += weight(i) * fabs(number(s->dtype, s->next[0], i));
    }
    return retrace_relative(fabs(retrace_mark(s, s->carry[0]) - mark), fmax(before, fabs(mark)), behind);
}

double retrace_distance(int64_t n, enum dtype dtype, const void *x, const void *y)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = number(dtype, x, i) - (y ? number(dtype, y, i) : 0);
        sum += d * d;
    }
    return sqrt(sum);
}

double retrace_relative(double distance, double size, double other)
{
    return distance == 0 ? 0 : distance / fmax(size, other);
}

/* Of the part of the state where it is largest, as a share of what that is at one end of the steps or at the
 * other: it may begin with zeros. */
static double whole_error(const struct retrace *r, const struct solver *s, const char *kept, const char *end)
{
    double worst = 0;
    size_t at = 0, size = dtype_size(s->dtype);
    int64_t left = s->n;
    for (int part = 0; part < r->layout->n_parts && left > 0; part++) {
        int64_t n = r->layout->size[part] < left ? r->layout->size[part] : left;
        double error = retrace_relative(retrace_distance(n, s->dtype, s->carry[0] + at, kept + at),
                                        retrace_distance(n, s->dtype, kept + at, NULL),
                                        retrace_distance(n, s->dtype, end + at, NULL));
        if (!(error <= worst)) worst = error;
        at += (size_t)n * size;
        left -= n;
    }
    return worst;
}

void retrace_begin(struct retrace *r, struct backward *b)
{
    int there = b->r->n > 0 && checkpoints_last(&b->r->points, b->r->n)->step == b->r->n;
    b->retrace = there ? r : NULL;
    if (!there) b->r->points.slots = b->r->points.n + RETRACE_CHECKPOINTS;
}

/* From a block of the record. */
static void copy(struct solver *s, char *block, char **into)
{
    char *carry[MAX_CARRY];
    record_vectors(s, block, carry);
    for (int c = 0; c < s->n_carry; c++) memcpy(into[c], carry[c], solver_bytes(s));
}

static void judge(struct backward *b, double error, int64_t step)
{
    struct retrace *r = b->retrace;
    double most = b->s->dtype == FLOAT32 ? RETRACE_ERROR_FLOAT32 : RETRACE_ERROR_FLOAT64;
    if (!(error <= r->error)) r->error = error;
    if (error <= most) return;
    r->made_again = 1;
    b->retrace = NULL;
    checkpoints_back(&b->r->points, step);
    b->r->points.slots = b->r->points.n + RETRACE_CHECKPOINTS;
}

enum status retrace_step(struct backward *b, int64_t step)
{
    struct solver *s = b->s;
    const struct checkpoint *here = checkpoints_last(&b->r->points, step),
                            *behind = checkpoints_last(&b->r->points, step + 1);
    b->p = record_step(b->r, step);
    solver_take_own(s);
    if (times_is_cut(b->o->events, step)) {
        copy(s, here->block, s->carry);
        return STATUS_OK;
    }
    if (behind->step == step + 1)
        copy(s, behind->block, s->next);
    else
        for (int c = 0; c < s->n_carry; c++) memcpy(s->next[c], s->carry[c], solver_bytes(s));
    TRY(b->o->method.family->undo(s, b->f, &b->o->method, &b->p));
    double error = mark_error(s, b->r->marks[step]);
    if (here->step == step) { /* y is the first vector of a block */
        double whole = whole_error(b->retrace, s, here->block, here[1].block);
        if (!(whole <= error)) error = whole;
        copy(s, here->block, s->carry);
    }
    judge(b, error, step);
    return STATUS_OK;
}
