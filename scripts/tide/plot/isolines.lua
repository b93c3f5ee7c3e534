--- Lines of equal value on a grid: marching squares (Lorensen and Cline's cubes, SIGGRAPH 1987, in the
-- plane), linear between neighbouring nodes.

local isolines = {}

-- For each of the 16 sets of corners that are high (1, 2, 4, 8: the corner of the lower row and column, then
-- the others counterclockwise): from which side of the cell to which a piece of the line runs, with what is
-- high on its left. The sides: 1 bottom, 2 right, 3 top, 4 left. 5 and 10 are saddles.
local pieces = {[0] = {}, {1, 4}, {2, 1}, {2, 4}, {3, 2}, {}, {3, 1}, {3, 4}, {4, 3}, {1, 3}, {}, {2, 3},
  {4, 2}, {1, 2}, {4, 1}, {}}
-- The two pieces of a saddle whose middle is low and high.
local saddles = {[5] = {{1, 4, 3, 2}, {1, 2, 3, 4}}, [10] = {{2, 1, 4, 3}, {4, 1, 2, 3}}}

-- The number of an edge of the grid, by cell and side.
local function edge_of(r, c, side, stride)
  if side == 1 then return 2 * (r * stride + c) end
  if side == 3 then return 2 * ((r + 1) * stride + c) end
  return 2 * (r * stride + (side == 2 and c + 1 or c)) + 1
end

local function pieces_of(z, r, c, level)
  local a, b, d, e = z[r][c], z[r][c + 1], z[r + 1][c + 1], z[r + 1][c]
  local index = (a > level and 1 or 0) + (b > level and 2 or 0) + (d > level and 4 or 0)
    + (e > level and 8 or 0)
  if not saddles[index] then return pieces[index] end
  return saddles[index][a / 4 + b / 4 + d / 4 + e / 4 > level and 2 or 1]
end

-- Where the line crosses an edge. A node of -inf has no place between: the crossing is at its neighbour.
local function crossing(grid, edge, level)
  local z, stride = grid.z, grid.width + 1
  local node, upright = edge // 2, edge % 2 == 1
  local r, c = node // stride, node % stride
  local r2, c2 = upright and r + 1 or r, upright and c or c + 1
  local v1, v2 = z[r][c], z[r2][c2]
  local t = v1 == -math.huge and 1 or v2 == -math.huge and 0 or (level - v1) / (v2 - v1)
  local x1, y1 = grid.x[c], grid.y[r]
  return x1 + t * (grid.x[c2] - x1), y1 + t * (grid.y[r2] - y1)
end

local function finite(v) return v == v and v ~= math.huge and v ~= -math.huge end

-- Each piece goes from one edge to another, and each edge is left once and reached once.
local function links(grid, level)
  local z, following, reached, starts = grid.z, {}, {}, {}
  local stride = grid.width + 1
  for r = 1, grid.height - 1 do
    for c = 1, grid.width - 1 do
      local whole = grid.closed or finite(z[r][c]) and finite(z[r][c + 1]) and finite(z[r + 1][c])
        and finite(z[r + 1][c + 1])
      local list = whole and pieces_of(z, r, c, level) or pieces[0]
      for i = 1, #list, 2 do
        local from, to = edge_of(r, c, list[i], stride), edge_of(r, c, list[i + 1], stride)
        following[from], reached[to] = to, true
        starts[#starts + 1] = from
      end
    end
  end
  return following, reached, starts
end

--- The lines of z = level as a list of {x =, y =, closed =}, what is higher on their left. `grid` is {z =
-- rows of numbers, x = of the columns, y = of the rows, width =, height =}; with `closed`, nodes of -inf are
-- the outside of the region and all lines are closed; without it, cells with a node that is not finite are
-- left out.
function isolines.trace(grid, level)
  local following, reached, starts = links(grid, level)
  local lines = {}
  local function follow(first)
    local line, edge, previous = {x = {}, y = {}}, first, nil
    repeat
      local x, y = crossing(grid, edge, level)
      local n = #line.x
      if n == 0 or x ~= line.x[n] or y ~= line.y[n] then line.x[n + 1], line.y[n + 1] = x, y end
      previous, edge = edge, following[edge]
      following[previous] = nil
    until not edge or edge == first
    line.closed = edge == first
    if line.closed then
      local x, y = crossing(grid, first, level)
      table.insert(line.x, x)
      table.insert(line.y, y)
    end
    if #line.x > 1 then lines[#lines + 1] = line end
  end
  for _, edge in ipairs(starts) do if following[edge] and not reached[edge] then follow(edge) end end
  for _, edge in ipairs(starts) do if following[edge] then follow(edge) end end
  return lines
end

--- Twice the area inside a closed line, negative when it runs clockwise (what is inside is lower).
function isolines.area(line)
  local sum, x, y = 0, line.x, line.y
  for i = 1, #x - 1 do
    sum = sum + (x[i] - x[1]) * (y[i + 1] - y[1]) - (x[i + 1] - x[1]) * (y[i] - y[1])
  end
  return sum
end

return isolines
