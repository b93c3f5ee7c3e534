#include <stdlib.h>
#include <string.h>

#include "kernels/loops.h"

extern const struct loops loops_generic;
#ifdef HAVE_X86_LOOPS
extern const struct loops loops_avx2, loops_avx512;
#endif

const struct loops *loops = &loops_generic;

/* Best first. */
static int table(int i, const struct loops **out)
{
#ifdef HAVE_X86_LOOPS
    if (i == 0) {
        *out = &loops_avx512;
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
    }
    if (i == 1) {
        *out = &loops_avx2;
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    }
#else
    (void)i;
#endif
    *out = &loops_generic;
    return 1;
}

enum status loops_select(const char *name)
{
    for (int i = 0; i < 3; i++) {
        const struct loops *candidate;
        int supported = table(i, &candidate);
        if (strcmp(candidate->name, name) != 0) continue;
        if (!supported) return status_set(STATUS_ARGUMENT, "this processor lacks the instructions of TIDE_ISA=%s", name);
        loops = candidate;
        return STATUS_OK;
    }
    return status_set(STATUS_ARGUMENT, "unknown instruction set \"%.40s\"; valid are generic, avx2, avx512", name);
}

__attribute__((constructor)) static void select_best(void)
{
    const char *wanted = getenv("TIDE_ISA");
#ifdef HAVE_X86_LOOPS
    __builtin_cpu_init();
#endif
    if (wanted && *wanted && loops_select(wanted) == STATUS_OK) return;
    for (int i = 0; i < 3; i++)
        if (table(i, &loops)) return;
}
