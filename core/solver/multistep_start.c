/* The first steps of a multistep method, where the states that they end at were given: k[1], k[2], ... are
 * all of these. */
#include <string.h>

#include "solver/multistep.h"
#include "solver/solver.h"

int start_gives(const struct multistep *m, const struct step *p)
{
    return m->start && p->number == p->past && p->past < m->past;
}

const char *start_state(const struct solver *s, const struct multistep *m, int i)
{
    return m->start + (size_t)i * solver_pitch(s) + (size_t)s->first * dtype_size(s->dtype);
}

int start_dense(struct solver *s, const struct multistep *m, const struct step *p, double theta, int evaluate,
                double *w)
{
    double x[2 * MULTISTEP_PAST], c[2 * MULTISTEP_PAST];
    char slope[2 * MULTISTEP_PAST] = {0};
    int n_carry = s->n_carry, at[2 * MULTISTEP_PAST], n = 0;
    memset(w, 0, (size_t)(n_carry + 1 + m->past) * sizeof *w);
    for (int i = p->past; i < m->past; i++) {
        if (evaluate) memcpy(s->k[1 + i].v, start_state(s, m, i), solver_bytes(s));
        at[n] = n_carry + 1 + i;
        x[n++] = i + 1 - p->past;
    }
    for (int j = 0; j < m->n_y && j <= p->past; j++) {
        at[n] = j;
        x[n++] = -j;
    }
    for (int j = 0; j < m->n_f && j <= p->past; j++) {
        at[n] = j == 0 ? n_carry : m->n_y + j - 1;
        slope[n] = 1;
        x[n++] = -j;
    }
    formula_through(n, x, slope, theta, c);
    for (int i = 0; i < n; i++) w[at[i]] = slope[i] ? p->h * c[i] : c[i];
    return n_carry + 1 + m->past;
}
