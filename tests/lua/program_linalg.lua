--- Linear algebra in random programs (program_ops.lua): matrices far from singular, with values far apart, so
-- that float32 and differences can judge.

local M = {}

local function f(...) return string.format(...) end

-- A matrix, moved a little by a value of the program. Not a captured one: those change to anything.
local function matrix(g, text)
  local x = g:any(function(v) return v.numel > 0 end)
  local base = f("%s:to(%s)", text, g:dtype_name())
  return f("(%s + %s:to(%s):tanh():mean() * 0.1)", base, x, g:dtype_name())
end
local texts = {square = "(tide.tensor{{3, 0.5, -0.2}, {0.3, -2, 0.4}, {-0.1, 0.6, 5}})",
  definite = "(tide.tensor{{3, 0.5, -0.2}, {0.5, 6, 0.4}, {-0.2, 0.4, 9}})",
  wide = "(tide.tensor{{3, 0.5}, {0.3, -2}, {-0.1, 0.6}})"}
local function square(g) return matrix(g, texts.square) end
local function definite(g) return matrix(g, texts.definite) end
local function wide(g) return matrix(g, texts.wide) end

function M.solve(g)
  local right = g:capture(f("tide.linspace(-1, 1, 6, {dtype = %s}):reshape{3, 2}", g:dtype_name()))
  return g:chance(0.5) and f("tide.linalg.solve(%s, %s)", square(g), right)
    or f("tide.linalg.solve_triangular(%s, %s)", square(g), right)
end
function M.inverse(g) return f("tide.linalg.inv(%s)", square(g)) end
function M.det(g) return f("tide.linalg.det(%s)", square(g)) end
function M.cofactors(g) return f('core.apply("cofactors", {}, %s)', square(g)) end
function M.slogdet(g) return f("select(2, tide.linalg.slogdet(%s))", square(g)) end
function M.cholesky(g) return f("tide.linalg.cholesky(%s)", definite(g)) end
function M.qr(g) return f("select(2, tide.linalg.qr(%s))", wide(g)) end
function M.eigh(g) return f("(tide.linalg.eigh(%s))", definite(g)) end
function M.eigvals(g) return f("tide.linalg.eigvals(STOP(%s))", square(g)) end
function M.svd(g) return f("tide.linalg.svdvals(%s)", wide(g)) end
function M.matrix_exp(g) return f("tide.linalg.matrix_exp(%s * 0.2)", square(g)) end
function M.trace(g) return f("%s:trace()", g:chance(0.5) and square(g) or wide(g)) end
function M.kron(g)
  return f("%s:kron(%s)", wide(g), g:any(function(v) return v.numel <= 6 and v.rank <= 3 end))
end
function M.cross(g) return f("%s:cross(%s, -1)", square(g), square(g)) end
function M.cov(g) return f("%s:cov()", g:chance(0.5) and square(g) or wide(g)) end
function M.corrcoef(g) return f("%s:corrcoef()", square(g)) end
function M.band(g)
  return f('core.apply("band", {%d, %d}, %s)', g:int(-2, 0), g:int(-1, 2),
    g:chance(0.5) and square(g) or wide(g))
end

-- ---- windows over images ----

local function images(g, shape)
  local n = shape[1] * shape[2] * shape[3] * shape[4]
  return g:capture(f('tide.linspace(-1, 1, %d, {dtype = %s}):sin():reshape{%s}', n, g:dtype_name(),
    table.concat(shape, ", ")))
end
local WINDOW = "3, 2, 2, 1, 1, 0, 1, 1, 0"
function M.pool_positions(g)
  return f('core.apply("pool_positions", {%s, 0, 0, 0}, %s)', WINDOW, images(g, {1, 2, 5, 4}))
end
function M.pool_pick(g)
  return f('core.apply("pool_pick", {}, %s, tide.tensor({1, 9, 0, 20}, {dtype = "int64"}):reshape{1, 2, 1, 2}'
    .. ':maximum(1))', images(g, {1, 2, 5, 4}))
