--- Values as text for people: what the prompt, tide.tostring and print of a solve's statistics show.
--
-- Tables are shown nested, with sorted keys, bounded in depth and length, on one line where that fits;
-- models with the number of their values, tensors inside tables by dtype and shape. Nothing of the user's
-- runs, except __tostring.

local M = {}

local max_depth, max_items, max_entries, max_string, edge = 5, 50, 400, 200, 3

local function quoted(s)
  local cut = #s > max_string and s:sub(1, max_string) or s
  local text = ("%q"):format(cut):gsub("\\\n", "\\n"):gsub("\\9", "\\t"):gsub("\r", "\\r")
  return #s > max_string and ("%s.. (%d bytes)"):format(text, #s) or text
end

local function type_order(k)
  local order = {number = 1, string = 2, boolean = 3}
  return order[type(k)] or 4
end

local function key_less(a, b)
  local ta, tb = type_order(a), type_order(b)
  if ta ~= tb then return ta < tb end
  if ta <= 2 then return a < b end
  return tostring(a) < tostring(b)
end

--- Keys of a table in the order of printing, without 1..n, and n.
function M.keys(t)
  local n = rawlen(t)
  local keys = {}
  for k in next, t do
    if not (math.type(k) == "integer" and k >= 1 and k <= n) then keys[#keys + 1] = k end
  end
  table.sort(keys, key_less)
  return keys, n
end

--- For __tostring of a table that print shows as the prompt does; and a metatable that has no more than it.
local function as_table(t) return M.table(t) end
M.as_table, M.printed = as_table, {__tostring = as_table}

--- The same for t, which is returned.
function M.printable(t) return setmetatable(t, M.printed) end
--- And where it may be anything: a table that has no metatable yet.
function M.plainly(v) return type(v) == "table" and not debug.getmetatable(v) and M.printable(v) or v end

local function with_tostring(v)
  local meta = debug.getmetatable(v)
  local own = type(meta) == "table" and rawget(meta, "__tostring")
  return own and own ~= as_table
end

local function call_tostring(v)
  local good, text = pcall(tostring, v)
  return good and text or ("<%s: __tostring failed>"):format(type(v))
end

-- A tensor inside a table: its shape and dtype only; its numbers would hide the structure.
local function tensor_summary(v)
  local good, text = pcall(function()
    return ("tensor %s {%s}"):format(v:dtype(), table.concat(v:shape(), ", "))
  end)
  return good and text or nil
end

-- A fraction that float32 holds exactly, as elements of tensors are, by the digits that tell it from other
-- float32 numbers: 0.1 and not 0.10000000149012. Other numbers as Lua prints them.
local function number_text(v)
  if v ~= v then return "nan" end -- printf may say "-nan"
  local text = tostring(v)
  if v == math.floor(v) or math.abs(v) > 1e38 or #text:gsub("[^%d]", "") <= 9 then return text end
  if string.unpack("f", string.pack("f", v)) ~= v then return text end
  for digits = 6, 9 do
    local short = ("%%.%dg"):format(digits):format(v)
    if string.unpack("f", string.pack("f", tonumber(short))) == v then return short end
  end
  return text
end

--- "function(a, b)"
function M.signature(f)
  local info, names = debug.getinfo(f, "Su"), {}
  if info.what == "C" then return "function" end
  for i = 1, info.nparams do names[i] = debug.getlocal(f, i) or "?" end
  if info.isvararg then names[#names + 1] = "..." end
  return ("function(%s)"):format(table.concat(names, ", "))
end

local function leaf(v)
  if type(v) == "number" then return number_text(v) end
  if type(v) == "string" then return quoted(v) end
  if type(v) == "function" then return M.signature(v) end
  local meta = type(v) == "userdata" and debug.getmetatable(v)
  local summary = meta and rawget(meta, "__name") == "tide.Tensor" and tensor_summary(v)
  if summary then return summary end
  local text = call_tostring(v)
  return text:find("\n", 1, true) and text:match("^[^\n]*") .. " ..." or text
end

local is_name = function(k) return type(k) == "string" and k:find("^[%a_][%w_]*$") ~= nil end

local render_table

local function render(v, state, depth)
  if type(v) ~= "table" or with_tostring(v) then return leaf(v) end
  if state.seen[v] then return "<cycle>" end
  return render_table(v, state, depth)
end

-- Of a long list of tables, records say, the middle is left out: from, to.
local function gap(t, n)
  if n <= 2 * edge + 2 or type(rawget(t, 1)) ~= "table" or with_tostring(rawget(t, 1)) then
    return n + 1, n
  end
  return edge + 1, n - edge
end

-- The entries of a table as texts; and how many of them are of its list.
local function entries(t, state, depth)
  local keys, n = M.keys(t)
  local out, shown = {}, 0
  local function add(prefix, v)
    shown = shown + 1
    state.count = state.count + 1
    out[#out + 1] = prefix .. render(v, state, depth + 1)
  end
  local function full() return shown >= max_items or state.count >= max_entries end
  local from, to = gap(t, n)
  for i = 1, n do
    if full() then break end
    if i == from then out[#out + 1] = ("... %d more"):format(to - from + 1) end
    if i < from or i > to then add("", rawget(t, i)) end
  end
  local listed, skipped = #out, math.max(0, to - from + 1)
  for _, k in ipairs(keys) do
    if full() then break end
    add(is_name(k) and k .. " = " or ("[%s] = "):format(leaf(k)), rawget(t, k))
  end
  local left = n + #keys - shown - skipped
  if left > 0 then out[#out + 1] = ("... %d more"):format(left) end
  return out, listed
end

-- Parts one below the other; of the first `listed`, short ones, as many on a line as fit.
local function stacked(parts, listed, room)
  local lines, line = {}, nil
  for i, part in ipairs(parts) do
    local short = i <= listed and #part <= room // 3 and not part:find("[{\n]")
    if short and line and #line + #part + 3 <= room then
      line = line .. ", " .. part
    else
      lines[#lines + 1] = line
      line = part
      if not short then
        lines[#lines + 1] = line
        line = nil
      end
    end
  end
  lines[#lines + 1] = line
  return lines
end

-- "nn.odenet" and how many values it has, for the outermost table that is a model.
local function head_of(v, depth)
  local meta = debug.getmetatable(v)
  local name = type(meta) == "table" and rawget(meta, "__name")
  if type(name) ~= "string" then return "" end
  local tree = package.loaded["tide.base.tree"]
  if depth > 0 or not name:find("^nn%.") or not tree then return name .. " " end
  local total = 0
  local good = pcall(function()
    for _, x in ipairs(tree.tensors(v, true)) do total = total + x:numel() end
  end)
  return good and ("%s (%d values) "):format(name, total) or name .. " "
end

function render_table(v, state, depth)
  local head = head_of(v, depth)
  if next(v) == nil then return head .. "{}" end
  if depth >= max_depth then return head .. "{...}" end
  state.seen[v] = true
  local parts, listed = entries(v, state, depth)
  state.seen[v] = nil
  local line = head .. "{" .. table.concat(parts, ", ") .. "}"
  if #line + 2 * depth <= state.width and not line:find("\n", 1, true) then return line end
  local pad = ("  "):rep(depth + 1)
  local rows = table.concat(stacked(parts, listed, state.width - #pad), ",\n" .. pad)
  return head .. "{\n" .. pad .. rows .. "\n" .. ("  "):rep(depth) .. "}"
end

--- Text of a table, also of one that has a __tostring of its own; `width` is the number of columns (default
-- 80).
function M.table(t, width)
  return render_table(t, {seen = {}, count = 0, width = width or 80}, 0)
end

--- Text of a value on its own: a string as it is, a tensor with its numbers.
function M.value(v, width)
  if type(v) == "number" then return number_text(v) end
  if type(v) == "string" then return v end
  if type(v) == "table" and not with_tostring(v) then return M.table(v, width) end
  return call_tostring(v)
end

--- Lines of names and what is said of them, beside each other.
function M.names(rows)
  local longest, lines = 12, {}
  for _, row in ipairs(rows) do longest = math.max(longest, #tostring(row[1])) end
  for i, row in ipairs(rows) do lines[i] = ("  %-" .. longest .. "s  %s"):format(row[1], row[2]) end
  return table.concat(lines, "\n")
end

--- Rows of cells in aligned columns under a header, as text; numbers are right-aligned.
function M.columns(header, rows)
  local width = {}
  local function length(v) return utf8.len(v) or #v end -- bytes that are no text
  for c, title in ipairs(header) do
    width[c] = length(tostring(title))
    for _, row in ipairs(rows) do width[c] = math.max(width[c], length(tostring(row[c]))) end
  end
  local lines = {}
  local function add(row)
    local cells = {}
    for c = 1, #header do
      local text = tostring(row[c])
      local fill = (" "):rep(width[c] - length(text))
      cells[c] = c == 1 and text .. fill or fill .. text
    end
    lines[#lines + 1] = "  " .. table.concat(cells, "   ")
  end
  add(header)
  local rule = {}
  for c = 1, #header do rule[c] = ("-"):rep(width[c]) end
  add(rule)
  for _, row in ipairs(rows) do add(row) end
  return table.concat(lines, "\n")
end

return M
