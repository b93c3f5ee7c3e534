/* op_rules.h -- the functions behind the rows of the op table; internal to autodiff/. */
#ifndef AUTODIFF_OP_RULES_H
#define AUTODIFF_OP_RULES_H

#include "autodiff/op.h"
#include "autodiff/vjp.h"
#include "kernels/conv_shape.h"
#include "kernels/loops.h"

/* The batch is the first axis of an input, in `batch` equal shares, and is cut to `rows` of them. in: of the
 * first two inputs, the second NULL when there is none; attrs: the node's own, to be changed. */
struct cut {
    const struct array *in[2], *out;
    int64_t batch, rows;
    int alike; /* a sample's numbers shall have the bits that they have alone: only asked where the op is
                  OP_ALIKE */
    struct attrs *attrs;
};

typedef enum status infer_rule(struct call *c);
typedef int view_rule(struct call *c, int64_t *offset);
typedef enum status prepare_rule(struct call *c);
typedef void vjp_rule(struct vjp *v);
typedef int cut_rule(const struct cut *c);
typedef int64_t work_rule(const struct call *c);

/* Attribute i of the call c. */
#define V(i) c->attrs->v[i]

infer_rule infer_literal, infer_random, infer_same, infer_reshape, infer_permute, infer_broadcast,
    infer_slice, infer_cast, infer_embed, infer_cat, infer_take, infer_take_grad, infer_one_hot, infer_where,
    infer_reduce, infer_arg, infer_matmul, infer_layer, infer_conv_layer, infer_conv_matrix,
    infer_conv_matrix_grad, infer_conv, infer_conv_dx, infer_conv_dw, infer_custom, infer_unary, infer_binary,
    infer_band, infer_solve, infer_square, infer_det, infer_slogdet, infer_qr, infer_eigh, infer_eigvals,
    infer_svd, infer_pool_positions, infer_pool_pick, infer_pool_put, infer_avg_pool, infer_avg_pool_grad,
    infer_gather, infer_scatter_add, infer_scan, infer_sort, infer_argsort, infer_searchsorted,
    infer_gru_cell, infer_gru_cell_grad, infer_lstm_cell, infer_lstm_cell_grad, infer_moments,
    infer_normalise, infer_normalise_sums;
view_rule view_same, view_reshape, view_permute, view_broadcast, view_slice;
prepare_rule prepare_literal, prepare_random, prepare_copy, prepare_cast, prepare_embed, prepare_cat,
    prepare_take, prepare_take_grad, prepare_one_hot, prepare_where, prepare_sum, prepare_max, prepare_min,
    prepare_arg, prepare_matmul, prepare_conv, prepare_custom, prepare_layer, prepare_conv_layer,
    prepare_conv_matrix, prepare_conv_matrix_grad, prepare_unary, prepare_binary, prepare_band, prepare_solve,
    prepare_inverse, prepare_det, prepare_cofactors, prepare_cholesky, prepare_qr, prepare_eigh,
    prepare_eigvals, prepare_svd, prepare_matrix_exp, prepare_pool_positions, prepare_pool_pick,
    prepare_pool_put, prepare_avg_pool, prepare_avg_pool_grad, prepare_gather, prepare_scatter_add,
    prepare_scan, prepare_sort, prepare_searchsorted, prepare_gru_cell, prepare_gru_cell_grad,
    prepare_lstm_cell, prepare_lstm_cell_grad, prepare_moments;
vjp_rule vjp_alias, vjp_reshape, vjp_permute, vjp_slice, vjp_cast, vjp_embed, vjp_cat, vjp_take,
    vjp_take_grad, vjp_where, vjp_sum, vjp_extreme, vjp_matmul, vjp_conv, vjp_conv_dx, vjp_conv_dw,
    vjp_conv_matrix, vjp_conv_matrix_grad, vjp_custom, vjp_band, vjp_solve, vjp_inverse, vjp_det,
    vjp_cofactors, vjp_slogdet, vjp_cholesky, vjp_qr, vjp_eigh, vjp_eigvals, vjp_svd, vjp_matrix_exp,
    vjp_pool_pick, vjp_pool_put, vjp_avg_pool, vjp_avg_pool_grad, vjp_gather, vjp_scatter_add, vjp_cumsum,
    vjp_recurrence, vjp_sort, vjp_gru_cell, vjp_gru_cell_grad, vjp_lstm_cell, vjp_lstm_cell_grad,
    vjp_normalise, vjp_normalise_sums, vjp_normalise_grad;
cut_rule cut_nothing, cut_reshape, cut_permute, cut_broadcast, cut_slice, cut_axis, cut_reduce, cut_matmul,
    cut_matrices, cut_systems;
work_rule work_written, work_read, work_matmul, work_conv, work_conv_dx, work_conv_dw, work_layer,
    work_matrices, work_recurrence;

/* Elements of the axes before `axis` and of those behind it. */
void axis_blocks(const struct array *x, int axis, int64_t *outer, int64_t *inner);
/* Is attribute 0 an axis of the first input? */
enum status check_axis(const struct call *c);

/* The number of a LITERAL with these attributes, into a scalar. */
void literal_write(const struct attrs *a, const struct array *out);

/* The convolution of x by w that these attributes describe, all but the size of its result. */
struct conv conv_described(enum dtype dtype, const int64_t x[4], const int64_t w[4], const int64_t *a);

/* The kernel of an elementwise op for a dtype: one of the two, both NULL for any other op. */
void elementwise_kernel(enum op_id op, enum dtype dtype, unary_loop *unary, binary_loop *binary);

#define UNARY(NAME, name, dtypes, expression) vjp_rule vjp_##name;
#define BINARY(NAME, name, dtypes, expression) vjp_rule vjp_##name;
#define PREDICATE(NAME, name, expression)
#define COMPARE(NAME, name, expression)
#include "kernels/elementwise.def"
#undef UNARY
#undef BINARY
#undef PREDICATE
#undef COMPARE

#endif
