#include "solver/tiled_lanes.h"

#include "base/memory.h"
#include "base/tuning.h"

#define SAMPLES_CONNECTED                                                                                    \
    "odeint: per_sample = true: f must treat the samples of the first axis independently, and here it "      \
    "cannot be seen to: no sums or means over the first axis, no captured matrix with a row per sample in "  \
    "a product, no random numbers, solves or fields in C inside (nor such a field beside events or a "       \
    "quadrature, which makes it a part of a recorded one); g and apply of events, and a quadrature, get "    \
    "the "                                                                                                   \
    "batch and give values for each sample in the same way"

static enum status make_part(struct tiled *t, const struct field *f, const struct solve_options *o,
                             unsigned works, struct tiled_lane *lane, int size)
{
    TRY(field_cut(f, size == 0 ? t->tiles.cut.rows : t->tiles.cut.rest, t->by_sample, &lane->field[size]));
    struct field *part = lane->field[size];
    struct solver *s = &lane->solver[size];
    if (!part) return STATUS_OK;
    TRY(field_prepare(part, works));
    TRY(solver_reserve(s, part->n, part->dtype, &o->method));
    if (works & FIELD_MASK(FIELD_VJP) && !o->adaptive) TRY(gradient_direct_reserve(s, part, o, o->steps));
    s->whole = t->n;
    s->cancelled = &t->tiles.cancelled;
    return STATUS_OK;
}

static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* Room for gradients of the parameters where they are not added up as fields make them. */
static enum status make_theta(struct tiled *t, unsigned works, struct tiled_lane *lane)
{
    const struct field *f = lane->field[0];
    const struct events *e = lane->events;
    int64_t n = tiled_theta_scratch(f);
    if (!f || !t->by_sample || !(works & (FIELD_MASK(FIELD_VJP) | FIELD_MASK(FIELD_VJP_AND_EVAL))))
        return STATUS_OK;
    if (lane == t->lanes) TRY(tiled_theta_new(&t->by_entries, f, e));
    if (t->by_entries.n == 0) return STATUS_OK;
    if (e) n = most(n, tiled_theta_scratch(e->g));
    for (int i = 0; e && i < 2 * e->n; i++) n = most(n, tiled_theta_scratch(events_change(e, i)->apply));
    lane->own = memory_alloc((size_t)f->n_theta * dtype_size(f->dtype));
    lane->scratch = memory_alloc((size_t)n * dtype_size(f->dtype));
    return lane->own && lane->scratch ? STATUS_OK : memory_status();
}

static int has_entries(const struct field *f)
{
    int found = 0;
    for (int i = 0; f && i < f->n_sources; i++) found |= f->sources[i].batch > 0;
    return found;
}

static enum status make_lane(struct tiled *t, const struct field *f, const struct solve_options *o,
                             const unsigned works[2], struct tiled_lane *lane)
{
    TRY(make_part(t, f, o, works[0], lane, 0));
    if (t->tiles.cut.rest > 0) TRY(make_part(t, f, o, works[0], lane, 1));
    t->entries |= has_entries(lane->field[0]);
    if (o->events) TRY(events_cut(o->events, 1, &lane->events));
    struct events *e = lane->events;
    if (e) TRY(events_prepare(e, works[1]));
    if (e && lane->field[0]) TRY(events_reserve(e, &lane->solver[0])); /* it may begin with a gradient */
    if (e) t->entries |= has_entries(e->g);
    for (int i = 0; e && i < 2 * e->n; i++) t->entries |= has_entries(events_change(e, i)->apply);
    return make_theta(t, works[0], lane);
}

/* Can the field be cut, into tiles whose gradients can be added? The rules that simplify a field may make
 * other parameters of one sample than of several. */
static int fits(const struct tiled *t, const struct solve_options *o, const struct tiled_lane *lane)
{
    if (o->events && !lane->events) return 0;
    if (!lane->field[0] || t->tiles.cut.rest == 0) return lane->field[0] != NULL;
    return lane->field[1] && field_same_parameters(lane->field[0], lane->field[1]);
}

