--- Help about positions, order and arrangement of tensors; see tide.docs.

local help = require "tide.help"

local function define(entry)
  entry.method = entry.method ~= false
  help.define(entry)
end

help.topic "Positions and masks"
define{name = "tide.take", args = "x, positions, axis", returns = "tensor",
  text = [[The elements along an axis (default 1) at 1-based positions, a table
    or an int64 tensor of any shape,
  whose axes stand in its place in the result; repeats are fine. x[positions] is the same along axis 1, and
  x[positions] = v sets these rows to a number or to rows.]],
  example = "x:take({1, 1, 3})"}
define{name = "tide.index_select", args = "x, axis, positions", returns = "tensor",
  text = "x:take(positions, axis) with PyTorch's order of arguments; positions have one axis.",
  example = "x:index_select(2, {2, 1})"}
define{name = "tide.gather", args = "x, axis, positions", returns = "tensor",
  text = [=[Each element of the result has a position of its own along the axis: y[i][j] =
  x[i][positions[i][j]] for axis 2. A table or an int64 tensor with as many axes as x; it may be shorter along
  the others.]=],
  example = "x:gather(2, {{1}, {2}, {2}, {1}})"}
define{name = "tide.scatter_add", args = "x, axis, positions, src", returns = "tensor",
  text = [=[x with src[i][j] added at {i, positions[i][j]} (for axis 2); positions that repeat add up. Not in
  place. The transpose of gather.]=],
  example = "tide.zeros{3}:scatter_add(1, {1, 1, 3}, tide.tensor{1, 2, 3})"}
define{name = "tide.masked_select", args = "x, mask", returns = "vector",
  text = [[The elements where the mask is not 0. A mask is uint8, as comparisons give, and broadcasts with x.
  x[mask] with a mask of the shape of x's first axes gives rows; x[mask] = v sets them. How many there are
  depends on numbers: in a recording the mask must be known, and in a compiled function it is an error;
  tide.where and masked_fill keep the shape.]],
  example = "x:masked_select(x:gt(0))  print(x[x:column(1):gt(0)])"}
define{name = "tide.masked_fill", args = "x, mask, value", returns = "tensor",
  text = "x with the value, a number or a tensor, where the mask (uint8, broadcasts) is not 0.",
  example = "x:masked_fill(x:lt(0), 0)"}
define{name = "tide.nonzero", args = "x", returns = "int64 {count, rank}",
  text = "The 1-based positions of the elements that are not 0, a row for each. Not of what is recorded.",
  example = "x:gt(0):nonzero()"}
define{name = "tide.column", args = "x, i", returns = "tensor",
  text = "x:select(-1, i): column i of a matrix, a view; negative i count from the end.",
  example = "x:column(1)"}

help.topic "Order and running totals"
local along = " Along an axis (default: the last; negative ones count from the end)."
define{name = "tide.sort", args = "x, axis, opts", returns = "values, positions",
  options = {{"descending", false, "large ones first"},
    {"indices", true, "false: the values alone, in half the time"}},
  text = [[Values in growing order, and where in x they were,
    1-based. Stable: equal ones keep their order. NaN
  counts as the largest, as in NumPy and PyTorch. The axis may be left out before options.]] .. along,
  example = "local values, positions = x:sort(1, {descending = true})"}
define{name = "tide.argsort", args = "x, axis, opts", returns = "int64 tensor",
  options = {{"descending", false, "large ones first"}}, text = "The positions of tide.sort alone." .. along,
  example = "x:argsort(1)"}
define{name = "tide.topk", args = "x, k, axis, opts", returns = "values, positions",
  options = {{"largest", true, "false: the smallest ones, growing"}},
  text = "The k largest elements, the largest first, and their 1-based positions." .. along,
  example = "local best, positions = x:topk(2, 1)"}
define{name = "tide.unique", args = "x", returns = "values, counts, inverse",
  text = [[The different elements of x, growing; how often each occurs; for each element of x the position of
  its value. Each NaN is one of its own. Not of what is being recorded.]],
  example = "local values, counts = tide.unique(tide.tensor{3, 1, 3})"}
