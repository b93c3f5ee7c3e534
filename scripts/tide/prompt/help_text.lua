--- How entries of the documentation are laid out as text; see tide.help for their fields.

local text = {}

function text.last_part(name) return name:match("[%w_]+$") end

local code_line = "^%s*| ?(.-)%s*$"

--- The code in an entry's text, as one chunk.
function text.code(entry)
  local lines = {}
  for row in entry.text:gmatch("[^\n]+") do lines[#lines + 1] = row:match(code_line) end
  return table.concat(lines, "\n")
end

--- Words filled into lines; an empty line separates paragraphs; lines that begin with "|" are code and stay
-- as they are.
function text.wrapped(source, width)
  local lines, line = {}, ""
  local function finish()
    if line ~= "" then lines[#lines + 1] = line end
    line = ""
  end
  for row in (source .. "\n"):gmatch("(.-)\n") do
    local code = row:match(code_line)
    if code then
      finish()
      lines[#lines + 1] = "  " .. code
    elseif not row:find("%S") then
      finish()
      lines[#lines + 1] = ""
    else
      for word in row:gmatch("%S+") do
        if line ~= "" and (utf8.len(line) or #line) + (utf8.len(word) or #word) + 1 > width then finish() end
        line = line == "" and word or line .. " " .. word
      end
    end
  end
  finish()
  while lines[#lines] == "" do lines[#lines] = nil end
  return table.concat(lines, "\n")
end

function text.indented(source, by)
  local pad = (" "):rep(by or 2)
  return ((pad .. source:gsub("\n", "\n" .. pad)):gsub("[ ]+\n", "\n"):gsub("[ ]+$", ""))
end

--- "tide.sum(x, axis, keepdim) -> tensor"
function text.signature(entry)
  local head = entry.args and ("%s(%s)"):format(entry.name, entry.args) or entry.name
  return entry.returns and head .. " -> " .. entry.returns or head
end

local function default_text(v, quote)
  if type(v) == "table" then
    local parts = {}
    for i, part in ipairs(v) do parts[i] = default_text(part, quote) end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  if quote and type(v) == "string" then return '"' .. v .. '"' end
  return math.type(v) == "float" and ("%.10g"):format(v) or tostring(v)
end

--- "rtol = 0.001"
function text.option_head(row)
  if row.required then return row[1] .. " (required)" end
  return row[2] == nil and row[1] or ("%s = %s"):format(row[1], default_text(row[2], row.quote))
end

--- Signature and options of an entry, for whoever is typing a call.
function text.hint(entry, width)
  if not entry.options then return text.signature(entry) end
  local heads = {}
  for i, row in ipairs(entry.options) do heads[i] = text.option_head(row) end
  return text.signature(entry) .. "\n"
    .. text.indented(text.wrapped("opts: " .. table.concat(heads, ", "), width - 4))
end

-- "rtol = 0.001      relative tolerance of adaptive steps"
local function option_lines(rows, width, lines)
  local heads, widest = {}, 0
  for i, row in ipairs(rows) do
    heads[i] = text.option_head(row)
    widest = math.max(widest, #heads[i])
  end
  for i, row in ipairs(rows) do
    if row.heading then lines[#lines + 1] = "  " .. row.heading end
    local words = text.wrapped(row[3], math.max(20, width - widest - 6)):gsub("\n", "\n"
      .. (" "):rep(widest + 6))
    lines[#lines + 1] = ("    %s%s  %s"):format(heads[i], (" "):rep(widest - #heads[i]), words):gsub("%s+$",
      "")
  end
end

--- What help(x) prints for an entry.
function text.entry(entry, width)
  width = width or 80
  local lines = {text.signature(entry)}
  if entry.method then
    local rest = entry.args:match("^[^,]*,%s*(.*)$") or ""
    lines[2] = ("x:%s(%s)"):format(text.last_part(entry.name), rest)
  end
  lines[#lines + 1] = text.indented(text.wrapped(entry.text, width - 4))
  if entry.options then
    lines[#lines + 1] = "options:"
    option_lines(entry.options, width, lines)
  end
  if entry.example then
    lines[#lines + 1] = "example:\n" .. text.indented((entry.example:gsub("\n  ", "\n")))
  end
  return table.concat(lines, "\n")
end

--- The sentences of an entry's text, without code.
function text.sentences(entry)
  local list = {}
  for paragraph in (entry.text:gsub("\n%s*|[^\n]*", "") .. "\n\n"):gmatch("(.-)\n%s*\n") do
    local flat = paragraph:gsub("%s+", " "):gsub("^ ", "") .. " "
    local from = 1
    repeat
      local stop = flat:find("[.?!;] [%u\"]", from) or #flat
      list[#list + 1] = flat:sub(from, stop):match("^%s*(.-)%s*$")
      from = stop + 1
    until from >= #flat
  end
  return list
end

--- The first sentence of an entry's text.
function text.first_sentence(entry) return text.sentences(entry)[1] end

--- At most `width` columns of a line; what is cut ends in "...".
function text.cut(line, width)
  if (utf8.len(line) or #line) <= width then return line end
  local stop = utf8.offset(line, math.max(1, width - 3)) or width - 3
  return line:sub(1, stop - 1):gsub("%s+$", "") .. "..."
end

return text
