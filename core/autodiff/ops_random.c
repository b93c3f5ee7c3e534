/* Random tensors: an op without inputs, so that a recording draws anew at each run. */
#include "autodiff/op_rules.h"
#include "base/interrupt.h"
#include "kernels/elementwise.h"

enum status infer_random(struct call *c)
{
    const struct attrs *a = c->attrs;
    int64_t kind = a->n < 2 ? -1 : a->v[0], dtype = a->n < 2 ? -1 : a->v[1];
    int first = kind == RANDOM_INTEGER ? 4 : 2;
    int fits = kind == RANDOM_PERMUTATION ? dtype == INT64 && a->n == 3
               : kind == RANDOM_INTEGER   ? dtype == INT64 && a->n >= 4 && a->v[2] <= a->v[3]
                                          : dtype == FLOAT32 || dtype == FLOAT64;
    if (kind < RANDOM_UNIFORM || kind > RANDOM_INTEGER || !fits)
        return status_set(STATUS_DTYPE,
                          "random numbers are float32 or float64, permutations and integers int64");
    return array_init(&c->out, (enum dtype)dtype, a->n - first, a->v + first);
}

static enum status run_random(struct call *c)
{
    struct rng *kept = &((struct generator *)c->attrs->object)->rng, next = *kept, *rng = &next;
    int64_t n = array_numel(&c->out);
    int normal = V(0) == RANDOM_NORMAL;
    if (V(0) == RANDOM_INTEGER)
        rng_integers(rng, n, V(2), V(3), c->out.data);
    else if (c->out.dtype == INT64)
        rng_permutation(rng, n, 1, c->out.data);
    else if (c->out.dtype == FLOAT32)
        (normal ? rng_normal_f32 : rng_uniform_f32)(rng, n, c->out.data);
    else
        (normal ? rng_normal_f64 : rng_uniform_f64)(rng, n, c->out.data);
    if (!interrupt_stop()) *kept = next; /* who stops it may ask again */
    return STATUS_OK;
}

enum status prepare_random(struct call *c)
{
    if (!c->attrs->object) return status_set(STATUS_ARGUMENT, "random: there is no generator to draw from");
    c->run = run_random;
    return STATUS_OK;
}
