-- experiments/examples at small size: what they print holds, and the picture is there.

local check = require "check"
local files = require "tide.files"

local tests = {}

local folder_of = "experiments/examples/"
local here = files.exists(folder_of .. "spiral.lua")

-- Runs an example and gives test(text); number(pattern, ...) in it are the captures as numbers.
local function example(name, test)
  local function run(folder)
    if name == "resnet" then check.make_mnist(folder .. "/mnist", 1000, 200) end
    local ok, text = files.run{"env", "TIDE_DATA=" .. folder, "TIDE_QUIET=1", "./tide",
      folder_of .. name .. ".lua", "--small", "--out", folder}
    assert(ok, text)
    assert(files.exists(("%s/%s.png"):format(folder, name)), text)
    assert(not text:find("plot: ", 1, true), text) -- a note of what is missing from the picture
    test(function(pattern)
      local found = table.pack(text:match(pattern))
      assert(found[1], pattern .. " is not in\n" .. text)
      for i = 1, found.n do found[i] = assert(tonumber(found[i]), text) end
      return table.unpack(found)
    end, text)
  end
  tests[name] = function()
    if not here then return "skip: not in a checkout" end
    check.in_folder(run)
  end
end

-- A number as Lua prints it, and one in a table or a sentence.
local N = "(%-?[%d.]+e?[+-]?%d*)"

example("spiral", function(number)
  local first, last = number("loss " .. N .. " %-> " .. N)
  assert(last < 0.5 * first)
  local before, after = number("whole span: " .. N .. " %-> " .. N)
  assert(after < 0.5 * before)
end)

example("lotka_volterra", function(number, text)
  local _, last = number("sum of squares: " .. N .. " %-> " .. N)
  assert(last < 45, text) -- its mean is 28, half of 62 values less 6 parameters
  local _, held = text:gsub("yes", "")
  assert(held >= 5, text)
end)

example("ffjord", function(number)
  local first, last, test = number("training " .. N .. " %-> " .. N .. ", test points " .. N)
  assert(last < first - 0.3 and test < first - 0.3)
  check.near(number("over the picture: " .. N), 1, 0.02)
end)

example("realnvp", function(number)
  local got, best = number("test points: " .. N .. "; of the true density " .. N)
  assert(got < 4.2 and got > best - 0.05) -- nothing is better than the truth
end)

example("latent_ode", function(number)
  local first, last = number("evidence bound " .. N .. " %-> " .. N)
  assert(last < 0.8 * first)
end)

example("resnet", function(number)
  local accuracy = number("not in the training: " .. N)
  assert(accuracy > 0.4, accuracy)
end)

example("rnode", function(number)
  local nll, _, path = number("plain +" .. N .. " +" .. N .. " +" .. N)
  local own_nll, _, own_path = number("regularised +" .. N .. " +" .. N .. " +" .. N)
  assert(own_path < path and math.abs(own_nll - nll) < 0.1)
end)

example("stiff", function(number, text)
  assert(text:find("dopri5: max_nfe", 1, true) and text:find("the problem looks stiff", 1, true), text)
  for _, method in ipairs{"trbdf2", "kvaerno5", "radau5", "rodas4", "bdf", "auto"} do
    local _, _, _, error = number("\n +" .. method .. " +" .. N .. " +" .. N .. " +" .. N .. " +" .. N)
    assert(error < 2e-3, text)
  end
end)

example("bouncing_ball", function(number)
  assert(number("error of their times " .. N) < 1e-6)
  local got, want = number("dt/dh = " .. N .. ", by the formula " .. N)
  check.near(got, want, 1e-9)
  local iterations, g, g_true, e, e_true = number("after " .. N .. " iterations: gravity " .. N .. " %(" .. N
    .. "%), elasticity " .. N .. " %(" .. N .. "%)")
  assert(iterations < 40)
  check.near(g, g_true, 0.1)
  check.near(e, e_true, 0.002)
end)

example("diffusivity", function(number)
  local implicit, explicit = number("bdf takes " .. N .. " evaluations of f, dopri5 " .. N)
  assert(3 * implicit < explicit)
  local squares, _, last = number("half the sum of " .. N .. " squares " .. N .. " %-> " .. N)
  assert(last < 0.6 * squares) -- half of them is its mean
  assert(number("off by " .. N .. " %% in the mean") < 10 and number("errors at " .. N) > 80)
end)

example("figure9", function(number)
  local node, anode = number("  NODE .- (%d%.%d%d%d) "), number("  ANODE .- (%d%.%d%d%d) ")
  assert(anode > 0.9 and anode > node + 0.1)
end)

return tests