define{name = "tide.searchsorted", args = "sorted, x, opts", returns = "int64 tensor", method = false,
  options = {{"right", false, "behind elements that are equal, not before them"}},
  text = [[The 1-based positions at which the elements of x go into a growing vector (or, row by row, into the
  rows of one with x's other axes): i with sorted[i - 1] < x <= sorted[i].]],
  example = "tide.searchsorted(tide.tensor{1, 3, 5}, tide.tensor{0, 3, 9})"}
define{name = "tide.interp", args = "x, xp, fp", returns = "tensor", method = false,
  text = [[What is piecewise linear through the points (xp[i], fp[i]), at x, a tensor or a number: NumPy's
  interp, the values at the ends outside. xp is a vector that grows. fp has a value for each of its points
  along the first axis; further axes, such as the channels of a series, are behind those of x in the result.
  Differentiable by all three. In a field it makes a forcing of what was measured; max_step, or jumps at the
  points, keep steps from passing some unseen.]],
  example = [[local times, u = tide.arange(0, 4), tide.tensor{0, 1, 0, 2, 0}
tide.odeint(function(t, y) return tide.interp(t, times, u) - y end, tide.ones{1}, {0, 4}, {max_step = 0.5})]],
  see = "tide.searchsorted, tide.lerp"}
define{name = "tide.cumsum", args = "x, axis", returns = "tensor",
  text = [[Sums of the elements up to each one along an axis,
    which a vector need not name. float32 is summed in
  float64; uint8 gives int64.]], example = "x:cumsum(1)"}
define{name = "tide.cumprod", args = "x, axis", returns = "tensor",
  text = "Products up to each element along an axis; the derivative is right where elements are 0.",
  example = "x:cumprod(1)"}

help.topic "Arrangement"
define{name = "tide.squeeze", args = "x, axis", returns = "tensor",
  text = "Without axes of size 1: all, or the one (or the list) given, if they have size 1.",
  example = "tide.ones{2, 1, 3}:squeeze(2)"}
define{name = "tide.unsqueeze", args = "x, axis", returns = "tensor",
  text = "With one axis of size 1 more: axis `axis` of the result; -1 is behind all.",
  example = "x:unsqueeze(-1)"}
define{name = "tide.movedim", args = "x, from, to", returns = "tensor",
  text = "A view with an axis (or a list of them) moved to a new place, the others in their order.",
  example = "tide.zeros({2, 3, 4}):movedim(1, -1)"}
define{name = "tide.expand", args = "x, shape", returns = "tensor",
  text = "x:broadcast_to(shape), with -1 for axes that stay as they are.",
  example = "tide.ones({2, 1}):expand{5, -1, 3}"}
define{name = "tide.split", args = "x, sizes, axis", returns = "list of tensors",
  text = [[Views of so many elements of an axis (default 1) each: a number, the last one may have fewer, or a
  list of sizes.]], example = "local first, rest = table.unpack(x:split({1, 3}))"}
define{name = "tide.chunk", args = "x, n, axis", returns = "list of tensors",
  text = "At most n views along an axis (default 1), of one length but for the last, as in PyTorch.",
  example = "x:chunk(2)[1]"}
define{name = "tide.flip", args = "x, axis", returns = "tensor",
  text = "A view that runs backwards along an axis, a list of them, or all.", example = "x:flip(1)"}
define{name = "tide.roll", args = "x, shift, axis", returns = "tensor",
  text = [[Elements moved by `shift` places along an axis; what falls off the end comes in at the beginning.
  Lists of shifts and axes; without an axis all elements in row-major order.]],
  example = "tide.tensor{1, 2, 3}:roll(1)"}
define{name = "tide.tile", args = "x, counts", returns = "tensor",
  text = [[x so often along each axis: PyTorch's repeat (a word that Lua keeps for itself), NumPy's tile. New
  axes come in front where counts are more than axes.]], example = "tide.tensor{1, 2}:tile{2, 3}"}
define{name = "tide.repeat_interleave", args = "x, counts, axis", returns = "tensor",
  text = [[Each element so often, one behind the other: a number, or a list of numbers for the elements of the
  axis. Without an axis of all elements in row-major order.]],
  example = "tide.tensor{1, 2}:repeat_interleave(3)"}
define{name = "tide.pad", args = "x, widths, opts", returns = "tensor",
  options = {{"mode", "constant", [["constant", "reflect" (the outermost element is not repeated),
    "replicate" or
    "circular"]], quote = true}, {"value", 0, "of what is added, for mode constant"}},
  text = [[Elements before and behind: widths are {before, behind} of the last axis,
    then of the one before it,
  and so on, as in PyTorch. Negative widths cut.]],
  example = "x:pad({1, 1}, {mode = \"replicate\"})"}
define{name = "tide.meshgrid", args = "x, y, ..., opts", returns = "as many tensors", method = false,
  options = {{"indexing", "ij", [["ij": X[i][j] = x[i], Y[i][j] = y[j]; "xy" exchanges the first two axes]],
    quote = true}},
  text = "Of vectors, or a list of them, the coordinates of all points of their grid, as views.",
  example = "local X, Y = tide.meshgrid(tide.arange(1, 3), tide.arange(1, 2))"}

help.topic "Random choices"
local seed = {"seed", nil, "default: the generator that tide.seed sets"}
define{name = "tide.randint", args = "low, high, shape, opts", returns = "int64 tensor", method = false,
  options = {seed},
  text = [[Integers in low..high, both included as in math.random, all as likely. Fresh at each run of what is
  recorded, as tide.rand.]], example = "tide.randint(1, 6, {10}, {seed = 1})"}
define{name = "tide.bernoulli", args = "p, shape, opts", returns = "tensor", method = false,
  options = {{"dtype", "float32", "of the result; of a tensor p its own", quote = true}, seed},
  text = [[1 with probability p, else 0. For a tensor of probabilities each of its own, with its shape
    and dtype:
  tide.bernoulli(p, opts).]], example = "tide.bernoulli(0.3, {4}, {seed = 1})"}
define{name = "tide.multinomial", args = "weights, n, opts", returns = "int64 tensor", method = false,
  options = {{"replacement", false, "may one position be drawn several times?"}, seed},
  text = [[n 1-based positions, as likely as their weights, which need not add up to 1: {n} of a vector,
    {rows,
  n} of a matrix.]], example = "tide.multinomial(tide.tensor{1, 2, 1}, 2, {seed = 1})"}

help.topic "Statistics and calculus of samples"
local shares = [[ NaN where there is one. Along an axis, or of all elements; keepdim keeps the axis with
  length 1. Differentiable, as sorting is.]]
define{name = "tide.quantile", args = "x, q, axis, keepdim", returns = "tensor",
  text = "Quantile q in 0..1, linear between two elements, as NumPy's default; a list of q stands along a "
  .. "new first axis." .. shares,
  example = "x:quantile({0.25, 0.75}, 1)", see = "tide.median, tide.sort"}
define{name = "tide.median", args = "x, axis, keepdim", returns = "tensor",
  text = "The middle element, or the mean of the two that are (NumPy's; PyTorch takes the lower one)."
  .. shares,
  example = "x:median(1)"}
define{name = "tide.cov", args = "x, opts", returns = "tensor",
  options = {{"correction", 1, "the sum of products is over the count less this"}},
  text = "Covariances of the rows of x, {variables, observations} as in NumPy and PyTorch; a vector is one "
  .. "variable, and its variance a scalar.", example = "x:transpose():cov()"}
define{name = "tide.corrcoef", args = "x", returns = "tensor",
  text = "Correlations of the rows, as tide.cov; NaN where a row is constant.",
  example = "x:transpose():corrcoef()"}
define{name = "tide.bincount", args = "x, opts", returns = "vector",
  options = {{"weights", nil, "a tensor: sums of these in place of counts; differentiable by them"},
    {"minlength", 0, "the result has at least so many elements"}},
  text = [[How often 1, 2, ... are among the elements, integers from 1 on, up to the largest; int64. That
  depends on numbers: not of what is being recorded.]],
  example = "tide.tensor({1, 3, 3}, {dtype = \"int64\"}):bincount()"}
define{name = "tide.histogram", args = "x, bins, opts", returns = "counts, edges",
  options = {{"range", nil, "{low, high}; default: the least and the largest element"},
    {"weights", nil, "a tensor: sums of these in place of counts; differentiable by them"},
    {"density", false, "over the sum and the widths: the integral is 1"}},
  text = [[Counts (int64) in `bins` equal bins, default 10, or between given edges, a vector or a list that
  grows, and the edges (float64). A bin holds its lower edge, the last one both, as in NumPy; what is outside,
  and NaN, is left out.]], example = "local counts, edges = x:histogram(4, {range = {-2, 2}})"}
define{name = "tide.diff", args = "x, n, axis", returns = "tensor",
  text = "Differences of neighbours along an axis (default: the last), n times over (default 1).",
  example = "tide.tensor{1, 4, 9}:diff()"}
define{name = "tide.trapezoid", args = "y, x, axis", returns = "tensor",
  text = [[The integral of y along an axis (default: the last) by trapezoids over points x: a vector or a
  list, such as the times of a solve, a tensor of y's shape, or a number, how far they are apart (default 1).
  Inside a solve the option quadrature of tide.odeint is exact to its order.]],
  example = "tide.trapezoid(tide.ones{5, 2}, {0, 1, 2, 4, 8}, 1)"}

help.topic "Products"
define{name = "tide.trace", args = "x", returns = "tensor",
  text = "The sum of the diagonal of a matrix, or of each of a batch (the last two axes).",
  example = "tide.eye(3):trace()"}
define{name = "tide.kron", args = "x, y", returns = "tensor",
  text = "Kronecker's product: a matrix of blocks x[i][j] y; of up to 4 axes, as NumPy's.",
  example = "tide.eye(2):kron(tide.ones{1, 2})"}
define{name = "tide.cross", args = "x, y, axis", returns = "tensor",
  text = "The product of vectors in space along an axis of three elements (default: the last); other axes "
  .. "broadcast.", example = "tide.tensor{1, 0, 0}:cross(tide.tensor{0, 1, 0})"}
