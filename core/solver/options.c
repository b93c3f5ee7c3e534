#include "solver/options.h"

#include <float.h>
#include <math.h>

#include "base/tuning.h"
#include "solver/family.h"

#define AT(member)                                                                                           \
    .offset = offsetof(struct solve_options, member), .size = sizeof(((struct solve_options *)0)->member)
#define POSITIVE .open = 1, .high = DBL_MAX
#define FROM(least) .low = (least), .high = DBL_MAX
#define WITHIN(least, most) .low = (least), .high = (most)
#define ADAPTIVE .grid = GRID_IGNORES
#define ADAPTIVE_ONLY .grid = GRID_REFUSES

static const char *const norms[] = {
    [NORM_PART] = "part", [NORM_BATCH] = "batch", [NORM_SAMPLE] = "sample", NULL};
static const char *const jacobians[] = {
    [LINEAR_AUTO] = "auto", [LINEAR_DENSE] = "dense", [LINEAR_KRYLOV] = "krylov", NULL};
static const char *const finals[] = {"clip", "interpolate", NULL};
static const char *const on_failure[] = {"error", "return", NULL};
static const char *const controllers[] = {
    [CONTROLLER_I] = "I", [CONTROLLER_PI] = "PI", [CONTROLLER_PID] = "PID", [CONTROLLER_OWN] = NULL};
static const char *const gradients[] = {[GRADIENT_DIRECT] = "direct",
                                        [GRADIENT_ADJOINT] = "adjoint",
                                        [GRADIENT_CHECKPOINT] = "checkpoint",
                                        [GRADIENT_INTERPOLATED] = "interpolated",
                                        [GRADIENT_REVERSIBLE] = "reversible",
                                        [GRADIENT_FORWARD] = "forward",
                                        NULL};

