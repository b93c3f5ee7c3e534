-- The documentation that help() shows is complete and true: every function has an entry and every entry a
-- function; options and their defaults are those of the code; every example runs.

local tide = require "tide"
local help = require "tide.help"
local names = require "tide.names"
local options = require "tide.options"

local tests = {}
local nn, plot = tide.nn, tide.plot

local entries = {}
for _, entry in ipairs(help.entries()) do entries[entry.name] = entry end

-- ---- every function has an entry, every entry a function ----

for _, name in ipairs(tide.data.names()) do assert(tide.data[name]) end -- these load when they are first used
assert(#help.reachable() > 200) -- loads every module
local modules = {tensor = tide.core.methods}
for _, name in ipairs(help.modules()) do modules[name] = name == "tide" and tide or tide[name] end

local function methods_of(object) return getmetatable(object).__index end
local model = nn.linear(2, 2)
-- Methods of any distribution; a categorical has all of them.
local function distribution_methods()
  local found = {}
  for name in pairs(entries) do
    local method = name:match("^distribution:(.*)$")
    if method then found[method] = tide.distributions.categorical{probs = tide.ones{2}}[method] end
  end
  return found
end
local confusion = tide.metrics.confusion_matrix(tide.tensor{1, -1}, tide.tensor{1, 1})
local writer = require("check").in_folder(function(folder)
  local made = tide.csv.writer(folder .. "/a.csv", {"a"})
  made:discard()
  return made
end)
local sweep = require("check").in_folder(function(folder)
  local before = print
  rawset(_G, "print", function() end)
  local made = tide.sweep.run({title = "", script = "", out = folder, cells = function() return {} end}, {})
  rawset(_G, "print", before)
  return made
end)
local kinds = {optimiser = getmetatable(tide.optim.sgd(model, {lr = 1})).methods,
  odeblock = methods_of(nn.odeblock(model)),
  odenet = methods_of(nn.odenet{dim = 2}), cnf = methods_of(nn.cnf{dim = 2}),
  resnet = methods_of(nn.resnet{dim = 2}), conv_resnet = methods_of(nn.conv_resnet{image = {1, 8, 8}}),
  figure = methods_of(plot.figure()), animation = methods_of(plot.animation{plot.line{y = {1}}}),
  writer = methods_of(writer), sweep = methods_of(sweep), table = methods_of(tide.csv.parse("a\n1")),
  meter = methods_of(tide.progress.new{quiet = true}),
    adaption = methods_of(tide.step_adaption.new{value = 4}),
  confusion = methods_of(confusion), distribution = distribution_methods(),
  report = require("tide.validity").methods}
-- What objects use among themselves.
local private = {optimiser = {_try = true}, figure = {one_panel = true, add_at = true},
  meter = {observe = true, describe = true, draw = true, plain = true}}

tests["every function that users reach has an entry"] = function()
  local missing = help.undocumented()
  assert(#missing == 0, "no entry in scripts/tide/prompt/docs for: " .. table.concat(missing, " "))
  for _, name in ipairs{"tide.train", "experiment.parse", "ode.tableau.order", "tensor:sum", "csv.read",
    "tree.map"} do
    assert(table.concat(help.reachable(), " "):find(name, 1, true), name .. " is not found to be reachable")
  end
end

tests["a function without an entry is noticed, wherever it stands"] = function()
  local places = {[tide] = "tide.zz", [tide.csv] = "csv.zz", [tide.ode.tableau] = "ode.tableau.zz",
    [tide.core.methods] = "tensor:zz"}
  for place, name in pairs(places) do
    place.zz = function() end
    local missing = table.concat(help.undocumented(), " ")
    place.zz = nil
    assert(missing == name, missing)
  end
end

tests["every method of objects has an entry"] = function()
  for kind, methods in pairs(kinds) do
    for name, f in pairs(methods) do
      local known = entries[kind .. ":" .. name] or private[kind] and private[kind][name] or name:find("^__")
      assert(type(f) ~= "function" or known, ("no entry for %s:%s"):format(kind, name))
    end
  end
end

tests["every entry is about a function that exists"] = function()
  for name in pairs(entries) do
    local first, rest = name:match("^([%a_]+)[.:](.+)$")
    local value = name:find(":", 1, true) and kinds[first] or modules[first]
    if first then
      for part in rest:gmatch("[%w_]+") do value = value and value[part] end
      assert(type(value) == "function", "help is about " .. name .. ", which is no function")
    end
  end
end

tests["help finds the entry by the function itself"] = function()
  assert(help.find(tide.odeint).name:find("odeint$"))
  assert(help.find(nn.odenet).name == "nn.odenet")
  assert(help.find(tide.core.methods.sum).name == "tide.sum")
  assert(help.find(tide.csv.read).name == "csv.read")
  assert(help.find("opt:step").name == "optimiser:step")
  assert(help.answer(nn.odenet{dim = 2}):find("odenet:trajectory", 1, true))
  assert(help.answer(tide.optim.sgd(model, {lr = 1})):find("optimiser:load_state", 1, true))
  assert(help.answer(tide.csv):find("csv.writer", 1, true))
  assert(help.answer("tide.odeint"):find('method = "dopri5"', 1, true))
end

tests["TAB knows what is documented, loaded or not"] = function()
  local complete = require "tide.complete"
  local env = {tide = tide, data = tide.data, text = "nn", model = nn.odenet{dim = 2},
    opt = tide.optim.sgd(model, {lr = 1})}
  local function shown(line) return select(2, complete.tab(line, env, 80)) or "" end
  assert(complete.tab("data.mni", env, 80) == "st(")
  assert(shown("tide.tra"):find("train(", 1, true))
  assert(shown("tide.odeint("):gsub("%s+", " "):find("rtol = 0.001", 1, true)) -- wherever the line breaks
  assert(shown("data.spheres("):find("outer = 2000", 1, true))
  assert(shown("opt:step("):find("grads", 1, true) and shown("model:trajectory("):find("times", 1, true))
  assert(shown("opt."):find("lr") and not shown("opt."):find("slots") and not shown("opt:"):find("lr"))
  assert(not shown("text."):find("linear", 1, true))
  local before = rawget(tide, "experiment")
  rawset(tide, "experiment", nil)
  assert(shown("tide.experiment."):find("print_table(", 1, true) and rawget(tide, "experiment") == nil)
  rawset(tide, "experiment", before)
  assert(shown("nothing.here(") == "" and shown("data:spheres:(") == "")
  assert(help.answer(tide.ones({})):find("logsumexp", 1, true))
end

-- ---- options ----

-- The specification that a call checks its option table against, caught on the way.
local function spec_of(call)
  local caught
  local check = options.check
  options.check = function(_, _, spec)
    caught = spec
    error("caught", 0)
  end
  pcall(call)
  options.check = check
  return caught
end

local x, figure, inner = tide.ones({2, 2}), plot.line{y = {1}}, plot.line{y = {1}}
local unit, density = function(_, u) return u end, nn.cnf{dim = 2}
local calls = {
  ["tide.conv1d"] = function() tide.conv1d(x, x, nil, {}) end, ["tide.conv2d"] = function()
    tide.conv2d(x, x, nil, {})
  end,
  ["tide.gradcheck"] = function() tide.gradcheck(unit, x, {}) end, ["tide.odeint"] = function()
    tide.odeint(unit, x, {0, 1}, {})
  end,
  ["linalg.solve_triangular"] = function() tide.linalg.solve_triangular(x, x, {}) end,
  ["linalg.svd"] = function() tide.linalg.svd(x, {}) end,
  ["tide.jacobian"] = function() tide.jacobian(unit, x, {}) end,
  ["tide.hessian"] = function() tide.hessian(unit, x, {}) end,
  ["tide.gauss_newton"] = function() tide.gauss_newton(unit, x, x, {}) end,
  ["ode.audit"] = function() tide.ode.audit{} end,
  ["ode.divergence"] = function() tide.ode.divergence(unit, {}) end,
  ["distribution:sample"] = function() tide.distributions.normal(0, 1):sample({}, {}) end,
  ["distributions.multivariate_normal"] = function() tide.distributions.multivariate_normal(x, {}) end,
  ["cnf:log_prob"] = function() density:log_prob(x, {}) end,
  ["cnf:sample"] = function() density:sample(1, {}) end,
  ["cnf:forward"] = function() density:forward(x, {}) end,
  ["cnf:inverse"] = function() density:inverse(x, {}) end,
  ["cnf:trajectory"] = function() density:trajectory(1, {0, 1}, {}) end,
  ["tide.arange"] = function() tide.arange(1, 2, 1, {}) end,
  ["ode.cfield"] = function() tide.ode.cfield("", "", {}) end, ["tide.linspace"] = function()
    tide.linspace(1, 2, 2, {})
  end,
  ["tide.eye"] = function() tide.eye(1, {}) end,
  ["tide.randperm"] = function() tide.randperm(1, {}) end,
  ["tide.pad"] = function() tide.pad(x, {}, {}) end,
  ["tide.bernoulli"] = function() tide.bernoulli(0.5, {1}, {}) end,
  ["tide.train"] = function() tide.train{} end,
  ["tide.full"] = function() tide.full({}, 1, {}) end, ["tide.predict"] = function()
    tide.predict(model, x, {})
  end, ["tide.evaluate"] = function()
    tide.evaluate(model, {}, {})
  end,
  ["tide.one_hot"] = function() tide.one_hot(x, 1, {}) end, ["nn.linear"] = function()
    nn.linear(1, 1, {})
  end,
  ["nn.conv1d"] = function() nn.conv1d(1, 1, 1, {}) end, ["nn.conv2d"] = function()
    nn.conv2d(1, 1, 1, {})
  end,
  ["ode.tableau.check"] = function() tide.ode.tableau.check("", {}) end, ["plot.figure"] = false,
  ["plot.panels"] = false,
  ["figure:inset"] = function() figure:inset(inner, {}) end,
  ["figure:show"] = function() figure:show({}) end,
  ["tide.load"] = false, ["tide.read_idx"] = false, ["tide.read_bytes"] = false, -- checked in C
  ["csv.read"] = function() tide.csv.read("", nil, {}) end, ["csv.parse"] = function()
    tide.csv.parse("a", "", {})
  end,
  ["csv.writer"] = function() tide.csv.writer("", {}, {}) end, ["csv.write"] = function()
    tide.csv.write("", {"a"}, {}, {})
  end,
  ["data.split"] = function() tide.data.split(x, {1}, {}) end,
  ["confusion:figure"] = function() confusion:figure{} end,
  ["data.batches"] = function() tide.data.batches(x, {}) end,
  ["step_adaption.initial_step"] = function() tide.step_adaption.initial_step(model, x, {}) end,
  ["plot.runs"] = function() plot.runs({}, {}) end, ["plot.median_band"] = function()
    plot.median_band({}, {})
  end,
}
for name in pairs(nn.init) do
  calls["nn.init." .. name] = function() nn.init[name](x, {}) end
end
for name in ("max_pool avg_pool conv_transpose"):gmatch("[%a_]+") do
  for dims = 1, 2 do
    local full, w = name .. dims .. "d", name == "conv_transpose" and x or 1
    calls["tide." .. full] = function() tide[full](x, w, name == "conv_transpose" and nil or {}, {}) end
    calls["nn." .. full] = function() nn[full](1, name == "conv_transpose" and 1 or {}, 1, {}) end
  end
end
for name in ("layer_norm batch_norm batch_norm1d batch_norm2d residual concat data_controlled second_order "
  .. "spectral_norm"):gmatch("[%w_]+") do
  calls["nn." .. name] = function() nn[name](1, {}) end
end
for name in ("group_norm embedding rnn gru lstm rnn_cell gru_cell lstm_cell"):gmatch("[%w_]+") do
  calls["nn." .. name] = function() nn[name](1, 1, {}) end
end
for name in pairs(tide.optim.schedule) do
  calls["optim.schedule." .. name] = function() tide.optim.schedule[name]{} end
end
for _, name in ipairs(tide.optim._names) do calls["optim." .. name] = function() tide.optim[name](model,
  {}) end end

local function same(a, b) -- numbers, strings, lists of them
  if type(a) == "table" and type(b) == "table" then
    for i = 1, math.max(#a, #b) do if not same(a[i], b[i]) then return false end end
    return true
  end
  return a == b
end

-- 'one of "direct", "adjoint"', or "" when an option is no choice among words.
local function values_of(rule)
  if rule[1] ~= "string" or not rule.check then return "" end
  local _, expected = rule.check("")
  return expected or ""
end

-- Rows of an entry against a specification, both ways.
local function compare(name, rows, spec)
  local seen = {}
  for _, row in ipairs(rows) do
    local rule = spec[row[1]]
    assert(rule, ("%s: the option %s is documented, but the code does not take it"):format(name, row[1]))
    assert(same(row[2], rule.default), ("%s: default of %s is %s, documented %s"):format(name, row[1],
      tostring(rule.default), tostring(row[2])))
    assert(not rule.required == not row.required, ("%s: is %s required?"):format(name, row[1]))
    for word in values_of(rule):gmatch('"([%w ]+)"') do
      assert(row[3]:find('"' .. word .. '"', 1, true), ("%s: the value %q of %s is not documented"):format(
        name, word, row[1]))
    end
    seen[row[1]] = true
  end
  for key in pairs(spec) do assert(seen[key], ("%s: the option %s is not documented"):format(name, key)) end
end

tests["options and defaults are those of the code"] = function()
  for name, entry in pairs(entries) do
    if entry.options and calls[name] ~= false then
      local module, last = name:match("^([%a_]+)[.:]([%w_]+)$")
      local kind = module == "plot" and require("tide.plot.series").kinds[last]
      local call = calls[name] or function() modules[module][last]({}, {}) end
      local spec = kind and kind.spec or spec_of(call)
      assert(spec, name .. ": no option table was checked; add a call to this test")
      compare(name, entry.options, spec)
    end
  end
  compare("plot.figure", entries["plot.figure"].options, require("tide.plot.panel").axes_spec)
end

tests["options of panels and of load"] = function()
  compare("plot.panels", entries["plot.panels"].options, spec_of(function() plot.panels{figure} end))
  local ok, message = pcall(tide.load, "a.npz", {zzz = 1})
  assert(not ok)
  for _, row in ipairs(entries["tide.load"].options) do
    assert(message:find('"' .. row[1] .. '"', 1, true), row[1])
  end
end

-- ---- examples ----

local function prelude(folder)
  local env = setmetatable({help = help.answer, tide = tide, folder = folder, print = function() end},
    {__index = _G})
  env.x, env.y = tide.randn({4, 2}, {seed = 1}), tide.randn({4, 2}, {seed = 2})
  env.model = nn.linear(2, 2, {seed = 3})
  env.loss = function(m, a, b) return tide.mse(m(a), b) end
  env.data = {x = env.x, y = env.y}
  return env
end

tests["every example runs"] = function()
  local temporary <close> = require("tide.files").temporary_folder()
  local folder = temporary.path
  local seed, block = tide.core.rng_state()
  local failures, shown = {}, print
  -- luacheck: ignore quiet
  local quiet <close> = setmetatable({}, {__close = function() rawset(_G, "print", shown) end})
  rawset(_G, "print", function() end)
  for _, entry in ipairs(help.entries()) do
    if entry.example then
      local env = prelude(folder)
      local name = "=example of " .. entry.name
      local chunk, message = load("return " .. entry.example, name, "t", env)
      if not chunk then chunk, message = load(entry.example, name, "t", env) end
      local ok = chunk ~= nil
      if ok and entry.run ~= false then ok, message = pcall(chunk) end
      if not ok then failures[#failures + 1] = ("%s: %s"):format(entry.name, message) end
    end
  end
  tide.core.rng_state(seed, block)
  assert(#failures == 0, "\n" .. table.concat(failures, "\n"))
end

tests["names in guides and in the words of the search exist"] = function()
  for _, row in ipairs(require "tide.prompt.docs.words") do
    for _, name in ipairs(row.see) do
      assert(entries[name], "scripts/tide/prompt/docs/words.lua: no entry " .. name)
    end
  end
  local function check_names(text, where)
    for name in text:gmatch("%f[%w_]tide%.[%w_.]*[%w_]") do
      local value = tide
      for part in name:gmatch("%.([%w_]+)") do value = type(value) == "table" and value[part] or nil end
      local known = value ~= nil or package.searchpath(name, package.path)
        or names[name:match("^tide%.(.*)$")]
        or name == "tide.Tensor" -- as messages of Lua call tensors
      assert(known, ("%s speaks of %s, which is not there"):format(where, name))
    end
  end
  for name, entry in pairs(entries) do check_names(entry.text, "the entry " .. name) end
  for _, row in ipairs(require "tide.prompt.docs.words") do check_names(row.text or "", "docs/words.lua") end
end

tests["the code in guides runs"] = function()
  local layout = require "tide.help_text"
  local quiet = {train = function(opts)
    opts.quiet = true
    return tide.train(opts)
  end, plot = {line = function(opts)
    local line = plot.line(opts)
    return {show = function() return line end}
  end}}
  setmetatable(quiet, {__index = tide})
  local count = 0
  for name, entry in pairs(entries) do
    local code = entry.guide and name ~= "methods" and layout.code(entry) or ""
    if code ~= "" then
      count = count + 1
      local env = prelude("")
      env.tide, env.opt = quiet, tide.optim.adam(env.model)
      local chunk, message = load((code:gsub("\ntide%.grad", "\n_ = tide.grad")), "=guide " .. name, "t", env)
      assert(chunk, message)
      chunk()
    end
  end
  assert(count >= 2)
end

tests["every function has an example, and every entry ends its sentences"] = function()
  for name, entry in pairs(entries) do
    assert(entry.example or name == "repl" or name == "ode.odeint", name .. " has no example")
    assert(entry.text:find("[.)?]%s*$"), name .. ": the text ends without a full stop")
  end
end

return tests
