--- Eigenvalues of h J along the paths of trained models, on the region of their method: what models of
-- *ResNet After All?* that were trained with few Euler steps look like there.

local here = arg[0]:match("^(.*)/") or "."
local dfl = dofile(here .. "/common.lua")
local tide = require "tide"
local models = dofile(here .. "/../resnet_after_all/models.lua")
local theory = tide.theory

local function trained(o, steps)
  local s = models.settings{data = "spheres2", method = "euler", setting = steps, seed = o.seed,
    iterations = o.iterations}
  local model, train, test = models.model(s), models.data(s)
  models.train(s, model, train, {quiet = true})
  return model, test, tide.evaluate(model, test).accuracy
end

-- Rows of one model; a summary of them.
local function look(o, steps, rows)
  local model, test, accuracy = trained(o, steps)
  local times, h = {}, 1 / steps
  for k = 0, steps - 1 do times[k + 1] = k * h end
  local states = model:trajectory(test.x:slice(1, 1, o.points), {0, table.unpack(times, 2)})
  if steps == 1 then states = states:slice(1, 1, 1) end
  local list = theory.spectrum{f = model.block.field, t = times, y = states, h = h}:totable()
  local every = math.max(1, steps // 8)
  local count, outside, left, largest = 0, 0, 0, 0
  for k, samples in ipairs(list) do
    for p, values in ipairs(samples) do
      for _, z in ipairs(values) do
        local modulus = math.sqrt((1 + z[1]) ^ 2 + z[2] ^ 2)
        count, largest = count + 1, math.max(largest, math.sqrt(z[1] ^ 2 + z[2] ^ 2))
        if z[1] < 0 then
          left = left + 1
          if modulus > 1 then outside = outside + 1 end
        end
        if (k - 1) % every == 0 then rows[#rows + 1] = {steps = steps, step = k, point = p, re = z[1],
          im = z[2]} end
      end
    end
  end
  return {steps, ("%.1f %%"):format(100 * accuracy), ("%.3g"):format(largest),
    ("%.1f %%"):format(100 * left / count),
    ("%.1f %%"):format(left > 0 and 100 * outside / left or 0)}
end

local function evidence(o, report)
  local rows, cells = {}, {}
  for word in o.settings:gmatch("%d+") do
    cells[#cells + 1] = look(o, math.tointeger(tonumber(word)), rows)
  end
  report:say("Spheres in the plane, Euler, seed %d, %d test points; h lambda of the field's Jacobian at each "
    .. "step:",
    o.seed, o.points)
  report:table({"steps", "accuracy", "largest |h lambda|", "Re < 0", "of these not stable"}, cells)
  report:csv("spectra", {"steps", "step", "point", "re", "im"}, rows)
end

dfl.run({name = "spectra", title = "Eigenvalues of h J of trained fields, on the region of Euler's method",
  options = {{"settings", "2,8,64", "numbers of Euler steps"}, {"seed", 1, "of weights and batches"},
    {"iterations", 10000, "of the training"}, {"points", 100, "test points"}},
  claim = [[A model trained with few Euler steps learns a field that its steps do not resolve: h lambda leaves
    the disk |1 + z| <= 1, so that what the flow damps the steps throw across. With many steps the spectrum
    lies near 0, where every consistent method agrees with the flow.]],
  slip = [[Not an exercise. What is not stable with 64 steps lies close to the imaginary axis, which the disk
    of Euler's method touches in 0 only.]],
  evidence = evidence}, arg)
