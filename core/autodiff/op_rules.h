/* op_rules.h -- the functions behind the rows of the op table; internal to autodiff/. */
#ifndef AUTODIFF_OP_RULES_H
#define AUTODIFF_OP_RULES_H

#include "autodiff/op.h"
#include "autodiff/vjp.h"

enum status infer_literal(struct call *c), infer_random(struct call *c), infer_same(struct call *c),
    infer_reshape(struct call *c), infer_permute(struct call *c), infer_broadcast(struct call *c),
    infer_slice(struct call *c), infer_cast(struct call *c), infer_embed(struct call *c),
    infer_cat(struct call *c), infer_take(struct call *c), infer_take_grad(struct call *c),
    infer_one_hot(struct call *c), infer_where(struct call *c), infer_reduce(struct call *c),
    infer_arg(struct call *c), infer_matmul(struct call *c), infer_layer(struct call *c),
    infer_conv_layer(struct call *c), infer_conv_matrix(struct call *c),
    infer_conv_matrix_grad(struct call *c), infer_conv(struct call *c), infer_conv_dx(struct call *c),
    infer_conv_dw(struct call *c), infer_custom(struct call *c), infer_unary(struct call *c),
    infer_binary(struct call *c);

int view_same(struct call *c, int64_t *offset), view_reshape(struct call *c, int64_t *offset),
    view_permute(struct call *c, int64_t *offset), view_broadcast(struct call *c, int64_t *offset),
    view_slice(struct call *c, int64_t *offset);

enum status prepare_literal(struct call *c), prepare_random(struct call *c), prepare_copy(struct call *c),
    prepare_cast(struct call *c), prepare_embed(struct call *c), prepare_cat(struct call *c),
    prepare_take(struct call *c), prepare_take_grad(struct call *c), prepare_one_hot(struct call *c),
    prepare_where(struct call *c), prepare_sum(struct call *c), prepare_max(struct call *c),
    prepare_min(struct call *c), prepare_arg(struct call *c), prepare_matmul(struct call *c),
    prepare_conv(struct call *c), prepare_custom(struct call *c), prepare_layer(struct call *c),
    prepare_conv_layer(struct call *c), prepare_conv_matrix(struct call *c),
    prepare_conv_matrix_grad(struct call *c), prepare_unary(struct call *c), prepare_binary(struct call *c);

void vjp_alias(struct vjp *v), vjp_reshape(struct vjp *v), vjp_permute(struct vjp *v),
    vjp_slice(struct vjp *v), vjp_cast(struct vjp *v), vjp_embed(struct vjp *v), vjp_cat(struct vjp *v),
    vjp_take(struct vjp *v), vjp_take_grad(struct vjp *v), vjp_where(struct vjp *v), vjp_sum(struct vjp *v),
    vjp_extreme(struct vjp *v), vjp_matmul(struct vjp *v), vjp_conv(struct vjp *v),
    vjp_conv_dx(struct vjp *v), vjp_conv_dw(struct vjp *v), vjp_conv_matrix(struct vjp *v),
    vjp_conv_matrix_grad(struct vjp *v), vjp_custom(struct vjp *v);

#define UNARY(NAME, name, dtypes, expression) void vjp_##name(struct vjp *v);
#define BINARY(NAME, name, dtypes, expression) void vjp_##name(struct vjp *v);
#define COMPARE(NAME, name, expression)
#include "kernels/elementwise.def"
#undef UNARY
#undef BINARY
#undef COMPARE

#endif
