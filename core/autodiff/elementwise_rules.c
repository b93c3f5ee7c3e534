/* Derivatives of the elementwise ops (kernels/elementwise.def), one line each where it can be: G the
 * cotangent, X and Z the inputs, Y the output. */
#include <math.h>

#include "autodiff/op_rules.h"

#define RULE(name) void vjp_##name(struct vjp *v)
#define T v->tape
#define G v->ybar
#define X v->in[0]
#define Z v->in[1]
#define Y v->y
#define MUL(a, b) emit2(T, OP_MUL, a, b)
#define DIV(a, b) emit2(T, OP_DIV, a, b)
#define NEG(a) emit1(T, OP_NEG, a)
#define ADD(a, b) emit2(T, OP_ADD, a, b)
#define SUB(a, b) emit2(T, OP_SUB, a, b)
#define SQUARE(a) emit1(T, OP_SQUARE, a)
#define NUMBER(value) emit_like(T, G, value)
#define SCALED(value, a) MUL(NUMBER(value), a)
#define CHOOSE(condition, a, b) tape_emit(T, OP_WHERE, NULL, (int[]){condition, a, b}, 3)

RULE(alias) { v->xbar[0] = G; }
RULE(cast) { v->xbar[0] = emit_cast(T, G, tape_spec(T, X)->dtype); }
RULE(neg) { v->xbar[0] = NEG(G); }
RULE(abs) { v->xbar[0] = MUL(G, emit1(T, OP_SIGN, X)); }
RULE(square) { v->xbar[0] = MUL(G, MUL(NUMBER(2), X)); }
RULE(sign) { (void)v; }
RULE(relu) { v->xbar[0] = emit2(T, OP_RELU_GRAD, Y, G); }
RULE(exp) { v->xbar[0] = MUL(G, Y); }
RULE(log) { v->xbar[0] = DIV(G, X); }
RULE(sin) { v->xbar[0] = MUL(G, emit1(T, OP_COS, X)); }
RULE(cos) { v->xbar[0] = NEG(MUL(G, emit1(T, OP_SIN, X))); }
RULE(tanh) { v->xbar[0] = emit2(T, OP_TANH_GRAD, Y, G); }
RULE(sigmoid) { v->xbar[0] = emit2(T, OP_SIGMOID_GRAD, Y, G); }
RULE(softplus) { v->xbar[0] = MUL(G, emit1(T, OP_SIGMOID, X)); }
RULE(sqrt) { v->xbar[0] = DIV(MUL(NUMBER(0.5), G), Y); }
RULE(reciprocal) { v->xbar[0] = NEG(MUL(G, emit1(T, OP_SQUARE, Y))); }

RULE(floor) { (void)v; }
RULE(ceil) { (void)v; }
RULE(round) { (void)v; }
RULE(trunc) { (void)v; }
RULE(frac) { v->xbar[0] = G; }
RULE(rsqrt) { v->xbar[0] = SCALED(-0.5, MUL(G, MUL(Y, SQUARE(Y)))); }
RULE(tan) { v->xbar[0] = MUL(G, ADD(NUMBER(1), SQUARE(Y))); }
RULE(sinh) { v->xbar[0] = MUL(G, emit1(T, OP_COSH, X)); }
RULE(cosh) { v->xbar[0] = MUL(G, emit1(T, OP_SINH, X)); }
RULE(exp2) { v->xbar[0] = SCALED(M_LN2, MUL(G, Y)); }
RULE(expm1) { v->xbar[0] = MUL(G, emit1(T, OP_EXP, X)); }
RULE(log1p) { v->xbar[0] = DIV(G, ADD(NUMBER(1), X)); }
RULE(log2) { v->xbar[0] = DIV(SCALED(M_LOG2E, G), X); }
RULE(log10) { v->xbar[0] = DIV(SCALED(M_LOG10E, G), X); }
RULE(lgamma) { v->xbar[0] = MUL(G, emit1(T, OP_DIGAMMA, X)); }
RULE(digamma) { v->xbar[0] = MUL(G, emit2(T, OP_POLYGAMMA, X, NUMBER(1))); }
RULE(gelu) { v->xbar[0] = emit2(T, OP_GELU_GRAD, X, G); }
RULE(silu) { v->xbar[0] = emit2(T, OP_SILU_GRAD, X, G); }
RULE(log_sigmoid) { v->xbar[0] = MUL(G, emit1(T, OP_SIGMOID, NEG(X))); }

