--- How an op reads in an explanation: "x W^T", "x[1:3]", "over axes 1, 2".

local M = {}

local MAX_OPERANDS = 8

function M.list(names)
  if #names <= MAX_OPERANDS then return table.concat(names, ", ") end
  return ("%s, ... (%d in all)"):format(table.concat(names, ", ", 1, MAX_OPERANDS - 2), #names)
end

local function axes_of(mask)
  local axes = {}
  for i = 0, 7 do if mask >> i & 1 == 1 then axes[#axes + 1] = i + 1 end end
  return #axes > 1 and "over axes " .. table.concat(axes, ", ") or #axes == 1 and "over axis " .. axes[1]
    or "over no axis"
end

local function factors(names, attrs)
  return ("%s%s %s%s"):format(names[1], attrs[1] ~= 0 and "^T" or "", names[2], attrs[2] ~= 0 and "^T" or "")
end

local function slice(names, row)
  local parts, a = {}, row.attrs
  for i = 1, #row.shape do
    local start, step, length = a[3 * i - 2], a[3 * i - 1], a[3 * i]
    parts[i] = ("%d:%d%s"):format(start + 1, start + 1 + step * (length - 1), step ~= 1 and ":" .. step or "")
  end
  return ("%s[%s]"):format(names[1], table.concat(parts, ", "))
end

local function convolution(names, row)
  local a, notes = row.attrs, {}
  local function note(word, first, default)
    if a[first] == a[first + 1] and a[first] ~= default then notes[#notes + 1] = word .. " " .. a[first]
    elseif a[first] ~= a[first + 1] then notes[#notes + 1] = ("%s %dx%d"):format(word, a[first],
      a[first + 1]) end
  end
  note("stride", 1, 1)
  note("padding", 3, 0)
  note("dilation", 5, 1)
  if a[7] ~= 1 then notes[#notes + 1] = "groups " .. a[7] end
  return table.concat(names, ", ") .. (#notes > 0 and "  " .. table.concat(notes, ", ") or "")
end

-- relu(x W + c), relu(conv(x, w) + c)
local function layer(names, row)
  local operands, next_name = {names[1], names[2]}, 3
  local text = row.base == "matmul" and factors(operands, row.attrs)
    or ("%s(%s)"):format(row.base, convolution(operands, row))
  if row.bias ~= 0 then text, next_name = text .. " + " .. names[3], 4 end
  if not row.post then return text end
  local other = names[next_name]
  if not other then return ("%s(%s)"):format(row.post, text) end
  return row.second ~= 0 and ("%s(%s, %s)"):format(row.post, other, text)
    or ("%s(%s, %s)"):format(row.post, text, other)
end

local function along(names, row) return ("%s along axis %d"):format(M.list(names), row.attrs[1] + 1) end
local function over(names, row) return names[1] .. " " .. axes_of(row.attrs[1]) end
local expressions = {
  matmul = function(names, row) return factors(names, row.attrs) end, layer = layer, conv_layer = layer,
  slice = slice,
  cat = along, argmax = along, argmin = along,
  take = along, take_grad = along, sum = over, max = over, min = over, conv = convolution,
  conv_dx = convolution, conv_dw = convolution,
  conv_matrix = convolution, conv_matrix_grad = convolution,
  literal = function(_, row) return ("%.6g"):format(row.value) end,
  permute = function(names, row)
    local order = {}
    for i, axis in ipairs(row.attrs) do order[i] = axis + 1 end
    return ("%s axes %s"):format(names[1], table.concat(order, ", "))
  end,
}

--- What the row of an op computes of operands that are called `names`.
function M.of(row, names) return (expressions[row.op] or M.list)(names, row) end

return M
