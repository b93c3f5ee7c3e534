--- Help about the theory of methods; see tide.docs.

local help = require "tide.help"

local define = help.define

local method = [[A method is a name of ode.methods(), a name with its option ({"bdf", order = 3}, {"theta",
  theta = 1}; Adams and BDF methods have order 2 unless told), or the coefficients themselves: {A =, b =, c =}
  of a Runge-Kutta method, {alpha = {a_0, ..., a_k}, beta = {b_0, ..., b_k}} of sum a_j y_(n+j) = h sum b_j
  f_(n+j), the oldest first.]]

help.topic "Theory of methods"
define{name = "theory.order", args = "method", returns = "integer, string",
  text = [[The order of a method, and the first condition that fails, as text: a rooted tree in Butcher's
  notation with its sum (t is a node, [..] one with branches; up to order 10), or the sum of a multistep
  method. 0 is a method that is not consistent. ]] .. method,
  example = [[tide.theory.order("rk4")
  tide.theory.order{alpha = {-1, 0, 1}, beta = {0, 2, 0}}]]}
define{name = "theory.consistent", args = "method", returns = "boolean, string",
  text = "Does the method approximate y' = f at all (order 1 or more)? If not, the condition that fails.",
  example = "tide.theory.consistent{A = {{}, {1}}, b = {0.5, 0.4}}"}
define{name = "theory.error_constant", args = "method", returns = "number",
  text = [[Of a multistep method: C_(p+1) of Hairer, Norsett, Wanner III.2 (2.13), divided by the sum of the
  b_j; of predictor and corrector: the corrector's. Of a one-step method: the norm of the principal error
  coefficients, the root of the sum of ((sum - 1/gamma) / sigma)^2 over the trees with p + 1 nodes.]],
  example = "tide.theory.error_constant{\"adams_bashforth\", order = 3}"}
define{name = "theory.coefficients", args = "method", returns = "table",
  text = [[What a name stands for: {A =, b =, c =}, {alpha =, beta =}, or {predictor =, corrector =}; a copy,
  to look at or to change.]],
  example = "tide.theory.coefficients{\"bdf\", order = 2}.alpha"}
define{name = "theory.stability", args = "method, z", returns = "number | list | tensor",
  text = [[The modulus |R(z)| at z = h lambda, for multistep methods the largest modulus of a root of rho - z
  sigma: the factor by which y' = lambda y grows in a step. z is {re, im}, a list of such pairs, or a tensor
  {n, 2}. For leapfrog_verlet z^2 stands for h^2 times an eigenvalue of the force.]],
  example = "tide.theory.stability(\"rk4\", {{-2.7, 0}, {0, 2.8}, {-3, 0}})"}
define{name = "theory.region", args = "opts", returns = "table",
  options = {{"method", nil, "see theory.order", required = true}, {"re", {-5, 3}, "{low, high} of the grid"},
    {"im", {-4, 4}, ""}, {"n", 101, "points in each direction"}},
  text = [[theory.stability on a grid: {re = {n}, im = {n}, value = {n, n}}, value[i][j] at re[j] + i im[i];
  stable where it is at most 1. print(region) draws it in characters; plot.image{z = region.value, x =, y =}
  draws a picture.]],
  example = "print(tide.theory.region{method = \"rk4\", n = 41})"}
define{name = "theory.boundary_locus", args = "method, n", returns = "tensor",
  text = [[The curve of the z for which a root lies on the unit circle, n points {n, 2}: the boundary of the
  stability region is part of it. The root goes around the circle in equal steps, once for a linear multistep
  method, else as often as there are z for one root (4 times for rk4). A point at infinity is {inf, 0}. n: 200
  unless told.]],
  example = "tide.theory.boundary_locus({\"bdf\", order = 2}, 9)"}
define{name = "theory.zero_stable", args = "method", returns = "boolean, list",
  text = [[The root condition: all roots of rho lie in the unit circle, those on it are simple; and the roots,
  largest first, as {re, im, modulus}, also root.re, root.im, root.modulus.]],
  example = "print(tide.theory.zero_stable{alpha = {-1, -9, 9, 1}, beta = {0, 6, 6, 0}})"}
define{name = "theory.a_stable", args = "method", returns = "boolean, degrees",
  text = [[Is |R(z)| <= 1 in the whole left half-plane? If not, within how many degrees of the negative axis
  (to 1e-6): true, 90; false, 86.03 for BDF of order 3; false, 0 for explicit methods.]],
  example = "tide.theory.a_stable{\"bdf\", order = 3}"}
define{name = "theory.l_stable", args = "method", returns = "boolean, number",
  text = [[Is it A-stable, and does |R(z)| vanish at infinity? And that limit, which is inf for explicit
  methods.]],
  example = "tide.theory.l_stable(\"sdirk2\")"}
define{name = "theory.intervals", args = "method", returns = "real, imaginary",
  text = [[How far from 0 the method is stable along the negative and along the imaginary axis (|R| <= 1):
  2.785 and 2.828 for rk4. inf where it never ends.]],
  example = "tide.theory.intervals(\"rk4\")"}
define{name = "theory.convergence", args = "opts", returns = "list",
  options = {{"f", nil, "f(t, y), as for odeint", required = true},
    {"exact", nil, "the solution at the end, or a function of t: number, list, tensor", required = true},
    {"y0", nil, "tensor, number or list", required = true}, {"t", nil, "{t0, t1}", required = true},
    {"method", nil, "see theory.order", required = true},
    {"steps", nil, "numbers of equal steps, {10, 20, 40}", required = true},
    {"plain", nil, "f works on lists of numbers; found out when y0 is a list"},
    {"eager", nil, "as for odeint"},
    {"start", nil, "of a multistep method, as for odeint"}},
  text = [[Solve with each number of steps, in float64; rows {h =, error =, order =}: the largest error of a
  component at the end, and the order observed from the row before. print(rows) shows a table.]],
  example = [[print(tide.theory.convergence{f = function(t, u) return -u end, y0 = 1, t = {0, 1},
    exact = math.exp(-1), method = "rk4", steps = {4, 8, 16}})]]}
define{name = "theory.spectrum", args = "opts", returns = "tensor",
  options = {{"f", nil, "field f(t, y), for instance model.block.field", required = true},
    {"t", nil, "list of times", required = true},
    {"y", nil, "states at them: {#t, N, d} or, one sample, {#t, d}", required = true},
    {"h", nil, "step size, or a list of #t", required = true}},
  text = [[The eigenvalues of h df/dy along paths, {#t, N, d, 2} in float64: by growing real part, the last
  axis is {re, im}. Where theory.stability of them exceeds 1, steps of this size amplify what the flow damps.
  The Jacobian comes from vjps; samples must not influence each other, which is checked.]],
  example = [[local f = function(t, u) return -u * u end
  local ys = tide.odeint(f, x:abs(), {0, 0.5, 1})
  tide.theory.spectrum{f = f, t = {0, 0.5, 1}, y = ys, h = 0.1}]]}
define{name = "theory.stiffness_ratio", args = "spectrum", returns = "tensor",
  text = [[Of a spectrum {#t, N, d, 2}: the largest |Re lambda| over the smallest, of the eigenvalues with Re
  lambda < 0, {#t, N}; nan where there is none.]],
  example = [[local f = function(t, u) return -u * u end
  local s = tide.theory.spectrum{f = f, t = {0}, y = tide.ones{1, 2}, h = 0.1}
  tide.theory.stiffness_ratio(s)]]}
