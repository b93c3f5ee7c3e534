--- What the series of a panel tell it while they are built: what the axes must show, which things are
-- missing, which colours stand for which values.

local options = require "tide.base.options"
local style = require "tide.plot.style"

local BOTTOM = 1e-306 -- of a log axis, for what reaches down to minus infinity

local Context = {}
Context.__index = Context

--- For the panel with these axes and this list of {kind =, options =}.
function Context.new(axes, list)
  local extent = {}
  for _, axis in ipairs{"x", "y", "z", "color"} do extent[axis] = {math.huge, -math.huge} end
  return setmetatable({axes = axes, list = list, extent = extent, styles = 0, tallies = {}, remarks = {},
    defaults = {}}, Context)
end

function Context.fail(_, message) error("plot: " .. message, 0) end

--- A range around what does not differ.
function Context.room_around(low, high)
  local room = 0.1 * math.max(math.abs(low), math.abs(high))
  if room < 1e-305 then room = 1 end
  return low - room, high + room
end

-- Which quantities are places, and on which axis.
Context.axis_of = {x = "x", left = "x", right = "x", y = "y", low = "y", high = "y", z = "z"}

local log_of = {x = "xlog", y = "ylog"}

--- Does this quantity need a logarithm?
function Context:is_log(name)
  if name == "value" then return self.axes.zlog end
  local axis = self.axis_of[name]
  return axis and self.axes[log_of[axis]]
end

--- What the axes are unless the caller says otherwise: texts of ticks, a ratio.
function Context:default(key, value) self.defaults[key] = value end

function Context:see(axis, values)
  local extent, log = self.extent[axis], self.axes[axis .. "log"]
  for _, v in ipairs(values) do
    v = v + 0.0 -- sums and differences of large integers would wrap
    if options.finite(v) and not (log and v <= BOTTOM) then
      extent[1], extent[2] = math.min(extent[1], v), math.max(extent[2], v)
    end
  end
end

--- Where a log axis of y ends, for what has no lower end: far below all data.
function Context.bottom() return BOTTOM end

--- So many things (points, cells, ...) were given; those that have no place in the picture are told apart by
-- the reason.
function Context:count(label, noun, n)
  if n == 0 then self:remark(label .. ": no data") end
  self:tally(noun).total = self:tally(noun).total + n
end

function Context:miss(noun, reason, n)
  local tally = self:tally(noun)
  if not tally.reasons[reason] then table.insert(tally.reasons, reason) end
  tally.reasons[reason] = (tally.reasons[reason] or 0) + (n or 1)
  tally.missing = tally.missing + (n or 1)
end

function Context:tally(noun)
  if not self.tallies[noun] then
    self.tallies[noun] = {total = 0, missing = 0, reasons = {}}
    table.insert(self.tallies, noun)
  end
  return self.tallies[noun]
end

function Context:remark(text)
  if not self.remarks[text] then table.insert(self.remarks, text) end
  self.remarks[text] = true
end

-- What a reader of the picture must know: "3 of 120 points missing: not finite".
function Context:notes()
  local notes = table.move(self.remarks, 1, #self.remarks, 1, {})
  for _, noun in ipairs(self.tallies) do
    local tally = self.tallies[noun]
    if tally.missing > 0 then
      local reasons = {}
      for i, reason in ipairs(tally.reasons) do
        reasons[i] = #tally.reasons > 1 and ("%d %s"):format(tally.reasons[reason], reason) or reason
      end
      notes[#notes + 1] = ("%d of %d %s missing: %s"):format(tally.missing, tally.total, noun,
        table.concat(reasons, ", "))
    end
  end
  return notes
end

function Context:next_style()
  self.styles = self.styles + 1
  return self.styles
end

function Context:palette(name, range, values)
  self:see("color", values)
  range = self.axes.zrange or range
  local low, high = table.unpack(range or self.extent.color)
  local nothing = low > high and not range -- then a colour box would show numbers that nobody gave
  if self.axes.zlog and not nothing and math.min(low, high) <= 0 then
    self:fail(("range must be > 0 for a log colour scale, got {%g, %g}"):format(low, high))
  end
  if nothing then low, high = self.axes.zlog and 1 or 0, self.axes.zlog and 10 or 1 end
  if self.axes.zlog then low, high = math.max(low, 1e-300), math.max(high, 1e-300) end -- gnuplot's logarithms
  -- gnuplot would warn
  if high - low <= 1e-12 * math.max(math.abs(low), math.abs(high)) and low <= high then
    if self.axes.zlog then low, high = low / 2, high * 2 else low, high = Context.room_around(low, high) end
  end
  self.colors = {name = style.palette(name), low = low, high = high, hidden = nothing
    or not self.axes.colorbox}
end

function Context:wants_room()
  if self.axes.pad ~= nil then return self.axes.pad end
  return self.padded
end
function Context:pad() self.padded = true end
function Context:tight() self.fixed = true end
function Context:downwards() self.down = true end
--- Numbers on lines stand on white.
function Context:textbox() self.boxed = true end
--- The panel is drawn in perspective, from these angles.
function Context:enter_space(view) self.view = self.view or view end
--- Long texts below the x axis may be turned.
function Context:turn() self.turnable = true end
--- Corners of a region in which gaps would look like a colour of the palette.
function Context:hatch(...) self.hatched = {...} end

return Context
