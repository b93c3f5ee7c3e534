/* The op table. */
#include "autodiff/op_rules.h"

#define OP(NAME, op_name, least, most, ...) {.name = #op_name, .min_in = least, .max_in = most, __VA_ARGS__},
#define FLAGS_A OP_IN_PLACE | OP_PROMOTE
#define FLAGS_F OP_IN_PLACE | OP_PROMOTE | OP_FLOAT
#define FLAGS_D OP_IN_PLACE | OP_PROMOTE | OP_DIVIDES
#define ELEMENTWISE(KIND, op_kernel, op_name, n_in, op_flags, rule)                                          \
    {.name = #op_name,                                                                                       \
     .min_in = n_in,                                                                                         \
     .max_in = n_in,                                                                                         \
     .flags = op_flags,                                                                                      \
     .elementwise = ELEMENTWISE_##KIND,                                                                      \
     .kernel = op_kernel,                                                                                    \
     .infer = n_in == 1 ? infer_unary : infer_binary,                                                        \
     .prepare = n_in == 1 ? prepare_unary : prepare_binary,                                                  \
     .vjp = rule,                                                                                            \
     .cut = cut_nothing,                                                                                     \
     .batch = BATCH_IN_ANY,                                                                                  \
     .work = work_written},
#define UNARY(NAME, name, dtypes, expression)                                                                \
    ELEMENTWISE(UNARY, UNARY_##NAME, name, 1, FLAGS_##dtypes, vjp_##name)
#define BINARY(NAME, name, dtypes, expression)                                                               \
    ELEMENTWISE(BINARY, BINARY_##NAME, name, 2, FLAGS_##dtypes, vjp_##name)
#define PREDICATE(NAME, name, expression) ELEMENTWISE(PREDICATE, UNARY_##NAME, name, 1, 0, NULL)
#define COMPARE(NAME, name, expression) ELEMENTWISE(COMPARE, BINARY_##NAME, name, 2, OP_PROMOTE, NULL)

const struct op op_table[OP_COUNT] = {
#include "autodiff/ops.def"
#include "kernels/elementwise.def"
};
