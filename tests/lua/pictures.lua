--- Helpers of the tests about figures: what a script says and what a picture shows.

local check = require "check"
local files = require "tide.files"
local tide = require "tide"

local pictures = {}

local has_gnuplot = files.run{"gnuplot", "--version"}

--- fn(folder) in a fresh folder; skipped where gnuplot is missing.
function pictures.with_gnuplot(fn)
  return function()
    if not has_gnuplot then return "skip: no gnuplot" end
    return check.in_folder(fn)
  end
end

function pictures.equal(a, b) if a ~= b then error(("%s ~= %s"):format(tostring(a), tostring(b)), 2) end end
function pictures.has(text, words)
  if not text:find(words, 1, true) then error(("%q lacks %q"):format(text, words), 2) end
end
function pictures.lacks(text, words)
  if text:find(words, 1, true) then error(("%q has %q"):format(text, words), 2) end
end

--- A picture as rows of colours "#rrggbb".
function pictures.pixels(fig, folder)
  local values = tide.load(fig:save(files.join(folder, "p.png"))) -- channel, row, column
  local shape = values:shape()
  local table_of = values:totable()
  return function(row, column)
    return ("#%02X%02X%02X"):format(table_of[1][row][column], table_of[2][row][column],
      table_of[3][row][column])
  end, shape[2], shape[3]
end

return pictures