static enum status make_sums(struct tiled *t, const struct field *part, int events)
{
    int64_t n = t->tiles.cut.n, n_theta = t->by_entries.n > 0 ? t->by_entries.shared : part->n_theta;
    t->records = memory_zalloc((size_t)n, sizeof *t->records);
    t->stats = memory_zalloc((size_t)n, sizeof *t->stats);
    t->failed = memory_zalloc((size_t)n, 1);
    t->theta = memory_alloc((size_t)n_theta * dtype_size(part->dtype));
    if (events) t->logs = memory_zalloc((size_t)n, sizeof *t->logs);
    if (!t->records || !t->stats || !t->failed || !t->theta || (events && !t->logs)) return memory_status();
    for (int64_t i = 0; i < n; i++) t->records[i].share = n;
    return tiles_reserve(&t->tiles, n_theta, part->dtype);
}

/* Places of a convoy. They do not depend on the threads, because groups that go back are as large: their
 * gradients are added up. */
static int64_t convoy_width(int64_t batch)
{
    int64_t share = (batch + CONVOY_GROUPS - 1) / CONVOY_GROUPS,
            places = share > CONVOY_GROUP_PLACES ? share : CONVOY_GROUP_PLACES;
    return places < batch ? places : batch;
}

static enum status make_returns(struct tiled *t, int64_t batch)
{
    int64_t groups = (batch + CONVOY_LEAST - 1) / CONVOY_LEAST;
    t->turn = memory_alloc((size_t)batch * sizeof *t->turn);
    t->group = memory_alloc((size_t)groups * sizeof *t->group);
    if (!t->turn || !t->group) return memory_status();
    t->crew.cut = (struct tiling){groups, 1, 0, groups};
    return tiles_reserve(&t->crew, t->tiles.n_theta, t->tiles.dtype);
}

/* Samples abreast, where somebody may ask for solves that leave no record, or one that they can. */
static enum status make_convoys(struct tiled *t, const struct field *f, const struct solve_options *o,
                                unsigned works)
{
    int64_t batch = t->tiles.cut.n, most = batch / CONVOY_LEAST, n = most < 1 ? 1 : most;
    if (n > t->tiles.n_lanes) n = t->tiles.n_lanes;
    int recorded = works != FIELD_MASK(FIELD_EVAL) && o->gradient != GRADIENT_ADJOINT,
        back = recorded && (o->gradient == GRADIENT_DIRECT || o->gradient == GRADIENT_CHECKPOINT);
    struct convoy *first;
    if (!t->by_sample || (recorded && !back)) return STATUS_OK;
    TRY(convoy_new(&first, f, t->lanes[0].field[0], o, &t->layout, convoy_width(batch), back));
    if (!first) return STATUS_OK;
    if (recorded && !convoy_records(first, o)) {
        convoy_free(first);
        return STATUS_OK;
    }
    t->convoy = memory_zalloc((size_t)n, sizeof(struct convoy *));
    t->left = memory_alloc((size_t)batch);
    if (!t->convoy || !t->left) {
        convoy_free(first);
        return memory_status();
    }
    t->convoy[0] = first;
    t->crew = (struct tiles){.cut = {n, 1, 0, n}, .n_lanes = n};
    for (int64_t i = 1; i < n; i++)
        TRY(convoy_new(&t->convoy[i], f, t->lanes[i].field[0], o, &t->layout, convoy_width(batch), back));
    return make_returns(t, batch);
}

/* The first lane shows whether all of them fit. */
static enum status make(struct tiled *t, const struct field *f, const struct solve_options *o,
                        const unsigned works[2], int *fit)
{
    t->lanes = memory_zalloc((size_t)t->tiles.n_lanes, sizeof *t->lanes);
    if (!t->lanes) return memory_status();
    TRY(make_lane(t, f, o, works, &t->lanes[0]));
    if (!(*fit = fits(t, o, &t->lanes[0]))) return STATUS_OK;
    for (int64_t i = 1; i < t->tiles.n_lanes; i++) TRY(make_lane(t, f, o, works, &t->lanes[i]));
    TRY(make_sums(t, t->lanes[0].field[0], o->events != NULL));
    return make_convoys(t, f, o, works[0]);
}

