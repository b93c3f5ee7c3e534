-- Figures as rows (tide.plot.figures), scripts that draw from a folder (tide.plot.main), and the tables of
-- plots/: every row names a drawing function, each figure comes from the committed results.
local check = require "check"
local tide = require "tide"
local files = require "tide.files"
local plot = tide.plot

local tests = {}

local function line(source, factor)
  local data = tide.csv.read(source:path("made/a.csv"))
  return plot.line{y = data:column("v", factor)}
end

local function rows(folder)
  return {
    {1, line, 2, title = "a line"}, {"two", line, 1, title = "the same"},
    {3, function(source) return {source:path("none.csv")} end},
    results = folder, out = folder .. "/out", made_by = {{"^made/", "tide make.lua --a"}},
  }
end

local function put(folder)
  assert(files.make_folder(folder .. "/made"))
  tide.csv.write(folder .. "/made/a.csv", {"v"}, {{1}, {4}})
end

-- What fn prints, and what it returns.
local function printed(fn, ...)
  local before, lines = print, {}
  local back <close> = setmetatable({}, {__close = function() -- luacheck: ignore back
    rawset(_G, "print", before)
  end})
  rawset(_G, "print", function(text) lines[#lines + 1] = tostring(text) end)
  return fn(...), table.concat(lines, "\n")
end

tests["rows are drawn by number, file name or name; --out and --results"] = function()
  check.in_folder(function(folder)
    put(folder)
    local paths, text = printed(plot.figures, rows(folder), "1", "two")
    assert(#paths == 2 and text == table.concat(paths, "\n"))
    assert(paths[1] == folder .. "/out/figure1.png" and files.exists(paths[1]))
    assert(paths[2] == folder .. "/out/two.png" and files.exists(paths[2]))
    local more = printed(plot.figures, rows("nowhere"), "--out=" .. folder .. "/b", "figure1", "--results",
      folder)
    assert(more[1] == folder .. "/b/figure1.png" and files.exists(more[1]))
  end)
end

tests["what is missing names the command that makes it; unknown numbers list what there is"] = function()
  check.in_folder(function(folder)
    check.fails(folder .. "/made/a.csv is not there; this makes it: tide make.lua --a", plot.figures,
      rows(folder), "1")
    check.fails("there is no figure 4; valid are: 1, two, 3", plot.figures, rows(folder), "4")
    check.fails('unknown figure "tow" (did you mean "two"?)', plot.figures, rows(folder), "tow")
    check.fails('unknown option "--uot" (did you mean "--out"?)', plot.figures, rows(folder), "1", "--uot")
    check.fails("--out needs a folder", plot.figures, rows(folder), "1", "--out")
    check.fails("1             a line", plot.figures, rows(folder))
    check.fails("row 1 must be {number or name, drawing function", plot.figures,
      {{1, "line"}, results = "a", out = "b"}, "1")
    check.fails("results must be a folder's name, got nil", plot.figures, {{1, line}}, "1")
  end)
end

tests["all: what is missing is said and left out, what fails is an error at the end"] = function()
  check.in_folder(function(folder)
    put(folder)
    local paths, text = printed(plot.figures, rows(folder), "all")
    assert(#paths == 2 and text:find("3 is not drawn: " .. folder .. "/none.csv is not there", 1, true), text)
    local bad = rows(folder)
    bad[1][2] = function() error("drawn to death") end
    local stderr = io.stderr
    rawset(io, "stderr", {write = function() end})
    local ok, message = pcall(printed, plot.figures, bad, "all")
    rawset(io, "stderr", stderr)
    assert(not ok and message == "plot.figures: failed: 1", message)
    assert(files.exists(folder .. "/out/two.png"))
  end)
end

tests["plot.main: loaded by another script it gives the drawing function"] = function()
  local function draw() error("called") end
  assert(plot.main(draw, "DIR") == draw and plot.main(draw, "DIR", "a") == draw)
end

tests["figures of the papers come from the committed results"] = function()
  if not files.exists("plots/resnet_after_all/figures.lua") then return "skip: not in a checkout" end
  check.in_folder(function(folder)
    local group = assert(loadfile("plots/resnet_after_all/figures.lua"))
    local names = {"4", "6", "7", "20", "crossings", "table1"}
    local words = table.move(names, 1, #names, 1, {})
    words[#words + 1] = "--out=" .. folder
    local paths = printed(group, table.unpack(words))
    assert(#paths == #names)
    for _, path in ipairs(paths) do assert(files.exists(path), path) end
    local text = files.read
    assert(text(folder .. "/table1.csv") == text("experiments/resnet_after_all/results/table1.csv"))
  end)
end

return tests
