#include "solver/checkpoint.h"

#include <limits.h>

#include "base/memory.h"

/* ---- the binomial schedule ---- */

/* C(s + r, r), or INT64_MAX where it is more than that. Each factor leaves a whole number. */
static int64_t binomial(int64_t s, int64_t r)
{
    int64_t product = 1;
    if (r > s) return binomial(r, s);
    for (int64_t i = 1; i <= r; i++) {
        __extension__ __int128 next = (__int128)product * (s + i) / i;
        if (next > INT64_MAX) return INT64_MAX;
        product = (int64_t)next;
    }
    return product;
}

/* How often a step is made at most. */
static int64_t repetitions(int64_t l, int64_t s)
{
    int64_t r = 1;
    if (s == 1) return l - 1;
    while (binomial(s, r) < l) r++;
    return r;
}

int64_t checkpoint_cost(int64_t l, int64_t s)
{
    if (l <= 1) return 0;
    int64_t r = repetitions(l, s);
    return r * l - binomial(s + 1, r - 1);
}

int64_t checkpoint_place(int64_t l, int64_t s)
{
    if (l <= 1 || s <= 1) return l;
    int64_t r = repetitions(l, s), before = binomial(s, r - 1), behind = l - binomial(s - 1, r - 1);
    return before < behind ? before : behind;
}

/* ---- places ---- */

void checkpoints_begin(struct checkpoints *c, size_t bytes, int64_t every, int64_t slots, int64_t steps)
{
    if (bytes != c->bytes) checkpoints_free(c);
    c->bytes = bytes;
    c->every = every;
    c->slots = slots;
    c->steps = steps;
    c->n = c->next = 0;
    if (every == 0) checkpoints_limit(c, slots);
}

void checkpoints_free(struct checkpoints *c)
{
    for (int64_t i = 0; i < c->made; i++) memory_free(c->at[i].block);
    memory_free(c->at);
    *c = (struct checkpoints){0};
}

/* Number i is done with; its block waits. */
static void drop(struct checkpoints *c, int64_t i)
{
    struct checkpoint gone = c->at[i];
    for (c->n--; i < c->n; i++) c->at[i] = c->at[i + 1];
    c->at[c->n] = gone;
}

/* The block of a place behind the others. */
static enum status keep(struct checkpoints *c, int64_t step, int level, char **block)
{
    if (c->n == c->capacity) {
        int64_t capacity = 2 * c->capacity + 1;
        struct checkpoint *at = memory_realloc(c->at, (size_t)capacity * sizeof *at);
        if (!at) return memory_status();
        c->at = at;
        c->capacity = capacity;
    }
    if (c->n == c->made) {
        if (!(c->at[c->n].block = memory_alloc(c->bytes))) return memory_status();
        c->made++;
    }
    *block = c->at[c->n].block;
    c->at[c->n++] = (struct checkpoint){step, level, *block};
    return STATUS_OK;
}

/* One that lies before another of a higher level, the last of these; 0: there is none, and the first stays.
 */
static int64_t dispensable(const struct checkpoints *c)
{
    int highest = -1;
    for (int64_t i = c->n - 1; i > 0; i--) {
        if (c->at[i].level < highest) return i;
        highest = c->at[i].level > highest ? c->at[i].level : highest;
    }
    return 0;
}

void checkpoints_limit(struct checkpoints *c, int64_t slots)
{
    c->slots = slots;
    while (c->n > slots) {
        int64_t i = dispensable(c);
        drop(c, i > 0 ? i : c->n - 1);
    }
    while (c->made > slots) memory_free(c->at[--c->made].block);
}

static enum status forward_by_levels(struct checkpoints *c, int64_t step, char **block)
{
    int level = 0;
    if (step > 0 && c->slots == 1) return STATUS_OK;
    if (c->n == c->slots) {
        int64_t i = dispensable(c);
        if (i == 0) level = c->at[i = c->n - 1].level + 1;
        drop(c, i);
    }
    return keep(c, step, step == 0 ? INT_MAX : level, block);
}

enum status checkpoints_keep(struct checkpoints *c, int64_t step, char **block)
{
    return keep(c, step, 0, block);
}

enum status checkpoints_forward(struct checkpoints *c, int64_t step, char **block)
{
    *block = NULL;
    if (c->every > 0) return step % c->every == 0 ? keep(c, step, 0, block) : STATUS_OK;
    if (c->steps == 0) return forward_by_levels(c, step, block);
    if (step != c->next) return STATUS_OK;
    TRY(keep(c, step, 0, block));
    c->next += checkpoint_place(c->steps + 1 - step, c->slots - c->n + 1);
    return STATUS_OK;
}

/* ---- on the way back ---- */

const struct checkpoint *checkpoints_last(const struct checkpoints *c, int64_t step)
{
    if (c->every > 0) return &c->at[step / c->every];
    int64_t i = c->n - 1;
    while (c->at[i].step > step) i--;
    return &c->at[i];
}

int64_t checkpoints_back(struct checkpoints *c, int64_t step)
{
    while (c->at[c->n - 1].step > step) c->n--; /* its block is the first of those that wait */
    return c->at[c->n - 1].step;
}

enum status checkpoints_ahead(struct checkpoints *c, int64_t step, int64_t *next, char **block)
{
    int64_t from = c->at[c->n - 1].step, left = step + 1 - from;
    *block = NULL;
    *next = step;
    int64_t place = checkpoint_place(left, c->slots - c->n + 1);
    if (place == left) return STATUS_OK;
    *next = from + place;
    return keep(c, *next, 0, block);
}
