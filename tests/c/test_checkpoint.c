/* Binomial schedules: against the least that any schedule takes, and solves that are gone back through. */
#include "solver/checkpoint.h"
#include "check.h"
#include "dice.h"

#define MOST 60
#define SLOTS 9

static void formula_is_the_least(void)
{
    static int64_t least[MOST + 1][SLOTS + 1];
    for (int s = 1; s <= SLOTS; s++)
        for (int l = 1; l <= MOST; l++) {
            least[l][s] = (int64_t)l * (l - 1) / 2;
            for (int place = 1; place < l && s > 1; place++) {
                int64_t cost = place + least[place][s] + least[l - place][s - 1];
                if (cost < least[l][s]) least[l][s] = cost;
            }
            int64_t place = checkpoint_place(l, s);
            CHECK(checkpoint_cost(l, s) == least[l][s], "%d steps, %d slots", l, s);
            CHECK(place == l ? l == 1 || s == 1
                             : place > 0 && place < l &&
                                   place + least[place][s] + least[l - place][s - 1] == least[l][s],
                  "%d steps, %d slots: %d", l, s, (int)place);
        }
    CHECK(checkpoint_cost(1000000, 1) == 499999500000);
    CHECK(checkpoint_cost(INT64_C(1) << 40, 60) > 0 && checkpoint_place(INT64_C(1) << 40, 1000) > 0);
}

/* A block holds the number of its step. */
static int64_t in_block(const char *block)
{
    int64_t step;
    memcpy(&step, block, sizeof step);
    return step;
}

static void put(char *block, int64_t step)
{
    if (block) memcpy(block, &step, sizeof step);
}

static int64_t forward(struct checkpoints *c, int64_t steps, int64_t slots)
{
    char *block;
    for (int64_t i = 0; i < steps; i++) {
        CHECK_OK(checkpoints_forward(c, i, &block));
        put(block, i);
        CHECK(c->n <= slots && c->made <= slots);
    }
    return c->n;
}

/* Steps that are made again on the way back; each of them at most `most` times. */
static int64_t back(struct checkpoints *c, int64_t steps, int64_t slots, int *most)
{
    int64_t again = 0;
    int times[MOST] = {0};
    char *block;
    *most = 0;
    for (int64_t i = steps - 1; i >= 0; i--) {
        int64_t next, at = checkpoints_back(c, i);
        CHECK(in_block(checkpoints_last(c, at)->block) == at);
        while (at < i) {
            CHECK_OK(checkpoints_ahead(c, i, &next, &block));
            CHECK(next > at && next <= i && c->n <= slots && c->made <= slots);
            for (; at < next; at++, again++)
                if (++times[at] > *most) *most = times[at];
            put(block, at);
        }
    }
    return again;
}

static int repetitions(int64_t steps, int64_t slots)
{
    double places = 1;
    int r = 0;
    while (places < (double)steps) r++, places = places * (double)(slots + r) / r;
    return r;
}

static void solves_of_known_length(void)
{
    struct checkpoints c = {0};
    int most;
    for (int64_t slots = 1; slots <= SLOTS; slots++)
        for (int64_t steps = 1; steps <= MOST; steps++) {
            checkpoints_begin(&c, sizeof steps, 0, slots, steps);
            forward(&c, steps, slots);
            CHECK(back(&c, steps, slots, &most) == checkpoint_cost(steps + 1, slots) - steps, "%d steps, %d",
                  (int)steps, (int)slots);
            CHECK(most <= repetitions(steps + 1, slots) - (steps > slots));
            CHECK(back(&c, steps, slots, &most) == checkpoint_cost(steps, slots), "again, from the first");
        }
    checkpoints_free(&c);
}

static void solves_of_unknown_length(void)
{
    struct checkpoints c = {0};
    int most;
    for (int64_t slots = 1; slots <= SLOTS; slots++)
        for (int64_t steps = 1; steps <= MOST; steps++) {
            checkpoints_begin(&c, sizeof steps, 0, slots, 0);
            CHECK(forward(&c, steps, slots) == (steps < slots ? steps : slots));
            int64_t again = back(&c, steps, slots, &most);
            CHECK(again <= checkpoint_cost(steps, slots), "%d steps, %d", (int)steps, (int)slots);
            CHECK(steps > slots || again == 0);
            CHECK(most <= repetitions(steps, slots));
        }
    checkpoints_free(&c);
}

static void rooms_that_shrink(void)
{
    struct checkpoints c = {0};
    int most;
    for (int round = 0; round < 300; round++) {
        int64_t slots = 1 + pick(0, SLOTS - 1), steps = 1 + pick(0, MOST - 1);
        char *block;
        checkpoints_begin(&c, sizeof steps, 0, slots, 0);
        for (int64_t i = 0; i < steps; i++) {
            if (slots > 1 && pick(0, 7) == 0) checkpoints_limit(&c, --slots);
            CHECK_OK(checkpoints_forward(&c, i, &block));
            put(block, i);
            CHECK(c.n <= slots && c.made <= slots);
        }
        CHECK(back(&c, steps, slots, &most) <= checkpoint_cost(steps, 1));
    }
    checkpoints_free(&c);
}

static void every_so_many_th(void)
{
    struct checkpoints c = {0};
    char *block;
    checkpoints_begin(&c, sizeof(int64_t), 3, 0, 0);
    for (int64_t i = 0; i < 20; i++) {
        CHECK_OK(checkpoints_forward(&c, i, &block));
        CHECK((block != NULL) == (i % 3 == 0));
        put(block, i);
    }
    for (int64_t i = 19; i >= 0; i--) CHECK(in_block(checkpoints_last(&c, i)->block) == i - i % 3);
    checkpoints_free(&c);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"the formula is the least that any schedule takes", formula_is_the_least},
        {"solves whose number of steps is known take what the formula says", solves_of_known_length},
        {"others take no more than from the first state alone", solves_of_unknown_length},
        {"rooms that shrink", rooms_that_shrink},
        {"every so many-th", every_so_many_th},
    };
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