/* clang-format off */
static const struct solve_option table[] = {
    {"method", OPTION_OTHER, .type = "any", .preset = "dopri5",
     .heading = "the method",
     .help = "a name of ode.methods(), a tableau {A =, b =, c =, b_error =, order =}, or a multistep formula "
             "{alpha = {a0, ..., ak}, beta = {b0, ..., bk}}: sum a_j y_(n+j) = h sum b_j f_(n+j)"},
    {"order", OPTION_OTHER, .type = "integer",
     .help = "of a multistep method, 2 unless given: \"adams_bashforth\", \"adams_moulton\" and \"abm\" "
             "have 1 to 8, \"bdf\" 1 to 6"},
    {"max_order", OPTION_INTEGER, FROM(1), ADAPTIVE, AT(max_order),
     .help = "of a method that varies its order: \"adams\" has 12, \"bdf\" without a grid 5"},
    {"nonstiff", OPTION_CHOICE, .choices = automatic_nonstiff, ADAPTIVE_ONLY, AT(nonstiff),
     .help = "of \"auto\", what takes the steps while the problem is not stiff: \"tsit5\" (default), "
             "\"dopri5\", \"bosh3\", \"vern7\", \"dopri8\" or \"dop853\""},
    {"stiff", OPTION_CHOICE, .choices = automatic_stiff, ADAPTIVE_ONLY, AT(stiff),
     .help = "of \"auto\", what takes them while it is: \"radau5\" (default), \"radau3\", \"trbdf2\" or "
             "\"bdf\""},
    {"start", OPTION_OTHER, .type = "string|table",
     .help = "the first steps of a multistep method: \"rk\" makes them by a one-step method of at least its "
             "order; or a list of states, those at the ends of these steps, which are constants of every "
             "derivative of the steps, to \"adjoint\" and \"interpolated\" points of the flow"},
    {"step_size", OPTION_NUMBER, POSITIVE, AT(step_size),
     .heading = "a grid of fixed steps: one of",
     .help = "t0 + k h; the last one is shortened to land on the end"},
    {"steps", OPTION_INTEGER, FROM(1), AT(steps),
     .help = "so many equal steps over the span"},
    {"rtol", OPTION_NUMBER, .also = "tensor|table", .preset = "1e-3", FROM(0), ADAPTIVE, AT(rtol),
     .heading = "steps that adapt, where there is no grid",
     .help = "relative tolerance; at least 1.2e-6 for float32, 2.2e-15 for float64; a tensor of the state's "
             "shape, or that broadcasts to it, gives each element its own (a table of them for a table); "
             "0 beside an atol counts as that least"},
    {"atol", OPTION_NUMBER, .also = "tensor|table", .preset = "1e-6", FROM(0), ADAPTIVE, AT(atol),
     .help = "absolute tolerance, likewise; rtol or atol may be 0, not both"},
    {"norm", OPTION_CHOICE, .also = "function", .preset = "part", .choices = norms, AT(norm),
     .help = "\"part\": RMS of err / (atol + rtol max(|y0|, |y1|)) over each tensor of the state, the "
             "largest counts; \"batch\": RMS over everything; \"sample\": its largest over the first "
             "axis; or function(error, scale) -> number, which sees tensors like the state and takes a "
             "step when it returns at most 1"},
    {"per_sample", OPTION_FLAG, .preset = "false", AT(per_sample),
     .help = "every sample (first axis) takes its own steps, as if it were solved alone: f must treat "
             "samples independently"},
    {"first_step", OPTION_NUMBER, POSITIVE, ADAPTIVE, AT(first_step),
     .help = "its size; default: Hairer's rule, one more evaluation"},
    {"max_step", OPTION_NUMBER, POSITIVE, ADAPTIVE_ONLY, AT(max_step),
     .help = "no step is longer: for a short pulse between long calm, which steps could pass unseen"},
    {"min_step", OPTION_NUMBER, POSITIVE, ADAPTIVE_ONLY, AT(min_step),
     .help = "a step that would have to be shorter is an error; steps that land on stops, jumps or the end "
             "may be"},
    {"stops", OPTION_OTHER, .type = "table|tensor", ADAPTIVE_ONLY,
     .help = "times that steps must hit exactly; those outside of the span do not matter"},
    {"jumps", OPTION_OTHER, .type = "table|tensor", ADAPTIVE_ONLY,
     .help = "times where f jumps: hit too, and f is evaluated anew behind them, so that no step looks "
             "across"},
    {"final", OPTION_CHOICE, .preset = "clip", .choices = finals, ADAPTIVE, AT(overshoot),
     .help = "\"clip\": the last step ends at the end; \"interpolate\": step past it and interpolate back, "
             "as torchdiffeq does; then f is evaluated beyond the end, else never outside of the span"},
    {"controller", OPTION_CHOICE, .also = "table", .preset = "I", .choices = controllers, ADAPTIVE,
     AT(controller.kind),
     .help = "\"I\", \"PI\" or \"PID\" control of the step size, or {k1, k2, k3}: factor = safety / "
             "(e1^k1 e2^k2 e3^k3)^(1/q) from the norms of the last three errors, q the order of the estimate "
             "+ 1; \"PI\" is {0.7, -0.4, 0}; \"I\" is {1, 0, 0}, of implicit methods foresees that errors "
             "which have grown go on to"},
    {"safety", OPTION_NUMBER, WITHIN(1e-3, 1), ADAPTIVE, AT(safety),
     .help = "factor on the step that the error of the last one allows; default 0.9, of methods "
             "whose error estimate has order 6 or more (\"vern7\", \"dopri8\", \"dop853\") 0.8"},
    {"min_factor", OPTION_NUMBER, .preset = "0.2", WITHIN(1e-3, 1), ADAPTIVE, AT(controller.min_factor),
     .help = "the next step is at least so many times as long"},
    {"max_factor", OPTION_NUMBER, .preset = "10", WITHIN(1, 1e6), ADAPTIVE, AT(controller.max_factor),
     .help = "the next step is at most so many times as long"},
    {"theta", OPTION_NUMBER, WITHIN(0, 1),
     .help = "of the method \"theta\": the weight of the slope at the new end; default 0.5"},
    {"jacobian", OPTION_CHOICE, .also = "function", .preset = "auto", .choices = jacobians, AT(jacobian),
     .heading = "implicit methods",
     .help = "how their linear systems are solved. \"dense\": LU factors of I - h A df/dy, of one matrix, or "
             "of one per sample where samples do not know of each other; \"krylov\": GMRES by products with "
             "df/dy; \"auto\": dense up to 2048 unknowns; or function(t, y) -> df/dy on numbers, called "
             "while the solve runs: a tensor n x n, n the numbers of the state in a row, df_i/dy_j "
             "in row i (with plain = true rows of numbers); no batch is taken apart then. One that is not "
             "quite df/dy costs evaluations; only a Rosenbrock method is as right as it is"},
    {"newton_tol", OPTION_NUMBER, POSITIVE, AT(newton_tol),
     .help = "Newton's iterations end when so large a share of the tolerances is left; default 0.03, on a "
             "fixed grid rounding"},
    {"max_newton", OPTION_INTEGER, .preset = "10", .preset_fixed = "50", WITHIN(1, 1e6), AT(max_newton),
     .help = "iterations at most before the step is made smaller, on a fixed grid before the solve fails"},
    /* a fixed grid is what the user asked for; there this only stops slips such as step_size = 1e-12 */
    {"max_steps", OPTION_INTEGER, .preset = "100000", .preset_fixed = "100000000", FROM(1), AT(max_steps),
     .heading = "when to give up",
     .help = "attempted steps before the solve gives up"},
    {"max_nfe", OPTION_INTEGER, FROM(1), AT(max_nfe),
     .help = "evaluations of f: no step is tried when so many are made"},
    {"max_seconds", OPTION_NUMBER, POSITIVE, AT(max_seconds),
     .help = "no step is tried when the solve has taken so long"},
    {"on_failure", OPTION_CHOICE, .preset = "error", .choices = on_failure, AT(return_failures),
     .help = "\"error\"; \"return\": a solve that cannot go on leaves NaN at times that it has not "
             "reached, and stats.failure says what happened (help \"failures\"); it has no gradient"},
    {"on_step", OPTION_OTHER, .type = "function",
     .heading = "looking at steps",
     .help = "function(step), called with each accepted step: step.t and step.y where it ends, step.start, "
             "step.h, step.error (its norm), step:at(t) in it; \"stop\" ends the solve there, as stats.t_end "
             "says, and states at later times are NaN; with per_sample step.sample says whose it is, see "
             "tide.odeint"},
    {"gradient", OPTION_CHOICE, .preset = "direct", .choices = gradients, AT(gradient),
     .heading = "the gradient",
     .help = "\"direct\": exact derivative of the steps taken; \"checkpoint\": the same with fewer states "
             "kept; \"adjoint\": continuous, by a solve backwards; \"interpolated\": the same with y from "
             "the recorded solve; \"reversible\": as direct, with no states kept, of methods whose steps "
             "algebra takes back; \"forward\": as direct, by a solve for each number, see help "
             "\"gradients\""},
    {"checkpoint_steps", OPTION_INTEGER, .preset = "10", FROM(1), AT(checkpoint_steps),
     .help = "with \"checkpoint\" every so many-th state is kept"},
    {"checkpoints", OPTION_INTEGER, FROM(1), AT(checkpoints),
     .help = "with \"checkpoint\": so many states are kept, in places from which the fewest steps are made "
             "again (binomial checkpointing)"},
    {"memory", OPTION_INTEGER, FROM(1), AT(memory),
     .help = "with \"checkpoint\": as many states are kept as fit so many bytes, beside the sizes of the "
             "steps; with too few bytes for one state it is an error"},
    {"adjoint", OPTION_OTHER, .type = "table",
     .help = "the solve backwards of \"adjoint\" and \"interpolated\": {method =, rtol =, atol =, norm =}, "
             "each that of the solve unless given; norm = \"seminorm\": the error of the parameters' "
             "gradient changes no step, but for implicit methods, whose steps can become so long that it "
             "would be off by more than reconstruction_limit tolerances: they are then made again; else it "
             "is a part beside those of y and of its cotangent"},
    {"adjoint_rtol", OPTION_NUMBER, .same_as = "rtol", FROM(0), AT(adjoint_rtol),
     .help = "the same as adjoint = {rtol =}"},
    {"adjoint_atol", OPTION_NUMBER, .same_as = "atol", FROM(0), AT(adjoint_atol),
     .help = "the same as adjoint = {atol =}"},
    /* the continuous adjoint's gradient is off by about as many tolerances as its y is */
    {"reconstruction_limit", OPTION_NUMBER, .preset = "10", .open = 1, .high = INFINITY,
     AT(reconstruction_limit),
     .help = "\"adjoint\" solves forwards again and takes y from there where y, solved backwards, misses by "
             "more tolerances than this"},
    {"defect", OPTION_FLAG, .preset = "false", AT(defect),
     .help = "true: the gradient fills stats.defect, by how much the loss by a better method would differ"},
    {"events", OPTION_OTHER, .type = "table",
     .heading = "events",
     .help = "a list of {g = function(t, y), direction =, terminal =, name =, apply =}: zeros of g, see help "
             "\"events\""},
    {"quadrature", OPTION_OTHER, .type = "any",
     .heading = "an integral along the solution",
     .help = "a function(t, y) -> tensor: odeint returns a third result q of shape {#t, ...}, its integral "
             "from t[1] to each time, by the method's own steps; q[1] = 0"},
    {"quadrature_control", OPTION_OTHER, .type = "boolean",
     .help = "true: the error of the integral counts as that of the state does; else it changes no step"},
    {"eager", OPTION_FLAG, .preset = "false",
     .heading = "how f is called",
     .help = "f runs on concrete tensors at each call: any Lua inside, no gradient"},
    {"plain", OPTION_FLAG, .preset = "false",
     .help = "f(t, y) takes and returns Lua arrays of numbers, in float64: no gradient"},
};
/* clang-format on */

