#include "solver/record.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "base/tuning.h"
#include "solver/family.h"
#include "solver/march.h"
#include "solver/retrace.h"
#include "solver/solve.h"

static enum status grow_column(void *field, int64_t *capacity, int64_t wanted, size_t size)
{
    void **block = field;
    if (wanted <= *capacity) return STATUS_OK;
    int64_t next = *capacity * 2 > wanted ? *capacity * 2 : wanted + 15;
    void *fresh = memory_realloc(*block, (size_t)next * size);
    if (!fresh) return memory_status();
    *block = fresh;
    *capacity = next;
    return STATUS_OK;
}

static int64_t budget(const struct solve_record *r, int64_t whole)
{
    int64_t part = whole / (r->share > 0 ? r->share : 1);
    return whole > 0 && part == 0 ? 1 : part;
}

static void free_pages(struct solve_record *r)
{
    while (r->n_pages > 0) memory_free(r->pages[--r->n_pages]);
}

void record_free(struct solve_record *r)
{
    pool_free(&r->vectors);
    pool_free(&r->residuals);
    pool_free(&r->rows);
    checkpoints_free(&r->points);
    free_pages(r);
    void *blocks[] = {r->pages, r->marks, r->carry, r->slots, r->output_step, r->output_theta};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
    *r = (struct solve_record){0};
}

void record_output(struct solve_record *r, int64_t output, int64_t step, double theta)
{
    r->output_step[output] = step;
    r->output_theta[output] = theta;
}

/* ---- steps ---- */

#define PAGE_STEPS 16

static char *step_at(const struct solve_record *r, int64_t i)
{
    return r->pages[i / PAGE_STEPS] + (size_t)(i % PAGE_STEPS) * r->step_bytes;
}

void record_read_step(const struct solve_record *r, int64_t i, struct step *p)
{
    memcpy(p, step_at(r, i), r->step_bytes);
    for (int j = 0; j < p->past; j++)
        memcpy(&p->before[j], step_at(r, i - 1 - j) + offsetof(struct step, h), sizeof p->h);
}

struct step record_step(const struct solve_record *r, int64_t i)
{
    struct step p = {0};
    record_read_step(r, i, &p);
    return p;
}

double record_time(const struct solve_record *r, int64_t i)
{
    double t;
    memcpy(&t, step_at(r, i) + offsetof(struct step, t), sizeof t);
    return t;
}

static enum status keep_step(struct solve_record *r, const struct step *p)
{
    if (r->n == r->n_pages * PAGE_STEPS) {
        TRY(grow_column(&r->pages, &r->page_capacity, r->n_pages + 1, sizeof *r->pages));
        if (!(r->pages[r->n_pages] = memory_alloc(PAGE_STEPS * r->step_bytes))) return memory_status();
        r->n_pages++;
    }
    memcpy(step_at(r, r->n++), p, r->step_bytes);
    return STATUS_OK;
}

/* ---- some carries ---- */

static size_t padded(const struct solver *s) { return (solver_bytes(s) + 63) & ~(size_t)63; }

void record_vectors(const struct solver *s, char *block, char **carry)
{
    for (int c = 0; c < s->n_carry; c++) carry[c] = block + (size_t)c * padded(s);
}

/* With their places in arrays, which grow by doubling. */
static int64_t bytes_of_steps(const struct solve_record *r, int64_t steps)
{
    int64_t page = PAGE_STEPS * (int64_t)r->step_bytes + 2 * (int64_t)sizeof *r->pages;
    return (steps + PAGE_STEPS - 1) / PAGE_STEPS * page;
}

static int64_t bytes_of_carry(const struct solve_record *r)
{
    return (int64_t)(r->points.bytes + 2 * sizeof *r->points.at);
}

/* Room for carries beside so many steps, within the budget. */
static int64_t room(const struct solve_record *r, int64_t steps)
{
    int64_t there = r->n_pages * PAGE_STEPS;
    int64_t left = r->budget - bytes_of_steps(r, steps > there ? steps : there);
    return left > 0 ? left / bytes_of_carry(r) : 0;
}

/* The steps of a grid that nothing cuts are known beforehand; others take room from the carries as they come.
 */
static void begin_points(struct solve_record *r, const struct solve_options *o, int64_t grid)
{
    int64_t steps = o->adaptive || o->events ? 0 : grid;
    int64_t slots = r->budget > 0 ? room(r, steps > 0 ? steps : 1) : o->checkpoints;
    r->lacks_room = r->budget > 0 && slots == 0;
    checkpoints_begin(&r->points, r->points.bytes, r->budget > 0 || slots > 0 ? 0 : o->checkpoint_steps,
                      slots, steps);
}

static void make_room(struct solve_record *r)
{
    int64_t slots = room(r, r->n + 1);
    r->lacks_room = slots == 0;
    if (slots > 0 && slots < r->points.slots) checkpoints_limit(&r->points, slots);
}

static void copy_vectors(const struct solver *s, char *const *carry, char *block)
{
    for (int c = 0; c < s->n_carry; c++) memcpy(block + (size_t)c * padded(s), carry[c], solver_bytes(s));
}

