/* Derivatives of linear algebra, as ops. G the cotangent, Y the result, A the matrix; bars are cotangents.
 *
 * Sources: M. Giles, Collected matrix derivative results for forward and reverse mode algorithmic
 * differentiation (2008); for svd J. Townsend, Differentiating the singular value decomposition (2016); for
 * matrix_exp N. Higham, Functions of Matrices (2008), equation (3.16). */
#include <float.h>
#include <math.h>
#include <string.h>

#include "autodiff/linalg.h"
#include "autodiff/rule_formula.h"

#define T v->tape
#define G v->ybar
#define Y v->y
#define A v->in[0]

static int transpose(struct tape *t, int x)
{
    struct attrs order = {.n = tape_spec(t, x)->rank};
    for (int i = 0; i < order.n; i++) order.v[i] = i;
    order.v[order.n - 2] = order.n - 1;
    order.v[order.n - 1] = order.n - 2;
    return tape_emit(t, OP_PERMUTE, &order, &x, 1);
}

/* op(x) op(y) */
static int product(struct tape *t, int x, int y, int64_t tx, int64_t ty)
{
    return tape_emit(t, OP_MATMUL, &(struct attrs){.n = 2, .v = {tx, ty}}, (int[]){x, y}, 2);
}

enum structure { GENERAL, LOWER, UPPER };
static int solve(struct tape *t, int a, int b, int64_t transposed, enum structure structure,
                 enum linalg_caller caller)
{
    struct attrs attrs = {.n = 3, .v = {transposed, structure, caller}};
    return tape_emit(t, OP_SOLVE, &attrs, (int[]){a, b}, 2);
}

static int inverse(struct tape *t, int a, enum linalg_caller caller)
{
    return tape_emit(t, OP_INVERSE, &(struct attrs){.n = 1, .v = {caller}}, &a, 1);
}

#define FAR MAX_DIM /* a diagonal beyond all */
static int band(struct tape *t, int x, int64_t first, int64_t last)
{
    return tape_emit(t, OP_BAND, &(struct attrs){.n = 2, .v = {first, last}}, &x, 1);
}
static int lower(struct tape *t, int x) { return band(t, x, -FAR, 0); }
static int upper(struct tape *t, int x) { return band(t, x, 0, FAR); }
static int diagonal(struct tape *t, int x) { return band(t, x, 0, 0); }

static int negative(struct tape *t, int x) { return emit1(t, OP_NEG, x); }
static int sum(struct tape *t, int x, int y) { return emit2(t, OP_ADD, x, y); }
static int difference(struct tape *t, int x, int y) { return emit2(t, OP_SUB, x, y); }
static int times(struct tape *t, int x, int y) { return emit2(t, OP_MUL, x, y); }
static int halved(struct tape *t, int x) { return times(t, emit_like(t, x, 0.5), x); }
static int symmetric(struct tape *t, int x) { return halved(t, sum(t, x, transpose(t, x))); }

/* Elements first .. first + n - 1 of an axis, counted from the last one (1). */
static int part(struct tape *t, int x, int axis, int64_t first, int64_t n)
{
    const struct array *spec = tape_spec(t, x);
    struct attrs slice = {.n = 3 * spec->rank};
    for (int i = 0; i < spec->rank; i++) {
        slice.v[3 * i] = i == spec->rank - axis ? first : 0;
        slice.v[3 * i + 1] = 1;
        slice.v[3 * i + 2] = i == spec->rank - axis ? n : spec->shape[i];
    }
    return tape_emit(t, OP_SLICE, &slice, &x, 1);
}

/* The last `axes` axes become rows x columns. */
static int as_matrix(struct tape *t, int x, int axes, int64_t rows, int64_t columns)
{
    struct array spec = *tape_spec(t, x);
    int rank = spec.rank - axes;
    spec.shape[rank] = rows;
    spec.shape[rank + 1] = columns;
    return emit_reshape(t, x, rank + 2, spec.shape);
}

/* A matrix of a flat result. */
static int piece(struct tape *t, int x, int64_t first, int64_t rows, int64_t columns)
{
    return as_matrix(t, part(t, x, 1, first, rows * columns), 1, rows, columns);
}