const struct solve_option *solve_option(int i)
{
    return i >= 0 && (size_t)i < sizeof table / sizeof *table ? &table[i] : NULL;
}

void solve_options_derive(struct solve_options *o)
{
    struct controller *c = &o->controller;
    if (o->method.pair[1]) automatic_choose(o->nonstiff, o->stiff, &o->method);
    o->adaptive = o->step_size == 0 && o->steps == 0;
    o->newton_goal = o->adaptive && o->newton_tol == 0 ? 0.03 : o->newton_tol;
    o->method.loose = o->newton_goal > 0 && o->method.family->implicit && o->method.family->memory;
    o->predicts =
        c->kind == CONTROLLER_I && o->method.family->implicit && !method_solving(&o->method)->family->adapt;
    o->unsolved_factor = method_solving(&o->method)->family->adapt ? 0 : NEWTON_SHRINK;
    c->safety = o->safety > 0 ? o->safety : o->method.rk.error_order > 5 ? SAFETY_HIGH_ORDER : SAFETY;
    if (c->kind != CONTROLLER_OWN) controller_gains(c->kind, c->k);
    c->exponent = 1.0 / (o->method.rk.error_order + 1);
    c->min_after_accept = o->overshoot ? 1 : c->min_factor;
    c->max_after_reject = o->overshoot ? c->max_factor : 1;
}

const char *solve_gradient_name(int kind)
{
    return kind >= 0 && (size_t)kind < sizeof gradients / sizeof *gradients ? gradients[kind] : NULL;
}

/* The continuous adjoint is a solve by the same method of another state. Tangents are exact where Newton's
 * method goes down to rounding, on a grid, which a pair does not have, or where there is none. */
int solve_has_gradient(const struct method *m, enum gradient_kind kind)
{
    if (kind == GRADIENT_REVERSIBLE) return m->family->undo != NULL;
    if (kind == GRADIENT_FORWARD && m->pair[1]) return 0;
    return solve_gradient_is_discrete(kind) || kind == GRADIENT_FORWARD ? m->family->back != NULL
                                                                        : !m->family->parts;
}

int solve_gradient_is_discrete(enum gradient_kind kind)
{
    return kind == GRADIENT_DIRECT || kind == GRADIENT_CHECKPOINT || kind == GRADIENT_REVERSIBLE;
}