static enum status copy_carry(struct solve_record *r, const struct solver *s)
{
    char *block;
    TRY(checkpoints_keep(&r->points, r->n, &block));
    copy_vectors(s, s->carry, block);
    return STATUS_OK;
}

/* Of a solve whose steps are taken back. */
static enum status keep_mark(struct solve_record *r, const struct march *m)
{
    if (r->n == 0) checkpoints_begin(&r->points, r->points.bytes, 0, INT64_MAX, 0);
    TRY(grow_column(&r->marks, &r->mark_capacity, r->n + 1, sizeof *r->marks));
    r->marks[r->n] = retrace_mark(m->s, m->s->carry[0]);
    int cut = m->theta < 1 || m->after;
    return m->p.past == 0 || cut ? copy_carry(r, m->s) : STATUS_OK;
}

/* What it would have taken is known when all steps are. */
enum status record_end(struct solve_record *r, struct solver *s, const struct solve_options *o)
{
    int64_t share = r->share > 0 ? r->share : 1, least = bytes_of_steps(r, r->n) + bytes_of_carry(r);
    if (r->retraced && r->n > 0) return copy_carry(r, s);
    if (!r->lacks_room) return STATUS_OK;
    return status_set(
        STATUS_ARGUMENT,
        "odeint: memory = %lld is too little for gradient = \"checkpoint\": to go back through "
        "%lld steps takes the sizes of all of them and the state that the first one begins with, "
        "%lld bytes at least; more states save evaluations",
        (long long)o->memory, (long long)r->n, (long long)(least * share));
}

/* grid: steps of one. */
static enum status keep_point(struct solve_record *r, const struct solve_options *o, int64_t grid,
                              const struct solver *s, char *const *carry)
{
    char *block;
    if (r->n == 0) begin_points(r, o, grid);
    if (r->budget > 0 && r->points.steps == 0) make_room(r);
    if (r->lacks_room) return STATUS_OK;
    TRY(checkpoints_forward(&r->points, r->n, &block));
    if (!block) return STATUS_OK;
    copy_vectors(s, carry, block);
    return STATUS_OK;
}

static enum status keep_some(struct solve_record *r, const struct march *m)
{
    return r->retraced ? keep_mark(r, m) : keep_point(r, m->o, m->clock.n, m->s, m->s->carry);
}

/* ---- forwards ---- */

static enum status keep_carry(struct solve_record *r, struct solver *s)
{
    int64_t at = r->n * r->n_carry;
    TRY(grow_column(&r->carry, &r->carry_capacity, at + r->n_carry, sizeof *r->carry));
    for (int i = 0; i < r->n_carry; i++) r->carry[at + i] = s->carry[i];
    s->given.carry = r->n_carry;
    return STATUS_OK;
}

/* Is there room for the k of one more step? */
static int k_fit(const struct solve_record *r)
{
    int64_t bytes = (int64_t)r->vectors.bytes * r->kept;
    return r->kept > 0 && r->k_steps == r->n &&
           (r->all || (r->n + 1) * bytes <= budget(r, RECORD_STAGE_BYTES));
}

static enum status keep_basis(struct solve_record *r, struct solver *s)
{
    int64_t at = r->n * r->per_step;
    int fits = k_fit(r);
    TRY(grow_column(&r->slots, &r->slot_capacity, at + r->per_step, sizeof *r->slots));
    for (int i = 0; i < r->per_step; i++)
        r->slots[at + i] = (struct slot){fits && i < r->kept ? s->k[i].v : NULL, s->k[i].kept};
    s->given.k = fits ? r->kept : 0;
    s->given.kept = r->per_step;
    r->k_steps += fits;
    return STATUS_OK;
}

static enum status record_accepted(struct observer *self, struct march *m, const struct step *p,
                                   double *theta)
{
    struct solve_record *r = (struct solve_record *)self;
    if (*theta < 1 && !m->o->events) /* those know where */
        return status_set(STATUS_UNSUPPORTED, "odeint: a step that was cut has no gradient");
    TRY(r->some ? keep_some(r, m) : keep_carry(r, m->s));
    if (r->per_step > 0) TRY(keep_basis(r, m->s));
    struct step kept = *p;
    kept.newton = m->s->newton.made;
    if (!r->lacks_room) return keep_step(r, &kept);
    r->n++;
    return STATUS_OK;
}

/* Into the cache: of many records in turns, each a step at a time, the processor foresees nothing. 256
 * oscillators take 9.7 ms for 12.9 forwards, and 8.2 ms for 14 backwards (record_soon). */
static void fetch(const void *at, size_t bytes)
{
    for (size_t i = 0; i < bytes && i < RECORD_FETCH_BYTES; i += 64)
        __builtin_prefetch((const char *)at + i, 1);
}