/* 1 - x^2 as (1 - x)(1 + x), which keeps its digits near 1. */
static int one_less_square(struct vjp *v) { return MUL(SUB(NUMBER(1), X), ADD(NUMBER(1), X)); }
RULE(asin) { v->xbar[0] = MUL(G, emit1(T, OP_RSQRT, one_less_square(v))); }
RULE(acos) { v->xbar[0] = NEG(MUL(G, emit1(T, OP_RSQRT, one_less_square(v)))); }
RULE(atanh) { v->xbar[0] = DIV(G, one_less_square(v)); }
RULE(atan) { v->xbar[0] = DIV(G, ADD(NUMBER(1), SQUARE(X))); }
RULE(asinh) { v->xbar[0] = MUL(G, emit1(T, OP_RSQRT, ADD(NUMBER(1), SQUARE(X)))); }
RULE(acosh) { v->xbar[0] = MUL(G, emit1(T, OP_RSQRT, NEG(one_less_square(v)))); }

/* exp(-scale x^2) */
static int bell(struct vjp *v, double scale, int x) { return emit1(T, OP_EXP, SCALED(-scale, SQUARE(x))); }
RULE(erf) { v->xbar[0] = MUL(G, SCALED(M_2_SQRTPI, bell(v, 1, X))); }
RULE(erfc) { v->xbar[0] = MUL(G, SCALED(-M_2_SQRTPI, bell(v, 1, X))); }
RULE(erfinv) { v->xbar[0] = MUL(G, SCALED(1 / M_2_SQRTPI, bell(v, -1, Y))); }

/* z (Phi(x) + x phi(x)); phi' = -x phi */
RULE(gelu_grad)
{
    int density = SCALED(M_SQRT1_2 * M_2_SQRTPI / 2, bell(v, 0.5, X));
    if (v->need[0]) v->xbar[0] = MUL(G, MUL(Z, MUL(density, SUB(NUMBER(2), SQUARE(X)))));
    if (v->need[1]) v->xbar[1] = emit2(T, OP_GELU_GRAD, X, G);
}

/* x s, s = sigmoid(2 u), u = k (x + c x^3) */
RULE(gelu_tanh)
{
    double twice = 2 * M_SQRT1_2 * M_2_SQRTPI, c = 0.044715;
    int square = SQUARE(X), u = SCALED(twice, MUL(X, ADD(NUMBER(1), SCALED(c, square)))),
        s = emit1(T, OP_SIGMOID, u), slope = SCALED(twice, ADD(NUMBER(1), SCALED(3 * c, square)));
    v->xbar[0] = MUL(G, ADD(s, MUL(X, emit2(T, OP_SIGMOID_GRAD, s, slope))));
}

/* z s (1 + x (1 - s)), s = sigmoid(x) */
RULE(silu_grad)
{
    int s = emit1(T, OP_SIGMOID, X), slope = emit2(T, OP_SIGMOID_GRAD, s, NUMBER(1));
    int twice = ADD(NUMBER(2), MUL(X, SUB(NUMBER(1), SCALED(2, s))));
    if (v->need[0]) v->xbar[0] = MUL(G, MUL(Z, MUL(slope, twice)));
    if (v->need[1]) v->xbar[1] = emit2(T, OP_SILU_GRAD, X, G);
}

/* exp(x) where x <= 0; elsewhere 1, so that nothing overflows that is not chosen. */
static int decay(struct vjp *v, int positive) { return emit1(T, OP_EXP, CHOOSE(positive, NUMBER(0), X)); }

RULE(selu)
{
    double scale = 1.0507009873554804934, alpha = 1.6732632423543772848;
    int positive = emit2(T, OP_GT, X, NUMBER(0));
    v->xbar[0] = SCALED(scale, MUL(G, CHOOSE(positive, NUMBER(1), SCALED(alpha, decay(v, positive)))));
}

RULE(elu)
{
    int positive = emit2(T, OP_GT, X, NUMBER(0)), e = decay(v, positive);
    if (v->need[0]) v->xbar[0] = MUL(G, CHOOSE(positive, NUMBER(1), MUL(Z, e)));
    if (!v->need[1]) return;
    int below = CHOOSE(positive, NUMBER(0), X);
    v->xbar[1] = MUL(G, emit1(T, OP_EXPM1, below));
}

RULE(leaky_relu)
{
    int positive = emit2(T, OP_GT, X, NUMBER(0));
    if (v->need[0]) v->xbar[0] = MUL(G, CHOOSE(positive, NUMBER(1), Z));
    if (v->need[1]) v->xbar[1] = MUL(G, CHOOSE(positive, NUMBER(0), X));
}

RULE(floor_divide) { (void)v; }
RULE(remainder)
{
    v->xbar[0] = G;
    if (v->need[1]) v->xbar[1] = NEG(MUL(G, emit2(T, OP_FLOOR_DIVIDE, X, Z)));
}
RULE(fmod)
{
    v->xbar[0] = G;
    if (v->need[1]) v->xbar[1] = NEG(MUL(G, emit1(T, OP_TRUNC, DIV(X, Z))));
}

