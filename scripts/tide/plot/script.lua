--- A figure as text: the data file and the gnuplot script.

local layout = require "tide.plot.layout"
local panel = require "tide.plot.panel"
local style = require "tide.plot.style"

local script = {}

local FONT = "DejaVu Sans"
local POINTS = 0.75 -- of a point in a pixel: cairo's fonts are in points, svg's in pixels
script.font = FONT

-- From whatever folder gnuplot is started, data and picture lie beside the script, whose path it calls ARG0.
local beside = [[
HERE = exists('ARG0') ? ARG0 : ''
while (strlen(HERE) && HERE[strlen(HERE):] ne '/') { HERE = HERE[1:strlen(HERE)-1] }
if (HERE[1:1] ne '/') HERE = './'.HERE]] -- a name that begins with "<" or "|" would be a command to gnuplot

-- Number the blocks (a block that several elements draw is written once) and return the data file.
local function data_text(name, drawn, note)
  local lines, index = {style.comment("data of " .. name .. ", drawn by " .. name .. ".gp")}, 0
  for line in (note or ""):gmatch("[^\n]+") do lines[#lines + 1] = style.comment(line) end
  for _, built in ipairs(drawn) do
    for _, element in ipairs(built.elements) do element.block.index = nil end
    for _, element in ipairs(built.elements) do
      local block = element.block
      if not block.index then
        block.index, index = index, index + 1
        if block.index > 0 then lines[#lines + 1] = "\n" end -- two blank lines start a new block
        lines[#lines + 1] = style.comment(("block %d: %s, %s"):format(block.index, built.where, block.title))
        lines[#lines + 1] = "# " .. table.concat(block.names, " ")
        for s, columns in ipairs(block.segments) do
          if s > 1 then lines[#lines + 1] = "" end -- one blank line lifts the pen
          for row = 1, #columns[1] do
            local fields = {}
            for c = 1, #block.names do
              local v = columns[c][row]
              fields[c] = type(v) == "string" and v or style.number(v)
            end
            lines[#lines + 1] = table.concat(fields, " ")
          end
        end
      end
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

-- The terminal for a file name's extension. Sizes are logical pixels; png draws them `scale` times larger,
-- for sharp text.
local terminals = {
  png = function(w, h, f)
    local form = 'pngcairo enhanced size %d,%d font "%s,%g" fontscale %g linewidth %g pointscale %g '
      .. 'background rgb "white"'
    local width, height = math.floor(w * f.scale + 0.5), math.floor(h * f.scale + 0.5)
    return form:format(width, height, FONT, POINTS * f.fontsize, f.scale, f.scale, f.scale)
  end,
  svg = function(w, h, f)
    return ('svg enhanced size %d,%d font "%s,%g" background rgb "white"'):format(w, h, FONT, f.fontsize)
  end,
  pdf = function(w, h, f) -- cairo's points are 1/72 inch, our pixels 1/96
    local form = 'pdfcairo enhanced size %.4fin,%.4fin font "%s,%g" fontscale 0.75 linewidth 1 pointscale '
      .. '0.75'
    return form:format(w / 96, h / 96, FONT, POINTS * f.fontsize)
  end,
  gif = function(w, h, f) -- of animations only; delays are hundredths of a second
    local form = 'gif enhanced size %d,%d font "%s,%g" fontscale %g linewidth %g background rgb "white" '
      .. 'animate delay %d loop %d'
    return form:format(math.floor(w * f.scale + 0.5), math.floor(h * f.scale + 0.5), FONT,
      POINTS * f.fontsize, f.scale, f.scale, math.max(1, math.floor(100 * f.seconds + 0.5)),
      f.loop and 0 or 1)
  end,
}
script.extensions = {"png", "svg", "pdf"}

function script.can_write(extension) return extension ~= "gif" and terminals[extension] ~= nil end

-- Terminals for fig:show: sixels, and windows that stay when gnuplot has ended.
local function shown(form)
  return function(w, h, f)
    return form:format(math.floor(w * f.scale + 0.5), math.floor(h * f.scale + 0.5), FONT, POINTS * f.fontsize
      * f.scale)
  end
end
local displays = {
  png = terminals.png,
  sixel = shown 'sixelgd enhanced truecolor size %d,%d font "%s,%.3g" background rgb "white"',
  qt = shown 'qt 0 enhanced size %d,%d font "%s,%.3g" persist title "tide"',
  wxt = shown 'wxt 0 enhanced size %d,%d font "%s,%.3g" persist title "tide"',
  x11 = shown 'x11 0 enhanced size %d,%d font "%s,%.3g" persist title "tide"',
}

--- For script.render: the line that sets terminal `kind`, with so many pixels per logical one.
function script.terminal(kind, scale)
  return function(w, h, f) return displays[kind](w, h, {scale = scale, fontsize = f.fontsize}) end
end

-- Undo whatever the panel before may have set.
local fresh = {
  "unset title; unset xlabel; unset ylabel; unset cblabel; unset logscale; unset label; unset arrow; unset "
  .. "object",
  "set format; set format x '%h'; set xtics auto nomirror; set ytics auto nomirror; set cbtics auto",
  "set xrange [*:*]; set yrange [*:*]; set cbrange [*:*]",
  "set grid; set colorbox; set key on noopaque",
}

-- gnuplot fits a horizontal legend into the plot's width, which a legend over several panels must not obey; a
-- vertical one of few rows is the same to the eye.
local function place_lines(built, entries)
  local place, lines = built.place, {}
  local left, right, bottom, top = place.left, place.right, place.bottom, place.top
  if built.view then -- gnuplot fits the base into the margins; corners, labels and heights lie outside
    local w, h = right - left, top - bottom
    left, right, bottom, top = left + 0.14 * w, right - 0.14 * w, bottom + 0.16 * h, top - 0.12 * h
  end
  lines[1] = ("set lmargin at screen %.5f; set rmargin at screen %.5f"):format(left, right)
  lines[2] = ("set bmargin at screen %.5f; set tmargin at screen %.5f"):format(bottom, top)
  local where = built.axes.legend
  if #entries == 0 or where == "none" then
    lines[3] = "unset key"
  elseif where == "above" then
    lines[3] = ("set key at screen %.5f, screen %.5f center bottom vertical maxrows %d"):format(
      place.legend_x, place.legend_y, place.rows)
  else
    lines[3] = "set key inside " .. where .. " vertical opaque"
  end
  return lines
end

-- Titles are placed by the layout, above a legend of any height.
local function title_line(built, height)
  local rise = built.axes.legend == "above" and built.place.legend_height / height or 0
  if built.view then rise = rise + 0.12 * (built.place.top - built.place.bottom) end
  return ("set title offset 0, screen %.5f"):format(rise)
end

-- What is missing from the picture, below it.
local function note_lines(built)
  local place, lines = built.place, {}
  for i, note in ipairs(place.notes) do
    lines[i] = ("set label %s at screen %.5f, screen %.5f left textcolor rgb 0xA02020"):format(
      style.text_of(note, {}), place.note_x,
      place.note_y - (i - 1) * place.note_step)
  end
  return lines
end

local function panel_lines(lines, built, figure, height, first)
  local entries = built.shown
  local function add(list) for _, line in ipairs(list) do lines[#lines + 1] = line end end
  add(panel.settings(built, not height))
  if not height then -- a text terminal: gnuplot's own layout; notes follow below the text
    add{"unset grid; set key tmargin center horizontal"}
  else
    add(place_lines(built, entries))
    if built.axes.title then add{title_line(built, height)} end
    add(note_lines(built))
    if first and #figure.shared > 0 then
      entries = figure.shared
      local at = figure.shared_place
      add{("set key on at screen %.5f, screen %.5f center bottom vertical maxrows %d"):format(at.x, at.y,
        at.rows)}
    end
  end
  add(built.raw)
  add{panel.plot_command(built, entries, not height)}
  if built.view then add{"unset zlabel; set border 3 lc rgb 0x404040 lw 1"} end -- as style.gp has it
end

-- The panels inside of one, smaller and without legends.
local function build_insets(p, built)
  built.insets = {}
  for i, inset in ipairs(p.insets or {}) do
    local inner = panel.build(inset.panel.axes, inset.panel.series)
    inner.raw, inner.shown, inner.at, inner.where = inset.panel.raw, {}, inset.at, built.where .. ", inset"
    built.insets[i] = inner
  end
end

-- Every panel built, and which entries its own legend shows.
local function build_panels(figure, where)
  local panels, shared, seen = {}, {}, {}
  for i, p in ipairs(figure.panels) do
    local built = panel.build(p.axes, p.series)
    built.raw, built.shown = p.raw, p.axes.legend ~= "none" and built.entries or {}
    built.where = ("%spanel %d"):format(where or "", i)
    build_insets(p, built)
    if figure.options.legend == "shared" then
      for _, entry in ipairs(built.shown) do
        if not seen[entry.name] then
          seen[entry.name] = true
          shared[#shared + 1] = entry
        end
      end
      built.shown = {}
    end
    panels[i] = built
  end
  return panels, shared
end

-- The panels with their insets, in the order in which they are drawn.
local function drawn_of(panels)
  local list = {}
  for _, built in ipairs(panels) do
    list[#list + 1] = built
    table.move(built.insets, 1, #built.insets, #list + 1, list)
  end
  return list
end

-- The notes of all panels as one list; of several panels each says which it is.
local function all_notes(panels)
  local notes = {}
  for i, built in ipairs(panels) do
    local where = #panels > 1 and ("panel %d%s: "):format(i, built.axes.title
      and (' "%s"'):format(built.axes.title) or "") or ""
    for _, note in ipairs(built.notes) do notes[#notes + 1] = style.one_line(where .. note) end
    for _, inner in ipairs(built.insets) do
      for _, note in ipairs(inner.notes) do notes[#notes + 1] = style.one_line(where .. "inset: " .. note) end
    end
  end
  return notes
end

-- Pixels of fonts as the terminal counts them.
local function font_unit(extension) return extension == "svg" and 1 or POINTS end

local function multiplot_line(view, extension)
  local title, f = view.title, view.options
  if not view.pixels then
    return ("set multiplot layout %d,%d"):format(math.ceil(#view.panels / view.columns), view.columns)
  end
  local fontsize = (f.fontsize + 1) * font_unit(extension)
  return "set multiplot"
    .. (title and (" title %s font ',%g'"):format(style.text_of(title, f), fontsize) or "")
end

-- A figure built and laid out, `height` pixels high if that is given.
local function view_of(figure, extension, where, height)
  local panels, shared = build_panels(figure, where)
  local f = figure.options
  local view = {panels = panels, drawn = drawn_of(panels), shared = shared, options = f,
    title = #panels > 1 and f.title or nil, width = f.width, height = height or f.height,
    columns = figure.columns}
  if extension ~= "txt" then
    local wide, high
    wide, high, view.shared_place = layout.arrange(panels, figure.columns, view)
    view.pixels = {wide, high}
    for _, built in ipairs(panels) do
      for _, inner in ipairs(built.insets) do layout.inset(inner, built.place, wide, high) end
    end
  end
  return view
end

local function inset_lines(lines, inner, view, extension)
  lines[#lines + 1] = "\n# " .. inner.where
  for _, line in ipairs(fresh) do lines[#lines + 1] = line end
  inner.font_unit = font_unit(extension)
  lines[#lines + 1] = ("set tics font ',%g'"):format(0.8 * view.options.fontsize * inner.font_unit)
  lines[#lines + 1] = ("set object rectangle from screen %.5f, screen %.5f to screen %.5f, screen %.5f "
    .. "behind fillcolor rgb white fillstyle solid noborder"):format(table.unpack(inner.place.ground))
  panel_lines(lines, inner, view, view.pixels[2], false)
  lines[#lines + 1] = "set tics font ''"
end

-- Append what draws a view; `after` something else was drawn before. Were there several plots?
local function draw(lines, view, extension, after)
  local panels = view.panels
  local several = #panels > 1 or view.pixels ~= nil and #view.drawn > 1
  if several then lines[#lines + 1] = multiplot_line(view, extension) end
  for i, built in ipairs(panels) do
    lines[#lines + 1] = several and ("\n# panel %d"):format(i) or ""
    if i > 1 or after then for _, line in ipairs(fresh) do lines[#lines + 1] = line end end
    if i > 1 and panels[i - 1].turned or after and i == 1 and panels[#panels].turned then
      lines[#lines + 1] = "set xtics norotate center"
    end
    built.font_unit = font_unit(extension)
    panel_lines(lines, built, view, view.pixels and view.pixels[2], i == 1)
    for _, inner in ipairs(view.pixels and built.insets or {}) do
      inset_lines(lines, inner, view, extension)
    end
  end
  if several then lines[#lines + 1] = "\nunset multiplot" end
  return several
end

-- The beginning of a script.
local function head(name, extension, f, terminal)
  local out = name .. "." .. extension
  local lines = {style.comment(("%s -- remake with: gnuplot -d %s.gp"):format(out, name))}
  for line in (f.note or ""):gmatch("[^\n]+") do lines[#lines + 1] = style.comment(line) end
  lines[#lines + 1] = "\n" .. style.text():gsub("%s+$", "") .. "\n"
  lines[#lines + 1] = "set terminal " .. terminal
  lines[#lines + 1] = beside
  lines[#lines + 1] = "DATA = HERE." .. style.quote(name .. ".dat")
  if extension ~= "window" then
    lines[#lines + 1] = "if (!exists('OUT')) OUT = HERE." .. style.quote(out)
    lines[#lines + 1] = "set output OUT"
  end
  return lines
end

--- Script, data and notes of a figure that will be NAME.EXTENSION. Extension "txt" is a terminal of
-- characters, "window" one that writes no file; `terminal` makes the line for another terminal than the
-- extension's.
function script.render(figure, name, extension, terminal)
  local view, f = view_of(figure, extension), figure.options
  local data = data_text(name, view.drawn, f.note) -- numbers the blocks
  local width, height = table.unpack(view.pixels or {})
  local lines = head(name, extension, f, (terminal or terminals[extension])(width, height, f))
  local several = draw(lines, view, extension)
  lines[#lines + 1] = several and "unset output" or "\nunset output"
  local notes = all_notes(view.panels)
  if extension == "txt" and #view.drawn > #view.panels then notes[#notes + 1] = "insets are left out" end
  return table.concat(lines, "\n") .. "\n", data, notes
end

--- The same of an animation, a list of figures `frames` with options of their own: NAME.gif. All frames are
-- as high as the highest.
function script.render_animation(animation, name)
  local f, views, drawn, notes, most = animation.options, {}, {}, {}, 0
  for i, frame in ipairs(animation.frames) do
    views[i] = view_of(frame, "gif", ("frame %d, "):format(i))
    most = math.max(most, views[i].pixels[2])
  end
  for i, frame in ipairs(animation.frames) do
    if views[i].pixels[2] ~= most then views[i] = view_of(frame, "gif", ("frame %d, "):format(i), most) end
    table.move(views[i].drawn, 1, #views[i].drawn, #drawn + 1, drawn)
    for _, note in ipairs(all_notes(views[i].panels)) do
      notes[#notes + 1] = ("frame %d: %s"):format(i, note)
    end
  end
  local data = data_text(name, drawn, f.note)
  local lines = head(name, "gif", f, terminals.gif(views[1].pixels[1], most, f))
  for i, view in ipairs(views) do
    lines[#lines + 1] = ("\n# frame %d"):format(i)
    draw(lines, view, "gif", i > 1)
  end
  lines[#lines + 1] = "unset output"
  return table.concat(lines, "\n") .. "\n", data, notes
end

return script
