#include "solver/record.h"

#include "base/memory.h"
#include "base/tuning.h"
#include "solver/family.h"
#include "solver/march.h"
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
    return whole / (r->share > 0 ? r->share : 1);
}

void record_free(struct solve_record *r)
{
    pool_free(&r->vectors);
    pool_free(&r->residuals);
    void *blocks[] = {r->steps, r->carry, r->slots, r->output_step, r->output_theta};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
    *r = (struct solve_record){0};
}

void record_output(struct solve_record *r, int64_t output, int64_t step, double theta)
{
    r->output_step[output] = step;
    r->output_theta[output] = theta;
}

/* ---- forwards ---- */

static enum status keep_carry(struct solve_record *r, struct solver *s)
{
    int64_t at = r->n / r->every * r->n_carry;
    s->given.carry = r->n % r->every == 0;
    if (!s->given.carry) return STATUS_OK;
    TRY(grow_column(&r->carry, &r->carry_capacity, at + r->n_carry, sizeof *r->carry));
    for (int i = 0; i < r->n_carry; i++) r->carry[at + i] = s->carry[i];
    return STATUS_OK;
}

static enum status keep_basis(struct solve_record *r, struct solver *s)
{
    int64_t at = r->n * r->per_step, bytes = (int64_t)solver_bytes(s) * r->kept;
    int fits =
        r->kept > 0 && r->k_steps == r->n && (r->all || (r->n + 1) * bytes <= budget(r, RECORD_STAGE_BYTES));
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
    TRY(grow_column(&r->steps, &r->capacity, r->n + 1, sizeof *r->steps));
    TRY(keep_carry(r, m->s));
    if (r->per_step > 0) TRY(keep_basis(r, m->s));
    r->steps[r->n] = *p;
    r->steps[r->n++].jacobian = m->s->newton.jacobian;
    return STATUS_OK;
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

enum status record_begin(struct solve_record *r, struct solver *s, struct field *f,
                         const struct solve_options *o, int64_t n_times)
{
    const struct method *m = &o->method;
    size_t residual = o->gradient == GRADIENT_DIRECT ? (size_t)f->kept_bytes : 0;
    pool_begin(&r->vectors, solver_bytes(s), -1);
    pool_begin(&r->residuals, residual, budget(r, RECORD_RESIDUAL_BYTES));
    r->base = (struct observer){.accepted = record_accepted};
    r->n = r->k_steps = 0;
    r->every = o->gradient == GRADIENT_CHECKPOINT ? o->checkpoint_steps : 1;
    r->kept = r->every == 1 ? m->family->kept(m) : 0;
    int memory = m->family->memory ? m->family->memory(m) : 0;
    r->all = r->every == 1 && memory > 0;
    r->n_carry = s->n_carry - (r->all ? memory : 0);
    r->per_step = residual > 0 && m->rk.weighted > r->kept ? m->rk.weighted : r->kept;
    s->kept = residual > 0 ? &r->residuals : NULL;
    int64_t capacity = r->output_capacity;
    TRY(grow_column(&r->output_step, &capacity, n_times, sizeof *r->output_step));
    TRY(grow_column(&r->output_theta, &r->output_capacity, n_times, sizeof *r->output_theta));
    return take_vectors(r, s);
}

/* ---- backwards ---- */

int record_load(const struct solve_record *r, struct solver *s, int64_t step)
{
    int have = step < r->k_steps;
    solver_take_own(s);
    for (int i = 0; i < r->n_carry && step % r->every == 0; i++)
        s->carry[i] = r->carry[step / r->every * r->n_carry + i];
    for (int i = 0; i < r->per_step; i++) {
        const struct slot *k = &r->slots[step * r->per_step + i];
        if (have && i < r->kept) s->k[i].v = k->v;
        s->k[i].kept = k->kept;
    }
    return have;
}
