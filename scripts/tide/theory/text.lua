--- How results of the theory print themselves.

local M = {}

-- ---- regions ----

local WIDE, HIGH = 61, 25

-- Which of n columns are shown in `most` places.
local function thinned(n, most)
  local out, step = {}, math.max(1, (n - 1) / (most - 1))
  local at = 1.0
  while at <= n + 1e-9 do
    out[#out + 1] = math.floor(at + 0.5)
    at = at + step
  end
  return out
end

local function crosses(values, k, before) return before and values[before] < 0 and values[k] >= 0 end

local region_meta = {__name = "stability region"}

function region_meta.__tostring(r)
  local re, im, value = r.re:totable(), r.im:totable(), r.value:totable()
  local columns, rows = thinned(#re, WIDE), thinned(#im, HIGH)
  local lines = {("%s: # stable, re %g .. %g, im %g .. %g"):format(r.name, re[1], re[#re], im[1], im[#im])}
  for k = #rows, 1, -1 do
    local line, i = {}, rows[k]
    for c, j in ipairs(columns) do
      local blank = (crosses(re, j, columns[c - 1]) or re[j] == 0) and "|" or "."
      if (crosses(im, i, rows[k - 1]) or im[i] == 0) and blank == "." then blank = "-" end
      line[c] = value[i][j] <= 1 + 1e-10 and "#" or blank
    end
    lines[#lines + 1] = table.concat(line)
  end
  return table.concat(lines, "\n")
end

--- A region that prints itself as a picture.
function M.region(r) return setmetatable(r, region_meta) end

-- ---- tables ----

local rows_meta = {__name = "convergence"}

function rows_meta.__tostring(rows)
  local lines = {("  %-12s %-12s %s"):format("h", "error", "order")}
  for i, row in ipairs(rows) do
    lines[i + 1] = ("  %-12.6g %-12.4e %s"):format(row.h, row.error,
      row.order and ("%.3f"):format(row.order) or "-")
  end
  return table.concat(lines, "\n")
end

--- Rows {h, error, order} that print themselves as a table.
function M.rows(rows) return setmetatable(rows, rows_meta) end

-- ---- roots ----

local places = {re = 1, im = 2, modulus = 3}

local root_meta = {__name = "root"}
function root_meta.__index(root, key) return rawget(root, places[key] or key) end
function root_meta.__tostring(root)
  if root[2] == 0 then return ("%.10g"):format(root[1]) end
  return ("%.10g %s %.10gi, modulus %.10g"):format(root[1], root[2] < 0 and "-" or "+", math.abs(root[2]),
    root[3])
end

local roots_meta = {__name = "roots"}
function roots_meta.__tostring(roots)
  local lines = {}
  for i, root in ipairs(roots) do lines[i] = "  " .. tostring(root) end
  return table.concat(lines, "\n")
end

--- Roots {re, im, modulus}, by place or by name, that print themselves.
function M.roots(list)
  for _, root in ipairs(list) do setmetatable(root, root_meta) end
  return setmetatable(list, roots_meta)
end

return M