/* Of numbers along the last axis of s a share of the largest. */
static int share_of_largest(struct tape *t, int s, double share)
{
    struct array spec = *tape_spec(t, s);
    if (spec.shape[spec.rank - 1] == 0) return emit_like(t, s, 0);
    struct attrs last = {.n = 1, .v = {(int64_t)1 << (spec.rank - 1)}};
    int size = emit1(t, OP_ABS, s), most = tape_emit(t, OP_MAX, &last, &size, 1);
    return times(t, emit_like(t, s, share), most);
}

static double epsilon(const struct tape *t, int x)
{
    return tape_spec(t, x)->dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON;
}

/* At what distance they count as equal: n roundings of the largest. What is nearer has vectors that rounding
 * chose. */
static int resolution(struct tape *t, int s, int64_t n)
{
    return share_of_largest(t, s, (double)n * epsilon(t, s));
}

/* Is a cotangent by its making zero but for places first .. first + n - 1 of an axis, counted from the last
 * one (1)? Then nothing else of the result is used. */
static int is_only(const struct tape *t, int bar, int axis, int64_t first, int64_t n)
{
    const struct node *node = &t->nodes[bar];
    int rank = node->spec.rank;
    if (node->op == OP_ADD)
        return is_only(t, node->in[0], axis, first, n) && is_only(t, node->in[1], axis, first, n);
    if (node->op != OP_EMBED) return 0;
    int64_t at = node->attrs->v[3 * (rank - axis)], step = node->attrs->v[3 * (rank - axis) + 1],
            count = tape_spec(t, node->in[0])->shape[rank - axis];
    return at >= first && at + (count - 1) * step < first + n;
}

/* For each pair of values whether their cotangents are one but for rounding. Of a function of the values that
 * does not tell equal ones apart they are; with others it depends on the vectors, whose cotangent may be 0
 * all the same: of V f(w) V^T where f(w) is. */
static int alike(struct tape *t, int bar)
{
    int apart = emit1(t, OP_ABS, difference(t, bar, transpose(t, bar)));
    return emit2(t, OP_LE, apart, share_of_largest(t, bar, sqrt(epsilon(t, bar))));
}

/* x / y but where `gap` is within `least`. There 0 / y is 0, because what does not depend on vectors of equal
 * values has a derivative; anything else is NaN, also where they are not `alike` (-1: not looked at). */
static int quotient(struct tape *t, int x, int y, int gap, int least, int alike)
{
    int zero = emit_like(t, x, 0), equal = emit2(t, OP_LE, emit1(t, OP_ABS, gap), least);
    int divisor = tape_emit(t, OP_WHERE, NULL, (int[]){equal, emit_like(t, y, 1), y}, 3);
    int none = emit2(t, OP_EQ, x, zero);
    if (alike >= 0) none = emit2(t, OP_LOGICAL_AND, none, alike);
    int there = tape_emit(t, OP_WHERE, NULL, (int[]){none, zero, emit_like(t, x, NAN)}, 3);
    return tape_emit(t, OP_WHERE, NULL, (int[]){equal, there, emit2(t, OP_DIV, x, divisor)}, 3);
}

void vjp_band(struct vjp *v) { v->xbar[0] = tape_emit(T, OP_BAND, v->attrs, &G, 1); }

/* A X = B: Bbar = A^-T Xbar, Abar = -Bbar X^T; what is no part of a triangle has no influence. */
void vjp_solve(struct vjp *v)
{
    int transposed = v->attrs->v[0] != 0;
    enum structure structure = (enum structure)v->attrs->v[1];
    int u = solve(T, A, G, !transposed, structure, linalg_caller(&op_table[OP_SOLVE], v->attrs));
    v->xbar[1] = u;
    if (!v->need[0]) return;
    int abar = negative(T, transposed ? product(T, Y, u, 0, 1) : product(T, u, Y, 0, 1));
    v->xbar[0] = structure == GENERAL ? abar : structure == LOWER ? lower(T, abar) : upper(T, abar);
}

/* Abar = -Y^T G Y^T */
void vjp_inverse(struct vjp *v) { v->xbar[0] = negative(T, product(T, Y, product(T, G, Y, 0, 1), 1, 0)); }

