--- A progress meter on stderr.
--
--   local bar = progress.new{total = 100, label = "NODE seed 3"}
--   for i = 1, 100 do ...; bar:update(i, {{"loss", 0.12}, {"nfe", 44}}) end
--   bar:finish()
--
-- On a terminal: one line, redrawn at most ten times a second. Otherwise (logs, `CI`): a plain line per
-- `every` percent or 30 s.

local options = require "tide.base.options"

local progress = {}

local REDRAW = 0.1  -- seconds between redraws of the bar
local PLAIN = 30    -- seconds between plain lines
local MEMORY = 30   -- seconds over which the rate is smoothed, unless told

local has_core, core = pcall(require, "tide.core")
local function raise(message)
  if has_core and core.raise then core.raise(message) end
  error(message, 3)
end
local function from_core(name)
  return has_core and type(core) == "table" and type(core[name]) == "function" and core[name] or nil
end

--- Seconds from a clock that does not go backwards, where the engine offers one; os.time() has steps of 1 s
-- but, unlike os.clock(), keeps counting while the process sleeps.
progress.clock = from_core("monotonic") or os.time

--- Whether a file descriptor is a terminal; false when that cannot be known.
function progress.is_terminal(descriptor)
  local isatty = from_core("isatty")
  if not isatty then return false end
  local ok, answer = pcall(isatty, descriptor)
  return ok and answer == true
end

local function set(name)
  local value = os.getenv(name)
  return value ~= nil and value ~= "" and value ~= "0" and value ~= "false"
end

local function terminal_width()
  local ask = from_core("terminal_width")
  local ok, width = false, nil
  if ask then ok, width = pcall(ask) end
  if not (ok and math.type(width) and width > 0) then width = tonumber(os.getenv("COLUMNS") or "") end
  return math.max(20, math.tointeger(width) or 80)
end

--- 75 -> "1:15", 3675 -> "1:01:15"; "-:--" when unknown.
function progress.duration(seconds)
  options.argument("progress.duration", "seconds", seconds, "number")
  if not options.finite(seconds) or seconds < 0 or seconds > 1e7 then return "-:--" end
  local s = math.floor(seconds + 0.5)
  if s < 3600 then return ("%d:%02d"):format(s // 60, s % 60) end
  return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60)
end

local function show_count(n)
  return math.tointeger(n) and ("%d"):format(n) or ("%.4g"):format(n)
end

local function show_value(v)
  if v ~= v then return "nan" end -- printf may say "-nan"
  if math.type(v) == "float" then return ("%.4g"):format(v) end
  return tostring(v)
end

-- Fields are a string, a list of {name, value}, or a table by name (then sorted, so that columns do not
-- dance); or a function that returns them, called when they are shown.
local function show_fields(fields)
  if type(fields) == "function" then fields = fields() end
  if fields == nil then return "" end
  if type(fields) == "string" then return fields end
  local parts = {}
  if #fields > 0 then
    for i, pair in ipairs(fields) do parts[i] = pair[1] .. " " .. show_value(pair[2]) end
  else
    for i, name in ipairs(options.sorted_keys(fields)) do
      parts[i] = name .. " " .. show_value(fields[name])
    end
  end
  return table.concat(parts, "  ")
end

local Meter = {__name = "tide.progress.Meter"}
Meter.__index = Meter

local spec = {
  total = {"number", check = options.positive},
  -- done before, as in a resumed run; does not count for the rate
  initial = {"number", default = 0, check = options.not_negative},
  label = {"string", default = ""},
  unit = {"string", default = "it"},
  every = {"number", default = 10, check = options.positive}, -- percent between plain lines
  -- seconds; math.huge: the mean since the start
  memory = {"number", default = MEMORY, check = function(v) return v > 0, "> 0" end},
  quiet = {"boolean", default = false},
  bar = {"boolean"},    -- force or forbid the bar; nil: a terminal and not CI
  width = {"integer"},  -- columns; nil: the terminal's
  stream = {"any"},     -- where to write; nil: stderr
  clock = {"function"},
}

--- A new meter; `total` may be nil when the end is not known. Quiet meters print nothing at all.
function progress.new(opts)
  local self = options.check("progress.new", opts, spec)
  self.stream = self.stream or io.stderr
  self.clock = self.clock or progress.clock
  self.quiet = self.quiet or set("TIDE_QUIET")
  if self.bar == nil then
    self.bar = not set("CI") and os.getenv("TERM") ~= "dumb" and progress.is_terminal(2)
  end
  self.started = self.clock()
  self.last_time, self.shown_time, self.shown_percent = self.started, self.started, 0
  self.drawn, self.n, self.last_n, self.text = 0, self.initial, self.initial, ""
  self.amount, self.weight = 0, 0
  return setmetatable(self, Meter)
end

Meter.__newindex = options.seal("meter", {"fields", "finished", "shown_n"}, Meter)

--- Steps per second: an exponential mean with a memory of 30 s, or what was asked for. Amount and time decay
-- alike, so that it is unbiased from the start.
function Meter:rate()
  return self.weight > 0 and self.amount / self.weight or 0
