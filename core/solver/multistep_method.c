/* The named multistep methods, and what follows from a multistep method's kind, order and coefficients. */
#include <string.h>

#include "solver/family.h"
#include "solver/multistep.h"

/* `order` where none is asked for; stability is that of this order. */
static const struct {
    const char *name;
    enum multistep_kind kind;
    int order, least, highest, steps;
    double alpha[3], beta[3];
    const char *stability;
} multistep[] = {
    {"adams_bashforth", MULTISTEP_ADAMS_BASHFORTH, 2, 1, 8, 0, {0}, {0}, "bounded"},
    {"adams_moulton", MULTISTEP_ADAMS_MOULTON, 2, 1, 8, 0, {0}, {0}, "A"},
    {"abm", MULTISTEP_ABM, 2, 1, 8, 0, {0}, {0}, "bounded"},
    {"adams", MULTISTEP_ADAMS, 12, 1, 12, 0, {0}, {0}, "bounded"},
    {"bdf", MULTISTEP_BDF, 2, 1, 6, 0, {0}, {0}, "A"},
    {"leapfrog", MULTISTEP_GIVEN, 2, 2, 2, 2, {-1, 0, 1}, {0, 2, 0}, "imaginary"},
};

enum { MULTISTEP = sizeof multistep / sizeof *multistep };

int multistep_count(void) { return MULTISTEP; }
const char *multistep_name(int i) { return multistep[i].name; }

void multistep_get(int i, struct method *out)
{
    strcpy(out->rk.name, multistep[i].name);
    method_order(out, multistep[i].order);
    strcpy(out->rk.stability, multistep[i].stability);
    if (multistep[i].kind == MULTISTEP_BDF) out->rk.adaptive = 1; /* without a grid, see method_vary */
}

/* What the formula looks at: y_n, y_(n-1), ... and f_n, f_(n-1), ... */
static void derive_sizes(struct multistep *m)
{
    int bdf = m->kind == MULTISTEP_BDF || m->kind == MULTISTEP_VARYING_BDF;
    m->n_y = !bdf ? 1 : m->kind == MULTISTEP_BDF ? m->order : m->order + 1;
    m->n_f = bdf ? 0 : m->order - (m->kind == MULTISTEP_ADAMS_MOULTON);
    m->implicit = bdf || m->kind == MULTISTEP_ADAMS_MOULTON;
    m->predicts = m->kind == MULTISTEP_ABM;
    if (m->kind == MULTISTEP_GIVEN) {
        m->n_f = 0;
        for (int j = 0; j < m->steps; j++) {
            if (m->alpha[m->steps - 1 - j] != 0) m->n_y = j + 1;
            if (m->beta[m->steps - 1 - j] != 0) m->n_f = j + 1;
        }
        m->implicit = m->beta[m->steps] != 0;
    }
    if (m->kind == MULTISTEP_ADAMS) {
        m->n_f = MULTISTEP_PAST;
        m->predicts = 1;
        m->past = 0;
        return;
    }
    if (m->kind == MULTISTEP_VARYING_BDF) {
        m->past = 0;
        return;
    }
    m->past = (m->n_y > m->n_f ? m->n_y : m->n_f) - 1;
    if (m->past < 0) m->past = 0;
}

/* A one-step method of at least the order: for stiff problems, or one whose first stage is f_n. */
static const char *beginner(int order, int stiff)
{
    static const char *const explicit_ones[] = {"heun", "heun", "bosh3", "rk4", "dopri5", "dopri8"};
    if (stiff && order <= 2) return "sdirk2";
    return explicit_ones[order > 6 ? 5 : order - 1];
}

enum status method_of_multistep(struct method *m)
{
    struct method begins;
    struct multistep *own = &m->multistep;
    int varies = own->kind == MULTISTEP_ADAMS || own->kind == MULTISTEP_VARYING_BDF;
    derive_sizes(own);
    TRY(method_find(beginner(varies ? 1 : own->order, own->implicit && own->n_f == 0), &begins));
    strcpy(begins.rk.name, m->rk.name);
    m->rk = begins.rk;
    m->rk.order = m->rk.dense_order = own->order;
    m->rk.stability[0] = 0;
    m->rk.adaptive = m->rk.error_order = varies;
    own->begins = begins.family;
    m->pair[0] = m->pair[1] = NULL;
    m->family = &family_multistep;
    return STATUS_OK;
}

static int multistep_row(const struct method *m)
{
    for (int i = 0; i < MULTISTEP; i++)
        if (strcmp(multistep[i].name, m->rk.name) == 0) return i;
    return -1;
}

void method_vary(struct method *m)
{
    if (m->multistep.kind != MULTISTEP_BDF) return;
    m->multistep.kind = MULTISTEP_VARYING_BDF;
    m->multistep.order = 5;
    method_of_multistep(m);
}

void method_orders(const struct method *m, int *least, int *highest)
{
    int row = multistep_row(m);
    *least = row < 0 ? m->rk.order : multistep[row].least;
    *highest = row < 0 ? m->rk.order : multistep[row].highest;
}

enum status method_order(struct method *m, int order)
{
    int row = multistep_row(m);
    if (row < 0 || order < multistep[row].least || order > multistep[row].highest)
        return status_set(STATUS_ARGUMENT, "%s has no order %d", m->rk.name, order);
    m->multistep =
        (struct multistep){.kind = multistep[row].kind, .order = order, .steps = multistep[row].steps};
    memcpy(m->multistep.alpha, multistep[row].alpha, sizeof multistep[row].alpha);
    memcpy(m->multistep.beta, multistep[row].beta, sizeof multistep[row].beta);
    return method_of_multistep(m);
}