static enum status copy_row(struct solve_record *r, const struct step *p, const void *y, char *const *k)
{
    int fits = k_fit(r);
    size_t bytes = r->vectors.bytes;
    char *row = pool_take(fits ? &r->rows : &r->vectors);
    if (!row) return memory_status();
    TRY(grow_column(&r->carry, &r->carry_capacity, r->n + 1, sizeof *r->carry));
    r->carry[r->n] = row;
    memcpy(row, y, bytes);
    for (int i = 0; fits && i < r->kept; i++) memcpy(row += bytes, k[i], bytes);
    r->k_steps += fits;
    TRY(keep_step(r, p));
    if (fits) fetch(r->rows.next, r->rows.bytes);
    fetch(r->carry + r->n, sizeof *r->carry);
    if (r->n < r->n_pages * PAGE_STEPS) fetch(step_at(r, r->n), r->step_bytes);
    return STATUS_OK;
}

enum status record_copy(struct solve_record *r, const struct solve_options *o, const struct solver *s,
                        const struct step *p, char *y, char *const *k)
{
    if (!r->some) return copy_row(r, p, y, k);
    TRY(keep_point(r, o, 0, s, &y));
    if (!r->lacks_room) return keep_step(r, p);
    r->n++;
    return STATUS_OK;
}

/* Of steps: all that is not known from those before; of carries, where they are copied. */
static void set_sizes(struct solve_record *r, const struct solver *s, int memory)
{
    size_t step = memory > 0 ? offsetof(struct step, before) : offsetof(struct step, newton);
    size_t carry = (size_t)s->n_carry * padded(s);
    if (step != r->step_bytes) free_pages(r);
    if (carry != r->points.bytes) checkpoints_free(&r->points);
    r->step_bytes = step;
    r->points.bytes = carry;
}

static enum status take_vectors(struct solve_record *r, struct solver *s)
{
    s->vectors = &r->vectors;
    for (int i = 0; i < s->n_carry; i++)
        if (!(s->carry[i] = pool_take(s->vectors)) || !(s->next[i] = pool_take(s->vectors)))
            return memory_status();
    for (int i = 0; i < s->n_k && r->kept > 0; i++)
        if (!(s->k[i].v = pool_take(s->vectors))) return memory_status();
    return STATUS_OK;
}

static enum status begin(struct solve_record *r, struct solver *s, struct field *f,
                         const struct solve_options *o, int64_t n_times)
{
    const struct method *m = &o->method;
    size_t residual = o->gradient == GRADIENT_DIRECT ? (size_t)f->kept_bytes : 0;
    pool_begin(&r->vectors, solver_bytes(s), -1);
    pool_begin(&r->residuals, residual, budget(r, RECORD_RESIDUAL_BYTES));
    r->base = (struct observer){.accepted = record_accepted};
    r->n = r->k_steps = r->copies = 0;
    r->retraced = o->gradient == GRADIENT_REVERSIBLE;
    r->some = r->retraced || (o->gradient == GRADIENT_CHECKPOINT &&
                              (o->checkpoints > 0 || o->memory > 0 || o->checkpoint_steps > 1));
    r->budget = budget(r, o->memory);
    r->kept = r->some ? 0 : m->family->kept(m);
    int memory = m->family->memory ? m->family->memory(m) : 0;
    r->all = !r->some && memory > 0;
    r->lacks_room = 0;
    set_sizes(r, s, memory);
    r->n_carry = s->n_carry - (r->all ? memory : 0);
    r->per_step = residual > 0 && m->rk.weighted > r->kept ? m->rk.weighted : r->kept;
    s->kept = residual > 0 ? &r->residuals : NULL;
    int64_t capacity = r->output_capacity;
    TRY(grow_column(&r->output_step, &capacity, n_times, sizeof *r->output_step));
    return grow_column(&r->output_theta, &r->output_capacity, n_times, sizeof *r->output_theta);
}

enum status record_begin(struct solve_record *r, struct solver *s, struct field *f,
                         const struct solve_options *o, int64_t n_times)
{
    TRY(begin(r, s, f, o, n_times));
    return r->some ? STATUS_OK : take_vectors(r, s);
}

enum status record_begin_copies(struct solve_record *r, struct solver *s, struct field *f,
                                const struct solve_options *o, int64_t n_times)
{
    TRY(begin(r, s, f, o, n_times));
    pool_begin(&r->rows, (size_t)(1 + r->kept) * solver_bytes(s), -1);
    r->copies = 1;
    return STATUS_OK;
}

/* ---- backwards ---- */

void record_soon(const struct solve_record *r, int64_t step)
{
    size_t bytes = r->copies && step < r->k_steps ? r->rows.bytes : r->vectors.bytes;
    fetch(step_at(r, step), r->step_bytes);
    fetch(r->carry[step * r->n_carry], bytes);
}

int record_load(const struct solve_record *r, struct solver *s, int64_t step)
{
    int have = step < r->k_steps;
    solver_take_own(s);
    for (int i = 0; i < r->n_carry; i++) s->carry[i] = r->carry[step * r->n_carry + i];
    for (int i = 0; r->copies && have && i < r->kept; i++)
        s->k[i].v = s->carry[0] + (size_t)(1 + i) * r->vectors.bytes;
    if (r->copies) return have;
    for (int i = 0; i < r->per_step; i++) {
        const struct slot *k = &r->slots[step * r->per_step + i];
        if (have && i < r->kept) s->k[i].v = k->v;
        s->k[i].kept = k->kept;
    }
    return have;
}