end

function Meter:observe(n, now)
  local elapsed = now - self.last_time
  -- A clock of whole seconds gives many updates no time at all: let them pile up until it moves.
  if elapsed > 0 then
    local keep = math.exp(-elapsed / self.memory)
    self.amount = self.amount * keep + (n - self.last_n)
    self.weight = self.weight * keep + elapsed
    self.last_time, self.last_n = now, n
  end
  self.n = n
end

function Meter:describe(now, done)
  local parts = {}
  if self.total then
    parts[1] = ("%s/%s"):format(show_count(self.n), show_count(self.total))
  else
    parts[1] = ("%s %s"):format(show_count(self.n), self.unit)
  end
  local rate = done and (self.n - self.initial) / math.max(now - self.started, 1e-9) or self:rate()
  if rate > 0 and now > self.started then
    parts[#parts + 1] = rate >= 1 and ("%.4g %s/s"):format(rate, self.unit)
      or ("%.4g s/%s"):format(1 / rate, self.unit)
  end
  if done then
    parts[#parts + 1] = "took " .. progress.duration(now - self.started)
  elseif self.total then
    parts[#parts + 1] = "left " .. progress.duration(rate > 0 and (self.total - self.n) / rate or math.huge)
  end
  if self.text ~= "" then parts[#parts + 1] = self.text end
  return table.concat(parts, "  ")
end

function Meter:draw(now, done)
  local width = (self.width or terminal_width()) - 1 -- a full line would wrap on some terminals
  local head = self.label ~= "" and self.label .. " " or ""
  if self.total then
    local filled = math.floor(20 * math.min(1, self.n / self.total) + 0.5)
    head = ("%s%3d%% [%s%s] "):format(head, math.floor(100 * self.n / self.total), ("#"):rep(filled),
      ("."):rep(20 - filled))
  end
  local line = head .. self:describe(now, done)
  local length = utf8.len(line) or #line
  if length > width then
    line = line:sub(1, (utf8.offset(line, width + 1) or width + 1) - 1)
    length = width
  end
  -- Blanks, not an escape sequence, wipe what is left of a longer line: every terminal knows blanks.
  self.stream:write("\r", line, (" "):rep(math.max(0, self.drawn - length)))
  self.stream:flush()
  self.drawn, self.shown_time = length, now
end

function Meter:plain(now, done)
  local percent = self.total and ("%3d%%  "):format(math.floor(100 * self.n / self.total)) or ""
  self.stream:write(self.label ~= "" and self.label .. "  " or "", percent, self:describe(now, done), "\n")
  self.stream:flush()
  self.shown_time, self.shown_percent, self.shown_n = now, self.total and 100 * self.n / self.total or 0,
    self.n
end

--- Report that `n` of `total` are done, with optional fields to show. Where there is no bar, `line` = true
-- prints a line now, false none; by default there is one per `every` percent or 30 s.
function Meter:update(n, fields, line)
  if type(n) ~= "number" then
    raise("meter:update: n, how many are done, must be a number, got " .. options.show(n))
  end
  options.flag("meter:update", "line", line)
  if self.finished then return self end
  local now = self.clock()
  self:observe(n, now)
  if self.quiet then return self end
  if fields ~= nil then self.fields = fields end
  if self.bar then
    if now - self.shown_time >= REDRAW or self.drawn == 0 then
      self.text = show_fields(self.fields)
      self:draw(now)
    end
    return self
  end
  local percent = self.total and 100 * n / self.total or 0
  local due = percent - self.shown_percent >= self.every - 1e-9 or now - self.shown_time >= PLAIN
  if line or line == nil and due then
    self.text = show_fields(self.fields)
    self:plain(now)
  end
  return self
end

--- Report that `n` more (default 1) are done.
function Meter:advance(n, fields, line)
  if n ~= nil and type(n) ~= "number" then
    raise("meter:advance: n, how many more are done, must be a number, got " .. options.show(n))
  end
  return self:update(self.n + (n or 1), fields, line)
end

--- Print a line above the bar.
function Meter:log(line)
  if self.quiet then return self end
  if self.drawn > 0 then self.stream:write("\r", (" "):rep(self.drawn), "\r") end
  self.stream:write(line, "\n")
  self.drawn = 0
  return self
end

--- Draw the last state and end the line. Safe to call twice, and by `local bar <close>`.
function Meter:finish(fields)
  if self.finished then return self end
  self.finished = true
  if self.quiet then return self end
  local now = self.clock()
  self.text = show_fields(fields ~= nil and fields or self.fields)
  if self.bar then
    self:draw(now, true)
    self.stream:write("\n")
    self.stream:flush()
  elseif self.shown_n ~= self.n or not self.total then
    self:plain(now, true)
  end
  return self
end

Meter.__tostring = function(self)
  return ("meter: %s of %s %s"):format(self.n, self.total or "?", self.unit)
end
Meter.__close = function(self) self:finish() end

return progress
