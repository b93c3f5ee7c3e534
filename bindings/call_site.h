/* call_site.h -- what the caller does with a call's result. */
#ifndef BINDINGS_CALL_SITE_H
#define BINDINGS_CALL_SITE_H

#include <lua.h>

/* UNKNOWN: nothing is proven. CONDITION: it is tested. ASSERTED: it is the first argument of a call.
 * RETURNED: by a return. AMBIGUOUS: several calls can be the one that is meant, and they differ. */
enum verdict { UNKNOWN, CONDITION, ASSERTED, RETURNED, AMBIGUOUS };

struct call_site {
    const char *name; /* of the function that is called, NULL when it may have any */
    int line, reg;    /* reg: -1 for any */
};

/* The verdict about a site of the Lua function on top of the stack. */
enum verdict call_site_judge(lua_State *L, const struct call_site *s);

#endif
