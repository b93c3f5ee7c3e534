#include "solver/method.h"

#include <string.h>

#include "solver/family.h"

static const struct tableau_list *const lists[] = {&tableaus_explicit, &tableaus_implicit};

enum { LISTS = sizeof lists / sizeof *lists };

/* Multistep methods: name and order; they begin with the one-step method named. */
static const struct {
    const char *name;
    int order;
    const char *begin;
} multistep[] = {{"bdf", 2, "sdirk2"}};

enum { MULTISTEP = sizeof multistep / sizeof *multistep };

int method_count(void)
{
    int n = MULTISTEP;
    for (int l = 0; l < LISTS; l++) n += lists[l]->n;
    return n;
}

void method_of_tableau(struct method *m)
{
    tableau_derive(&m->rk);
    m->family = m->rk.implicit ? &family_implicit : &family_explicit;
}

static void get_multistep(int row, struct method *out)
{
    method_find(multistep[row].begin, out);
    strcpy(out->rk.name, multistep[row].name);
    out->rk.order = multistep[row].order;
    out->family = &family_multistep;
}

void method_get(int i, struct method *out)
{
    for (int l = 0; l < LISTS; i -= lists[l++]->n) {
        if (i >= lists[l]->n) continue;
        out->rk = lists[l]->row[i];
        method_of_tableau(out);
        return;
    }
    get_multistep(i, out);
}

static const char *name_of(int i)
{
    for (int l = 0; l < LISTS; i -= lists[l++]->n)
        if (i < lists[l]->n) return lists[l]->row[i].name;
    return multistep[i].name;
}

enum status method_find(const char *name, struct method *out)
{
    for (int i = 0; i < method_count(); i++)
        if (strcmp(name_of(i), name) == 0) {
            method_get(i, out);
            return STATUS_OK;
        }
    return status_set(STATUS_ARGUMENT, "unknown method \"%.40s\"", name);
}
