/* Eigenvalues of matrices, for tide.theory. */
#include "base/interrupt.h"
#include "binding.h"
#include "kernels/eigen.h"
#include "kernels/elementwise.h"
#include "modules.h"
#include "value.h"

/* eigenvalues(x {..., n, n}) -> float64 {..., n, 2} */
static int eigenvalues_lua(lua_State *L)
{
    const struct array *x = &tensor_check(L, 1)->array;
    if (x->rank < 2 || x->dtype != FLOAT64 || x->shape[x->rank - 1] != x->shape[x->rank - 2])
        return binding_error(L, "eigenvalues: expected a float64 tensor {..., n, n}");
    int64_t n = x->shape[x->rank - 1], count = n > 0 ? array_numel(x) / (n * n) : 0, shape[MAX_RANK];
    for (int i = 0; i < x->rank; i++) shape[i] = x->shape[i];
    struct value *copy = value_push_empty(L);
    binding_check(L, tensor_new(&copy->tensor, FLOAT64, x->rank, shape));
    shape[x->rank - 1] = 2;
    struct value *out = value_push_empty(L);
    binding_check(L, tensor_new(&out->tensor, FLOAT64, x->rank, shape));
    interrupt_begin();
    array_copy_dense(x, copy->tensor->array.data);
    binding_check(L, interrupt_end(eigenvalues(count, n, copy->tensor->array.data, out->tensor->array.data)));
    value_account(L, out);
    return 1;
}

static const luaL_Reg functions[] = {{"eigenvalues", eigenvalues_lua}, {NULL, NULL}};

void open_eigen(lua_State *L) { luaL_setfuncs(L, functions, 0); }