/* Abar = G cof(A) of det, which is det(A) A^-T where there is an inverse, and G A^-T of its logarithm. */
void vjp_det(struct vjp *v) { v->xbar[0] = times(T, as_matrix(T, G, 0, 1, 1), emit1(T, OP_COFACTORS, A)); }

static int cofactors_formula(struct tape *t, const int *in)
{
    int upright = inverse(t, in[0], LINALG_DET_SECOND);
    return times(t, as_matrix(t, emit1(t, OP_DET, in[0]), 0, 1, 1), transpose(t, upright));
}
void vjp_cofactors(struct vjp *v) { vjp_formula(v, cofactors_formula); }

void vjp_slogdet(struct vjp *v)
{
    int of_logdet = linalg_caller(&op_table[OP_SLOGDET], v->attrs) == LINALG_LOGDET;
    int upright = inverse(T, A, of_logdet ? LINALG_LOGDET_GRADIENT : LINALG_SLOGDET_GRADIENT);
    v->xbar[0] = times(T, as_matrix(T, part(T, G, 1, 1, 1), 1, 1, 1), transpose(T, upright));
}

/* P = the lower triangle of L^T Lbar with half its diagonal, S = L^-T P L^-1, Abar = (S + S^T) / 2 */
void vjp_cholesky(struct vjp *v)
{
    int p = lower(T, product(T, Y, lower(T, G), 1, 0));
    p = difference(T, p, halved(T, diagonal(T, p)));
    int x = solve(T, Y, p, 1, LOWER, LINALG_ITSELF);
    v->xbar[0] = symmetric(T, solve(T, Y, transpose(T, x), 1, LOWER, LINALG_ITSELF));
}

/* Abar = V (diag(wbar) + F o V^T Vbar) V^T, F_ij = 1 / (w_j - w_i). The result holds w, then V^T. */
void vjp_eigh(struct vjp *v)
{
    int64_t n = tape_spec(T, A)->shape[tape_spec(T, A)->rank - 1];
    int w = part(T, Y, 2, 0, 1), vt = part(T, Y, 2, 1, n), wbar = part(T, G, 2, 0, 1),
        vtbar = part(T, G, 2, 1, n);
    int turn = product(T, vt, vtbar, 0, 1);
    int gap = difference(T, w, transpose(T, w));
    turn = quotient(T, difference(T, turn, diagonal(T, turn)), gap, gap, resolution(T, w, n),
                    is_only(T, G, 2, 0, 1) ? -1 : alike(T, wbar));
    int inner = sum(T, times(T, transpose(T, vt), wbar), product(T, vt, turn, 1, 0));
    v->xbar[0] = symmetric(T, product(T, inner, vt, 0, 0));
}

/* Not more columns than rows. M = R Rbar^T - Qbar^T Q, C its lower triangle copied to the upper one:
 * Abar = (Qbar + Q C) R^-T */
static int qr_square(struct tape *t, int q, int r, int qbar, int rbar, enum linalg_caller caller)
{
    int m = difference(t, product(t, r, upper(t, rbar), 0, 1), product(t, qbar, q, 1, 0));
    int c = sum(t, lower(t, m), transpose(t, band(t, m, -FAR, -1)));
    int w = sum(t, qbar, product(t, q, c, 0, 0));
    return transpose(t, solve(t, r, transpose(t, w), 0, UPPER, caller));
}

/* The result holds Q^T, then R^T. With more columns A = (X Z), R = (U V), and V = Q^T Z. */
void vjp_qr(struct vjp *v)
{
    const struct array *a = tape_spec(T, A);
    int64_t m = a->shape[a->rank - 2], n = a->shape[a->rank - 1], k = m < n ? m : n;
    int axis = a->rank - 1, q = transpose(T, piece(T, Y, 0, k, m)), qbar = transpose(T, piece(T, G, 0, k, m)),
        r = transpose(T, piece(T, Y, m * k, n, k)), rbar = transpose(T, piece(T, G, m * k, n, k));
    enum linalg_caller caller = linalg_caller(&op_table[OP_QR], v->attrs) == LINALG_LSTSQ
                                    ? LINALG_LSTSQ_GRADIENT
                                    : LINALG_QR_GRADIENT;
    if (n <= m) {
        v->xbar[0] = qr_square(T, q, r, qbar, rbar, caller);
        return;
    }
    int vbar = part(T, rbar, 1, k, n - k);
    qbar = sum(T, qbar, product(T, part(T, A, 1, k, n - k), vbar, 0, 1));
    int xbar = qr_square(T, q, part(T, r, 1, 0, k), qbar, part(T, rbar, 1, 0, k), caller);
    v->xbar[0] = tape_emit(T, OP_CAT, &(struct attrs){.n = 1, .v = {axis}},
                           (int[]){xbar, product(T, q, vbar, 0, 0)}, 2);
}

