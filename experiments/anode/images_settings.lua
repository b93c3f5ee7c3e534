--- The image runs of *Augmented Neural ODEs* (section 5.2, appendix F): what a run is made of, its name, and
-- what makes two runs the same.

local M = {}

-- [F.2.2] filters and augmented channels of equal counts of values. Those counts are of fields without time,
-- though the text and the published configurations append it to each convolution; so are ours, unless asked
-- otherwise.
M.stated = {
  mnist = {node = {92, 0}, anode = {64, 5}},
  cifar10 = {node = {125, 0}, anode = {64, 10}},
  svhn = {node = {125, 0}, anode = {64, 10}},
  tiny_imagenet = {node = {164, 0}, anode = {64, 5}},
}

--- Default of each setting. `pictures`, `test-pictures` 0: all. [F] batch, tol; [code] lr, max-steps,
-- gradient.
M.defaults = {
  data = "mnist", filters = 64, augment = 5, batch = 256, lr = 1e-3, ["weight-decay"] = 0.0, tol = 1e-3,
  gradient = "adjoint", ["max-steps"] = 1000, time = false, pictures = 0, ["test-pictures"] = 0,
    ["test-every"] = 47,
  seed = 1,
}

-- In the order of a run's name.
local short = {
  {"filters", "k"}, {"augment", "p"}, {"pictures", "n"}, {"weight-decay", "wd"}, {"batch", "batch"}, {"lr",
    "lr"},
  {"tol", "tol"}, {"max-steps", "steps"}, {"test-pictures", "tests"},
}

local function text(v) return type(v) == "number" and ("%.10g"):format(v) or tostring(v) end

--- All settings: the defaults with those of o on top.
function M.settings(o)
  local s = {}
  for key, value in pairs(M.defaults) do
    if o[key] == nil then s[key] = value else s[key] = o[key] end
  end
  return s
end

--- A folder's name for the run, such as mnist-k64-p5-s1: data, filters, augmented channels, what is no
-- default, seed.
function M.name(s)
  local words = {s.data}
  for _, entry in ipairs(short) do
    local key = entry[1]
    if key == "filters" or key == "augment" or s[key] ~= M.defaults[key] then
      words[#words + 1] = entry[2] .. text(s[key])
    end
  end
  if s.gradient ~= M.defaults.gradient then words[#words + 1] = s.gradient end
  if s.time then words[#words + 1] = "time" end
  words[#words + 1] = "s" .. s.seed
  return table.concat(words, "-")
end

--- Everything that the numbers of a run depend on, but for its length, in one line.
function M.config(s)
  local words = {}
  for key in pairs(M.defaults) do words[#words + 1] = key .. "=" .. text(s[key]) end
  table.sort(words)
  return table.concat(words, " ")
end

--- The command words that give these settings: those that are no default.
function M.words(s)
  local words = {}
  for key, value in pairs(M.defaults) do
    if s[key] ~= value then
      words[#words + 1] = "--" .. key
      if value ~= false then words[#words + 1] = text(s[key]) end
    end
  end
  return words
end

return M
