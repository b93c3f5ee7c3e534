--- The page of an explanation: numbers with units, and rows in columns.

local M = {}

local WIDTH = 120

function M.grouped(n)
  local text = ("%d"):format(n)
  while true do
    local longer, count = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
    if count == 0 then return text end
    text = longer
  end
end

--- 12,345 or 1.23 M.
function M.amount(n)
  if n < 1e6 then return M.grouped(n) end
  for _, unit in ipairs{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}} do
    if n >= unit[1] then return ("%.2f %s"):format(n / unit[1], unit[2]) end
  end
end

function M.bytes(n)
  if n < 10000 then return M.grouped(n) .. " B" end
  for _, unit in ipairs{{2 ^ 30, "GiB"}, {2 ^ 20, "MiB"}, {2 ^ 10, "KiB"}} do
    if n >= unit[1] then return ("%.1f %s"):format(n / unit[1], unit[2]) end
  end
end

function M.spec(row) return ("%s {%s}"):format(row.dtype, table.concat(row.shape, ", ")) end

local FLUSH_RIGHT, LONG = {[5] = true, [6] = true}, 3

-- Lines of equal columns. What does not fit is cut from the long column.
function M.align(out, rows)
  local widths, sum = {}, 0
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, #cell) end
  end
  for _, width in ipairs(widths) do sum = sum + width + 2 end
  widths[LONG] = math.max(16, math.min(widths[LONG], widths[LONG] - sum + WIDTH))
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      if #cell > widths[i] then cell = cell:sub(1, widths[i] - 4) .. " ..." end
      local pad = (" "):rep(widths[i] - #cell)
      cells[i] = FLUSH_RIGHT[i] and pad .. cell or cell .. pad
    end
    out[#out + 1] = ("  " .. table.concat(cells, "  ")):gsub("%s+$", "")
  end
end

function M.head(bytes) return {"value", "op", "of", "dtype and shape", "operations", bytes, ""} end

function M.plural(n, one, many)
  return ("%s %s"):format(M.grouped(n), n == 1 and one or many or one .. "s")
end

return M