/* The cut of the batch; n 1 where it stays whole. */
static struct tiling choose_cut(const struct field *f, const struct solve_options *o)
{
    int whole = o->return_failures || o->max_seconds > 0 || o->events || o->on_step || o->path ||
                o->own_jacobian || o->method.half > 0; /* what is of all tiles at once */
    struct field_cost cost;
    if (o->per_sample) return tiling_of_samples(f->batch);
    if (o->adaptive || !solve_gradient_is_discrete(o->gradient) || whole || f->batch < 2 ||
        f->n % f->batch != 0 || !f->type->cut)
        return tiling_whole(f->batch);
    field_cost(f, &cost);
    return tiling_of_solve(f->batch, &cost);
}

static struct state_layout layout_of_sample(const struct state_layout *whole)
{
    struct state_layout l = *whole;
    for (int p = 0; p < l.n_parts; p++) l.size[p] /= whole->batch;
    l.controlled /= whole->batch;
    l.tangents /= whole->batch;
    l.batch = 1;
    return l;
}

enum status tiled_new(struct tiled **out, const struct field *f, const struct solve_options *o,
                      const struct state_layout *layout, unsigned works, unsigned event_works)
{
    int fit = 0;
    *out = NULL;
    if (f->n == 0) return STATUS_OK;
    struct tiling cut = choose_cut(f, o);
    if (cut.n == 1 && !o->per_sample) return STATUS_OK;
    struct tiled *t = memory_zalloc(1, sizeof *t);
    if (!t) return memory_status();
    t->n = f->n;
    t->share = f->n / f->batch;
    t->by_sample = o->per_sample;
    if (t->by_sample) t->layout = layout_of_sample(layout);
    tiles_begin(&t->tiles, cut);
    if (f->type->one_thread || o->in_order) t->tiles.n_lanes = 1;
    enum status status = make(t, f, o, (unsigned[]){works, event_works}, &fit);
    if (status == STATUS_OK && fit)
        *out = t;
    else
        tiled_free(t);
    if (status == STATUS_OK && !fit && o->per_sample)
        return status_set(STATUS_UNSUPPORTED, SAMPLES_CONNECTED);
    return status;
}

static void free_lane(struct tiled_lane *lane)
{
    for (int k = 0; k < 2; k++) {
        field_free(lane->field[k]);
        solver_release(&lane->solver[k]);
    }
    events_free(lane->events);
    memory_free(lane->own);
    memory_free(lane->scratch);
}

void tiled_free(struct tiled *t)
{
    if (!t) return;
    for (int64_t i = 0; t->lanes && i < t->tiles.n_lanes; i++) free_lane(&t->lanes[i]);
    for (int64_t i = 0; t->convoy && i < t->crew.n_lanes; i++) convoy_free(t->convoy[i]);
    for (int64_t i = 0; t->logs && i < t->tiles.cut.n; i++) event_log_free(&t->logs[i]);
    tiled_theta_free(&t->by_entries);
    for (int64_t i = 0; t->records && i < t->tiles.cut.n; i++) record_free(&t->records[i]);
    tiles_release(&t->tiles);
    tiles_release(&t->crew);
    void *blocks[] = {t->lanes,  t->records, t->stats, t->logs,  t->failed, t->theta,
                      t->convoy, t->left,    t->turn,  t->group, t};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

const struct solve_stats *tiled_counts(const struct tiled *t) { return t->stats; }
const struct event_log *tiled_logs(const struct tiled *t) { return t->logs; }
struct field *tiled_field(const struct tiled *t) { return t->lanes[0].field[0]; }
const struct tiling *tiled_cut(const struct tiled *t) { return &t->tiles.cut; }
int64_t tiled_abreast(const struct tiled *t, int *back)
{
    *back = t->convoy && convoy_returns(t->convoy[0]);
    return t->convoy ? convoy_places(t->convoy[0]) : 0;
}