end
function M.pool_put(g)
  return f('core.apply("pool_put", {5, 4}, %s, tide.tensor({1, 9, 9, 20}, {dtype = "int64"}):reshape{1, 2, 1,'
    .. ' 2})', images(g, {1, 2, 1, 2}))
end
function M.avg_pool(g)
  return f('core.apply("avg_pool", {%s, 0, %d, 0}, %s)', WINDOW, g:int(0, 1), images(g, {1, 2, 5, 4}))
end
function M.avg_pool_grad(g)
  return f('core.apply("avg_pool_grad", {%s, 0, 1, 0, 5, 4}, %s)', WINDOW, images(g, {1, 2, 3, 3}))
end

local window = "3, {stride = 2, padding = 1}"
for name, arguments in pairs{max_pool = window, avg_pool = window, adaptive_avg_pool = "3"} do
  for dims = 1, 2 do
    M[name .. dims .. "d"] = function(g)
      local x = images(g, {1, 2, 5, 4})
      return f("tide.%s%dd(%s, %s)", name, dims, dims == 2 and x or x .. ":reshape{1, 2, 20}", arguments)
    end
  end
end
function M.conv_transpose2d(g)
  return f("tide.conv_transpose2d(%s, %s, nil, {stride = 2, padding = 1, output_padding = 1})",
    images(g, {1, 2, 3, 2}), images(g, {2, 2, 3, 3}))
end
function M.conv_transpose1d(g)
  return f("tide.conv_transpose1d(%s:reshape{1, 2, 6}, %s:reshape{2, 2, 9})", images(g, {1, 2, 3, 2}),
    images(g, {2, 2, 3, 3}))
end

local function batch(g) return images(g, {1, 2, 2, 3}) .. ":reshape{2, 2, 3}" end
local function scaled(op, x, more)
  return f('(function(x) local m = core.apply("moments", {}, x) return core.apply("%s", {}, x, tide.cat{m:'
    .. 'slice(1, 1, 1), (m:slice(1, 2, 2) + 0.1):sqrt():reciprocal()}, %s) end)(%s)', op, more, x)
end
function M.moments(g) return f('core.apply("moments", {}, %s):stop_gradient()', batch(g)) end
function M.normalise(g) return scaled("normalise", batch(g), "m:sin()") end
function M.normalise_sums(g) return scaled("normalise_sums", batch(g), "x:sin()") end
function M.normalise_grad(g) return scaled("normalise_grad", batch(g), "m:sin(), m:cos(), x:sin()") end

for name, columns in pairs{gru_cell = {6, 6, 2}, gru_cell_grad = {8, 6, 2, 2}, lstm_cell = {8, 8, 2},
  lstm_cell_grad = {14, 2, 4}} do
  M[name] = function(g)
    local list = {}
    for i, n in ipairs(columns) do list[i] = images(g, {1, 1, 3, n}) .. f(":reshape{3, %d}", n) end
    return f('core.apply("%s", {}, %s):tanh()', name, table.concat(list, ", "))
  end
end

for _, name in ipairs{"tril", "triu", "diag"} do
  M[name] = function(g)
    local x = g:any(function(v) return v.rank == 2 and v.numel > 0 end, true) or square(g)
    return f("%s:%s(%d)", x, name, g:int(-1, 1))
  end
end
function M.outer(g)
  local x = g:any(function(v) return v.rank == 1 end, true)
  return x and f("tide.outer(%s, tide.linspace(-1, 1, 3, {dtype = %s}))", x, g:dtype_name())
end
function M.einsum(g)
  local x = g:any(function(v) return v.rank == 2 and v.float end, true) or wide(g)
  return f(g:pick{'tide.einsum("ij,kj->ik", %s, %s)', 'tide.einsum("ij,ij->j", %s, %s)',
    'tide.einsum("ij,ik->ijk", %s, %s)'}, x, x)
end

return M
