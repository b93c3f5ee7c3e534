#include "solver/record.h"

#include <string.h>

#include "base/memory.h"
#include "base/tuning.h"
#include "solver/family.h"
#include "solver/solve.h"

static enum status grow(void *field, int64_t *capacity, int64_t wanted, size_t size)
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

/* ---- residuals ---- */

/* Give a block back. The list of spare blocks always has room for all of them. */
static void pool_give(struct residual_pool *p, void **block)
{
    if (*block) p->spare[p->n_spare++] = *block;
    *block = NULL;
}

void *residual_take(struct residual_pool *p, int i)
{
    if (p->current[i]) return p->current[i];
    if (p->n_spare > 0) return p->current[i] = p->spare[--p->n_spare];
    if ((p->n_blocks + 1) * (int64_t)p->bytes > p->budget) return NULL;
    if (grow(&p->spare, &p->spare_capacity, p->n_blocks + 1, sizeof *p->spare) != STATUS_OK) return NULL;
    if ((p->current[i] = memory_alloc(p->bytes))) p->n_blocks++;
    return p->current[i];
}

static void pool_collect(struct residual_pool *p)
{
    for (int i = 0; i < MAX_K; i++) pool_give(p, &p->current[i]);
    for (int64_t i = 0; i < p->kept_steps * p->per_step; i++) pool_give(p, &p->kept[i]);
    p->kept_steps = 0;
}

static void pool_free(struct residual_pool *p)
{
    pool_collect(p);
    while (p->n_spare > 0) memory_free(p->spare[--p->n_spare]);
    memory_free(p->spare);
    memory_free(p->kept);
    *p = (struct residual_pool){0};
}

/* The residuals of the first `weighted` stages of accepted step n go from the solver to the record. */
static enum status pool_keep(struct residual_pool *p, int64_t n)
{
    if (p->bytes == 0) return STATUS_OK;
    TRY(grow(&p->kept, &p->kept_capacity, (n + 1) * p->per_step, sizeof *p->kept));
    for (int i = 0; i < p->per_step; i++) {
        p->kept[n * p->per_step + i] = p->current[i];
        p->current[i] = NULL;
    }
    p->kept_steps = n + 1;
    return STATUS_OK;
}

void record_free(struct solve_record *r)
{
    pool_free(&r->residuals);
    void *blocks[] = {r->steps, r->states, r->stages, r->output_step, r->output_theta};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
    *r = (struct solve_record){0};
}

enum status record_step(struct solve_record *r, const struct solver *s, const struct method *m,
                        const struct step *p)
{
    size_t bytes = solver_bytes(s), carry = bytes * (size_t)s->n_carry;
    int kept = m->family->kept(m);
    TRY(grow(&r->steps, &r->capacity, r->n + 1, sizeof *r->steps));
    if (r->n % r->every == 0) {
        TRY(grow(&r->states, &r->state_capacity, r->n / r->every + 1, carry));
        for (int i = 0; i < s->n_carry; i++)
            memcpy(r->states + (size_t)(r->n / r->every) * carry + bytes * (size_t)i, s->carry[i], bytes);
    }
    int64_t stage_bytes = (int64_t)bytes * kept;
    if (r->every == 1 && kept > 0 && r->stage_steps == r->n &&
        (r->n + 1) * stage_bytes <= RECORD_STAGE_BYTES / (r->share > 0 ? r->share : 1)) {
        TRY(grow(&r->stages, &r->stage_capacity, r->n + 1, (size_t)stage_bytes));
        for (int i = 0; i < kept; i++)
            memcpy(r->stages + r->n * stage_bytes + (int64_t)bytes * i, s->k[i], bytes);
        r->stage_steps++;
    }
    TRY(pool_keep(&r->residuals, r->n));
    r->steps[r->n++] = *p;
    return STATUS_OK;
}

/* ---- steps ---- */

static void prepare_residuals(struct solve_record *r, struct field *f, const struct solve_options *o)
{
    struct residual_pool *p = &r->residuals;
    int64_t bytes = o->gradient == GRADIENT_DIRECT ? f->kept_bytes : 0;
    if ((size_t)bytes != p->bytes || p->per_step != o->method.rk.weighted)
        pool_free(p);
    else
        pool_collect(p);
    p->bytes = (size_t)bytes;
    p->budget = RECORD_RESIDUAL_BYTES / (r->share > 0 ? r->share : 1);
    p->per_step = o->method.rk.weighted;
}

enum status record_begin(struct solve_record *r, struct solver *s, struct field *f,
                         const struct solve_options *o, int64_t n_times)
{
    prepare_residuals(r, f, o);
    s->residuals = r->residuals.bytes > 0 ? &r->residuals : NULL;
    r->n = r->stage_steps = 0;
    r->every = o->gradient == GRADIENT_CHECKPOINT ? o->checkpoint_steps : 1;
    int64_t capacity = r->output_capacity;
    TRY(grow(&r->output_step, &capacity, n_times, sizeof *r->output_step));
    TRY(grow(&r->output_theta, &r->output_capacity, n_times, sizeof *r->output_theta));
    r->output_step[0] = -1;
    r->output_theta[0] = 0;
    return STATUS_OK;
}