/* The angle of the point (z, x). */
RULE(atan2)
{
    int scaled = DIV(G, ADD(SQUARE(X), SQUARE(Z)));
    if (v->need[0]) v->xbar[0] = MUL(scaled, Z);
    if (v->need[1]) v->xbar[1] = NEG(MUL(scaled, X));
}

RULE(hypot)
{
    if (v->need[0]) v->xbar[0] = MUL(G, DIV(X, Y));
    if (v->need[1]) v->xbar[1] = MUL(G, DIV(Z, Y));
}

RULE(logaddexp)
{
    int share = emit1(T, OP_SIGMOID, SUB(X, Z));
    if (v->need[0]) v->xbar[0] = MUL(G, share);
    if (v->need[1]) v->xbar[1] = MUL(G, SUB(NUMBER(1), share));
}

/* By x at x = 0, y <= 0 it is 0, the slope along x = 0, as in PyTorch. */
RULE(xlogy)
{
    int hidden = emit2(T, OP_LOGICAL_AND, emit2(T, OP_EQ, X, NUMBER(0)), emit2(T, OP_LE, Z, NUMBER(0)));
    if (v->need[0]) v->xbar[0] = CHOOSE(hidden, NUMBER(0), emit2(T, OP_XLOGY, G, Z));
    if (v->need[1]) v->xbar[1] = MUL(G, DIV(X, Z));
}

/* The order is no number to move by a little. */
RULE(polygamma)
{
    if (v->need[0]) v->xbar[0] = MUL(G, emit2(T, OP_POLYGAMMA, X, ADD(Z, NUMBER(1))));
}

RULE(add) { v->xbar[0] = v->xbar[1] = G; }

RULE(sub)
{
    v->xbar[0] = G;
    if (v->need[1]) v->xbar[1] = NEG(G);
}

RULE(mul)
{
    if (v->need[0]) v->xbar[0] = MUL(G, Z);
    if (v->need[1]) v->xbar[1] = MUL(G, X);
}

RULE(div)
{
    if (v->need[0]) v->xbar[0] = DIV(G, Z);
    if (v->need[1]) v->xbar[1] = NEG(DIV(MUL(G, Y), Z));
}

/* d x^z = z x^(z-1) dx + x^z log x dz. Where z = 0 the first factor is 0 for every x, also where x^-1 is
 * infinite; the second term is taken as zero where x <= 0, as it has no real value there. */
RULE(pow)
{
    if (v->need[0]) {
        int constant = emit2(T, OP_EQ, Z, NUMBER(0));
        int less =
            tape_emit(T, OP_WHERE, NULL, (int[]){constant, NUMBER(1), emit2(T, OP_SUB, Z, NUMBER(1))}, 3);
        v->xbar[0] = MUL(G, MUL(Z, emit2(T, OP_POW, X, less)));
    }
    if (!v->need[1]) return;
    int positive = emit2(T, OP_GT, X, NUMBER(0));
    int safe = tape_emit(T, OP_WHERE, NULL, (int[]){positive, X, NUMBER(1)}, 3);
    v->xbar[1] = MUL(G, MUL(Y, emit1(T, OP_LOG, safe)));
}

/* Each winner takes the cotangent; equals share it. */
static void vjp_select(struct vjp *v, enum op_id wins)
{
    for (int i = 0; i < 2; i++) {
        if (!v->need[i]) continue;
        int won = emit2(T, wins, v->in[i], v->in[1 - i]), tie = emit2(T, OP_EQ, X, Z),
            half = MUL(NUMBER(0.5), G);
        int shared = tape_emit(T, OP_WHERE, NULL, (int[]){tie, half, NUMBER(0)}, 3);
        v->xbar[i] = tape_emit(T, OP_WHERE, NULL, (int[]){won, G, shared}, 3);
    }
}
RULE(maximum) { vjp_select(v, OP_GT); }
RULE(minimum) { vjp_select(v, OP_LT); }

RULE(relu_grad)
{
    if (v->need[1]) v->xbar[1] = emit2(T, OP_RELU_GRAD, X, G);
}

/* z (1 - x^2) */
RULE(tanh_grad)
{
    if (v->need[0]) v->xbar[0] = MUL(G, MUL(NUMBER(-2), MUL(X, Z)));
    if (v->need[1]) v->xbar[1] = emit2(T, OP_TANH_GRAD, X, G);
}

/* z x (1 - x) */
RULE(sigmoid_grad)
{
    if (v->need[0]) v->xbar[0] = MUL(G, MUL(Z, emit2(T, OP_SUB, NUMBER(1), MUL(NUMBER(2), X))));
    if (v->need[1]) v->xbar[1] = emit2(T, OP_SIGMOID_GRAD, X, G);
}
