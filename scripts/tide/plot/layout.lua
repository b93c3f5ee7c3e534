--- Where panels, titles and legends go. All lengths are in logical pixels (1/96 inch), with the 12 pixel font
-- of style.lua's users; gnuplot's own layout does not know of aspect ratios or of legends above the plot.

local panel = require "tide.plot.panel"
local ticks = require "tide.plot.ticks"

local layout = {}

local EDGE = 12         -- free space at the border of a panel
local LINE = 19         -- one line of text
local CHARACTER = 7.4   -- mean width of a character
local SAMPLE = 46       -- the stroke in the legend, with its gaps

local function lines_of(text) return select(2, text:gsub("\n", "\n")) + 1 end

--- Rows of a legend that is to fit into `width`.
function layout.legend_size(entries, width)
  local longest = 0
  for _, entry in ipairs(entries) do longest = math.max(longest, utf8.len(entry.name) or #entry.name) end
  local columns = math.max(1, math.min(#entries, math.floor(width / (SAMPLE + CHARACTER * longest))))
  return math.ceil(#entries / columns)
end

--- Text in lines that fit into so many pixels.
function layout.wrap(text, width)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if line ~= "" and CHARACTER * (utf8.len(line .. word) or 0) > width then
      lines[#lines + 1] = line
      line = ""
    end
    line = line == "" and word or line .. " " .. word
  end
  lines[#lines + 1] = line
  return lines
end

-- Characters of the longest text among ticks; letters are wider than digits.
local function longest_text(marks)
  local longest = 0
  for _, tick in ipairs(marks) do
    local text = type(tick) == "table" and tostring(tick[2]) or ""
    longest = math.max(longest, 1.15 * (utf8.len(text) or #text))
  end
  return longest
end

-- Pixels that the labels of an axis need beyond the six characters that there is always room for.
local function extra_label(axes, axis, range)
  local marks, longest = axes[axis .. "ticks"], 6
  if type(marks) == "table" then
    longest = math.max(longest, longest_text(marks))
  elseif marks ~= false and not axes[axis .. "log"] and range and range[1] < range[2] then
    longest = ticks.label_width(range[1], range[2])
  end
  return CHARACTER * (longest - 6)
end

-- Texts below the x axis that are wider than their columns are turned; the pixels that this takes.
local function turned_room(built, width)
  local marks = built.axes.xticks
  if not built.turnable or type(marks) ~= "table" then return 0 end
  local pixels = CHARACTER * longest_text(marks)
  built.turned = pixels > width / #marks
  return built.turned and 0.6 * pixels or 0
end

-- Space around the plot box of one panel. `width` is a first guess of the box's width, for the legend.
local function surroundings(built, entries, width)
  local axes = built.axes
  local s = {left = EDGE, right = EDGE, top = EDGE, bottom = EDGE, rows = 0}
  if axes.xticks ~= false then
    -- half of the last label
    s.right = s.right + 4 + (type(axes.xticks) == "table" and 0 or extra_label(axes, "x", built.range.x) / 2)
  end
  if axes.yticks ~= false then
    s.left = s.left + 38 + extra_label(axes, "y", built.range.y or built.extent.y)
  end
  if axes.ylabel then s.left = s.left + 22 end
  if axes.xticks ~= false then s.bottom = s.bottom + 16 + turned_room(built, width) end
  if axes.xlabel then s.bottom = s.bottom + 22 end
  if built.colors and not (built.colors.hidden or built.view) then
    s.right = s.right + (axes.zlabel and 72 or 54) + CHARACTER
      * (ticks.label_width(built.colors.low, built.colors.high) - 6)
  end
  s.notes = {}
  for _, note in ipairs(built.notes) do
    for _, line in ipairs(layout.wrap(note, width)) do table.insert(s.notes, line) end
  end
  s.bottom = s.bottom + LINE * #s.notes
  if axes.title then s.top = s.top + LINE * lines_of(axes.title) + 2 end
  if axes.legend == "above" and #entries > 0 then
    s.rows = layout.legend_size(entries, width)
    s.top = s.top + LINE * s.rows
  end
  return s
end

local function max_into(list, i, value) list[i] = math.max(list[i] or 0, value) end

-- Outer space of each column and row of panels, so that plot boxes line up.
local function measure(panels, columns, guess)
  local m = {left = {}, right = {}, top = {}, bottom = {}, around = {}}
  for i, built in ipairs(panels) do
    local c, r = (i - 1) % columns + 1, (i - 1) // columns + 1
    local s = surroundings(built, built.shown, guess)
    m.around[i] = s
    max_into(m.left, c, s.left)
    max_into(m.right, c, s.right)
    max_into(m.top, r, s.top)
    max_into(m.bottom, r, s.bottom)
  end
  return m
end

local function sum(list)
  local total = 0
  for _, v in ipairs(list) do total = total + v end
  return total
end

-- Heights of the plot boxes per row: the caller's figure height shared out, or what the panels' ratios ask
-- for.
local function box_heights(panels, columns, rows, box_width, height, used)
  local heights = {}
  for r = 1, rows do
    if height then
      heights[r] = (height - used) / rows
    else
      for i = (r - 1) * columns + 1, math.min(r * columns, #panels) do
        max_into(heights, r, box_width * (panel.box_ratio(panels[i]) or 0.66))
      end
      heights[r] = math.min(heights[r], 2.5 * box_width)
    end
  end
  return heights
end

-- Put a built panel into the cell at x, y of the page. A fixed ratio that does not fill its cell is centred.
local function place(built, page, x, y, cell_height, around)
  local w, h, width, height = page.box_width, cell_height, page.width, page.height
  local ratio = panel.box_ratio(built)
  if ratio then w, h = math.min(w, h / ratio), math.min(h, w * ratio) end
  local left, top = x + (page.box_width - w) / 2, y + (cell_height - h) / 2
  local note_y = top + h + around.bottom - EDGE - LINE * (#around.notes - 0.7)
  built.box = built.view and {x = 0.5 * w, y = 0.4 * h} or {x = w, y = h} -- for the ticks
  built.place = {left = left / width, right = (left + w) / width, top = 1 - top / height,
    bottom = 1 - (top + h) / height,
    notes = around.notes, note_x = left / width, note_y = 1 - note_y / height, note_step = LINE / height,
    rows = around.rows, legend_x = (left + w / 2) / width, legend_y = 1 - (top - 4) / height,
    legend_height = math.max(0, LINE * around.rows - 6)}
  built.place.colors = {(left + w + 10) / width, built.place.bottom, 14 / width, h / height}
end

--- The place of an inset: `at` are its left, bottom, width and height as shares of the box of the panel
-- whose place is `outer`; its numbers lie outside of its own box, on white ground.
function layout.inset(built, outer, width, height)
  local at, wide, high = built.at, outer.right - outer.left, outer.top - outer.bottom
  local left, bottom = outer.left + at.x * wide, outer.bottom + at.y * high
  local right, top = left + at.width * wide, bottom + at.height * high
  local w, h = (right - left) * width, (top - bottom) * height
  local around = surroundings(built, {}, w)
  built.box = {x = w, y = h}
  built.place = {left = left, right = right, bottom = bottom, top = top, notes = {}, rows = 0, legend_x = 0,
    legend_y = 0, legend_height = 0, colors = {right + 6 / width, bottom, 8 / width, top - bottom}}
  built.place.ground = {left - 0.85 * around.left / width, bottom - 0.85 * around.bottom / height,
    right + 0.7 * around.right / width, top + 0.7 * around.top / height}
end

-- Height of what stands above all panels, and the rows of the legend in it.
local function head_of(figure, width)
  local head, shared_rows = EDGE, 0
  if figure.title then head = head + LINE * lines_of(figure.title) + 8 end
  if #figure.shared > 0 then
    shared_rows = layout.legend_size(figure.shared, width - 2 * EDGE)
    head = head + LINE * shared_rows
  end
  return head == EDGE and 0 or head, shared_rows
end

--- Lay out built panels in `columns` columns: fills panel.place (fractions of the figure: left, right,
-- bottom, top, and where the legend goes) and returns width, height, and the place of the figure's shared
-- legend.
function layout.arrange(panels, columns, figure)
  local rows = math.ceil(#panels / columns)
  local width = figure.width or math.max(640, 330 * columns)
  local m = measure(panels, columns, width / columns - 70)
  local head, shared_rows = head_of(figure, width)
  local box_width = (width - sum(m.left) - sum(m.right)) / columns
  local used = head + sum(m.top) + sum(m.bottom) + EDGE * (rows - 1)
  local heights = box_heights(panels, columns, rows, box_width, figure.height, used)
  local height = math.floor(used + sum(heights) + 0.5)
  if box_width < 40 or heights[1] < 30 then
    error(("plot: no room for %d panels in %g x %g; make width and height larger"):format(#panels, width,
      height), 0)
  end
  local page, y = {width = width, height = height, box_width = box_width}, head
  for r = 1, rows do
    local x = 0
    y = y + m.top[r] + (r > 1 and EDGE or 0)
    for c = 1, columns do
      local i = (r - 1) * columns + c
      x = x + m.left[c]
      if panels[i] then place(panels[i], page, x, y, heights[r], m.around[i]) end
      x = x + box_width + m.right[c]
    end
    y = y + heights[r] + m.bottom[r]
  end
  local shared = {x = 0.5, y = 1 - (head - 4) / height, rows = shared_rows}
  return math.floor(width + 0.5), height, shared
end

return layout
