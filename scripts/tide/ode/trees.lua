--- Rooted trees and the order conditions of Runge-Kutta methods, explicit and implicit ones; what the theory
-- lab says of orders and error constants comes from here too.
--
-- Source: Hairer, Norsett, Wanner, Solving ODEs I, II.2: a method has order p when sum_i b_i g_i(tree) = 1 /
-- gamma(tree) for every rooted tree with at most p nodes, where g_i of a tree with branches t_1 .. t_m is the
-- product over k of sum_j a_ij g_j(t_k). The Taylor coefficient of its elementary differential is off by the
-- difference over sigma(tree), the number of its symmetries (Butcher, Numerical Methods for ODEs, 301 and
-- 306). y at theta of a step: the same with theta^nodes / gamma on the right.

local M = {}

local function add(size, branches, list)
  local gamma, sigma, text, run = size, 1, {}, 0
  for i, t in ipairs(branches) do
    run = branches[i - 1] == t and run + 1 or 1
    gamma, sigma, text[i] = gamma * t.gamma, sigma * t.sigma * run, t.text
  end
  list[#list + 1] = {size = size, branches = branches, gamma = gamma, sigma = sigma,
    text = size == 1 and "t" or "[" .. table.concat(text) .. "]"}
end

-- Branches come in non-increasing order of their number in `all`, so that no tree comes twice.
local function trees_of(size, all)
  local list, branches = {}, {}
  local function grow(nodes, limit)
    if nodes == 0 then return add(size, table.move(branches, 1, #branches, 1, {}), list) end
    for index = limit, 1, -1 do
      local t = all[index]
      if t.size <= nodes then
        branches[#branches + 1] = t
        grow(nodes - t.size, index)
        branches[#branches] = nil
      end
    end
  end
  grow(size - 1, #all)
  return list
end

local all, by_size = {}, {}

--- The rooted trees with n nodes (1, 1, 2, 4, 9, 20, 48, 115, 286, ... of them): each {size, branches, gamma,
-- sigma, text}; text is Butcher's notation: t is a node alone, [..] the tree with these branches.
function M.with(n)
  for size = #by_size + 1, n do
    by_size[size] = trees_of(size, all)
    table.move(by_size[size], 1, #by_size[size], #all + 1, all)
  end
  return by_size[n]
end

-- g_i of a tree for every stage; memo: of the trees before.
local function stage_weights(A, stages, t, memo)
  local g = memo[t]
  if g then return g end
  g = {}
  for i = 1, stages do g[i] = 1 end
  local matrix = #t.branches == 1 and A.single or A
  for _, branch in ipairs(t.branches) do
    local inner = stage_weights(A, stages, branch, memo)
    for i = 1, stages do
      local row, sum = matrix[i], 0
      for j = 1, #row do sum = sum + row[j] * inner[j] end
      g[i] = g[i] * sum
    end
  end
  memo[t] = g
  return g
end

--- What weights b with the matrix A (rows, short ones end with zeros) leave of the conditions of the trees
-- with n nodes: a list of {tree =, residual =}. memo: a table that calls with the same A may share. theta: of
-- the step, for an interpolant's weights (default 1). A.single: the matrix at nodes with one branch, where it
-- is another one (Rosenbrock methods: A + Gamma; Hairer, Wanner, Solving ODEs II, IV.7).
function M.residuals(A, b, n, memo, theta)
  local list, right = {}, (theta or 1) ^ n
  memo = memo or {}
  for k, t in ipairs(M.with(n)) do
    local g, sum = stage_weights(A, #b, t, memo), 0
    for i = 1, #b do sum = sum + b[i] * g[i] end
    list[k] = {tree = t, residual = sum - right / t.gamma}
  end
  return list
end

--- The largest of their sizes, and its tree.
function M.worst(A, b, n, memo, theta)
  local worst, tree = -1, nil
  for _, r in ipairs(M.residuals(A, b, n, memo, theta)) do
    local size = math.abs(r.residual)
    if size ~= size then return size, r.tree end
    if size > worst then worst, tree = size, r.tree end
  end
  return worst, tree
end

--- The order that weights b reach with the matrix A, up to `most` (8); the largest residual of the first
-- order missed and its tree. tolerance (1e-10): of a residual that counts as none.
function M.order(A, b, most, tolerance)
  local memo = {}
  for p = 1, most or 8 do
    local worst, tree = M.worst(A, b, p, memo)
    if not (worst <= (tolerance or 1e-10)) then return p - 1, worst, tree end
  end
  return most or 8, 0
end

--- The norm of the principal error coefficients of a method of order p: the root of the sum of the squares of
-- residual / sigma over the trees with p + 1 nodes (Dormand, Prince 1980).
function M.error_constant(A, b, p)
  local sum = 0
  for _, r in ipairs(M.residuals(A, b, p + 1)) do sum = sum + (r.residual / r.tree.sigma) ^ 2 end
  return math.sqrt(sum)
end

-- The factors that the branches of a node of that depth give: c_i^2 (a_ij c_j).
local function factors(t, depth)
  local here, below = ("ijklmnopqrst"):sub(depth, depth), ("jklmnopqrst"):sub(depth, depth)
  local out, i = {}, #t.branches
  while i >= 1 do
    local branch, run = t.branches[i], 1
    while t.branches[i - run] == branch do run = run + 1 end
    local text = "c_" .. here
    if #branch.branches > 0 then
      text = ("a_%s%s %s"):format(here, below, factors(branch, depth + 1))
      if #t.branches > 1 then text = "(" .. text .. ")" end
    end
    out[#out + 1] = run > 1 and text .. "^" .. run or text
    i = i - run
  end
  return table.concat(out, " ")
end

--- What is summed over all subscripts in the condition of a tree: "b_i c_i^2 (a_ij c_j)", c the row sums of
-- A.
function M.formula(t)
  local inner = factors(t, 1)
  return "b_i" .. (inner ~= "" and " " .. inner or "")
end

return M
