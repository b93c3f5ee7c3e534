#include "solver/method.h"

#include <string.h>

#include "solver/family.h"
#include "solver/multistep.h"

static const struct tableau_list *const lists[] = {
    &tableaus_explicit, &tableaus_implicit, &tableaus_rosenbrock, &tableaus_reversible, &tableaus_symplectic};

enum { LISTS = sizeof lists / sizeof *lists };

int method_count(void)
{
    int n = multistep_count() + automatic_count();
    for (int l = 0; l < LISTS; l++) n += lists[l]->n;
    return n;
}

void method_of_tableau(struct method *m)
{
    tableau_derive(&m->rk);
    m->multistep = (struct multistep){.kind = MULTISTEP_NONE};
    m->pair[0] = m->pair[1] = NULL;
    m->half = 0;
    m->family = m->rk.coupled ? &family_coupled : m->rk.implicit ? &family_implicit : &family_explicit;
    m->loose = 0;
}

const struct method *method_solving(const struct method *m) { return m->pair[1] ? m->pair[1] : m; }

int method_implicit(const struct method *m)
{
    const struct multistep *own = &m->multistep;
    return own->kind == MULTISTEP_NONE ? m->family->implicit : own->implicit || own->begins->implicit;
}

void method_get(int i, struct method *out)
{
    for (int l = 0; l < LISTS; i -= lists[l++]->n) {
        if (i >= lists[l]->n) continue;
        out->rk = lists[l]->row[i];
        method_of_tableau(out);
        if (lists[l]->family) out->family = lists[l]->family;
        return;
    }
    if (i < multistep_count())
        multistep_get(i, out);
    else
        automatic_get(i - multistep_count(), out);
}

static const char *name_of(int i)
{
    for (int l = 0; l < LISTS; i -= lists[l++]->n)
        if (i < lists[l]->n) return lists[l]->row[i].name;
    return i < multistep_count() ? multistep_name(i) : automatic_name(i - multistep_count());
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
