#include <stdlib.h>
#include <string.h>

#include "kernels/bf16.h"
#include "kernels/loops.h"

extern const struct loops loops_generic;
#ifdef HAVE_X86_LOOPS
extern const struct loops loops_avx2, loops_avx512;
#endif

const struct loops *loops = &loops_generic;

#ifdef HAVE_X86_LOOPS
static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}

/* A table with the products of bfloat16 parts that the processor has. */
static const struct loops *with_bf16(struct loops *table, const char *name, bf16_kernel kernel)
{
    *table = loops_avx512;
    table->name = name;
    table->bf16 = kernel;
    return table;
}
#endif

#define TABLES 4

/* Best first: its name, and the table, NULL when the processor lacks something. */
static const struct loops *table(int i, const char **name)
{
    static const char *const names[TABLES] = {"amx", "avx512", "avx2", "generic"};
    *name = names[i];
#ifdef HAVE_X86_LOOPS
    static struct loops amx, avx512;
    if (i == 0) return has_avx512() && bf16_kernel_amx() ? with_bf16(&amx, "amx", bf16_kernel_amx()) : NULL;
    if (i == 1) return has_avx512() ? with_bf16(&avx512, "avx512", bf16_kernel_avx512()) : NULL;
    if (i == 2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &loops_avx2 : NULL;
#endif
    return i == TABLES - 1 ? &loops_generic : NULL;
}

enum status loops_select(const char *wanted)
{
    for (int i = 0; i < TABLES; i++) {
        const char *name;
        const struct loops *candidate = table(i, &name);
        if (strcmp(name, wanted) != 0) continue;
        if (!candidate)
            return status_set(STATUS_ARGUMENT, "this processor lacks the instructions of TIDE_ISA=%s",
                              wanted);
        loops = candidate;
        return STATUS_OK;
    }
    return status_set(STATUS_ARGUMENT,
                      "unknown instruction set \"%.40s\"; valid are generic, avx2, avx512, amx", wanted);
}

__attribute__((constructor)) static void select_best(void)
{
    const char *wanted = getenv("TIDE_ISA"), *name;
#ifdef HAVE_X86_LOOPS
    __builtin_cpu_init();
#endif
    if (wanted && *wanted && loops_select(wanted) == STATUS_OK) return;
    for (int i = 0; i < TABLES; i++)
        if ((loops = table(i, &name))) return;
}