/* The antisymmetric part of x (twice it), divided by s_j^2 - s_i^2. */
static int rotation(struct tape *t, int x, int s, int least, int alike)
{
    int column = transpose(t, s), gap = difference(t, s, column);
    return quotient(t, difference(t, x, transpose(t, x)), times(t, gap, sum(t, s, column)), gap, least,
                    alike);
}

/* With J = U^T Ubar, K = V^T Vbar and E x = (x - x^T) / (s_j^2 - s_i^2):
 * Abar = U (E J S + S E K + diag(sbar)) V^T + (Ubar - U J) S^-1 V^T + U S^-1 (Vbar - V K)^T */
void vjp_svd(struct vjp *v)
{
    const struct array *a = tape_spec(T, A);
    int64_t m = a->shape[a->rank - 2], n = a->shape[a->rank - 1], k = m < n ? m : n;
    if (v->attrs->v[0] && m != n) {
        tape_fail(T,
                  status_set(STATUS_UNSUPPORTED,
                             "tide.linalg.svd: vectors that belong to no singular value have no derivative; "
                             "take {full_matrices = false}"));
        return;
    }
    int u = piece(T, Y, 0, m, k), s = piece(T, Y, m * k, 1, k), vh = piece(T, Y, m * k + k, k, n);
    int ubar = piece(T, G, 0, m, k), sbar = piece(T, G, m * k, 1, k), vhbar = piece(T, G, m * k + k, k, n);
    int j = product(T, u, ubar, 1, 0), kk = product(T, vh, vhbar, 0, 1), column = transpose(T, s);
    int least = resolution(T, s, m < n ? n : m);
    int same = is_only(T, G, 1, m * k, k) ? -1 : alike(T, sbar);
    int inner = sum(T, times(T, rotation(T, j, s, least, same), s),
                    times(T, column, rotation(T, kk, s, least, same)));
    int left = sum(T, product(T, u, inner, 0, 0), times(T, u, sbar));
    if (m > k) left = sum(T, left, quotient(T, difference(T, ubar, product(T, u, j, 0, 0)), s, s, least, -1));
    int abar = product(T, left, vh, 0, 0);
    if (n > k) {
        int right = quotient(T, difference(T, vhbar, product(T, kk, vh, 1, 0)), column, column, least, -1);
        abar = sum(T, abar, product(T, u, right, 0, 0));
    }
    v->xbar[0] = abar;
}

void vjp_eigvals(struct vjp *v)
{
    tape_fail(
        T, status_set(STATUS_UNSUPPORTED,
                      "tide.linalg.eigvals has no derivative; eigvalsh, of symmetric matrices, has one, and "
                      "tide.stop_gradient makes a constant of the matrix"));
}

/* The upper right block of e^((A^T, G), (0, A^T)) */
void vjp_matrix_exp(struct vjp *v)
{
    struct array spec = *tape_spec(T, A);
    int64_t n = spec.shape[spec.rank - 1];
    int at = transpose(T, A), zero = emit_broadcast(T, emit_like(T, A, 0), spec.rank, spec.shape);
    struct attrs columns = {.n = 1, .v = {spec.rank - 1}}, rows = {.n = 1, .v = {spec.rank - 2}};
    int above = tape_emit(T, OP_CAT, &columns, (int[]){at, G}, 2),
        below = tape_emit(T, OP_CAT, &columns, (int[]){zero, at}, 2);
    int e = emit1(T, OP_MATRIX_EXP, tape_emit(T, OP_CAT, &rows, (int[]){above, below}, 2));
    v->xbar[0] = part(T, part(T, e, 2, 0, n), 1, n, n);
}
