-- help: the search, values, names without a value, pages, where it exists.

local tide = require "tide"
local check = require "check"
local complete = require "tide.complete"
local help = require "tide.help"
local repl = require "tide.repl"
local search = require "tide.help_search"

local tests = {}

local function has(text, ...)
  for _, words in ipairs{...} do
    if not text:find(words, 1, true) then error(("%s\n  lacks: %s"):format(text, words), 2) end
  end
  return text
end

local function lacks(text, words)
  if text:find(words, 1, true) then error(("%s\n  should not hold: %s"):format(text, words), 2) end
end

tests["words that people ask for find something useful"] = function()
  local rows = {
    {"stiff", "ode.methods"}, {"learning rate", "optim.adam", "lr = 0.001: learning rate", "training"},
    {"events", "tide.odeint"},
    {"hessian", "tide.hessian(fn, p, opts)"}, {"save model", "tide.save", "nn.load"},
    {"jacobian", "tide.jacobian(fn, p, opts)"}, {"curvature", "tide.hvp(fn, p, v)"},
    {"dropout", "nn.dropout(p)", "nn.batch_norm1d"},
    {"gpu", "computes on the processor", "tide.threads"}, {"batch", "tide.train", "tide.evaluate"},
    {"checkpoint", "saving", "tide.train", "optimiser:state"}, {"seed", "tide.seed(n)", "reproducibility"},
    {"plot", "plot.line", "figures"}, {"adjoint", "gradients", "tide.odeint"}, {"nan", "errors", "finite"},
    {"resume training", "tide.train"}, {"tolerance", "rtol = 0.001", "solvers"},
    {"how do I load weights", "nn.load"},
    {"step size underflow", "errors", "tide.odeint"}, {"progress bar", "progress.new"},
    {"matrix product", "tensor:matmul"},
    {"momentum", "optim.sgd"}, {"command line options of a script", "experiment.parse"},
    {"vector field", "plot.field"},
    {"interpolation", "tide.odeint"}, {"number of parameters", "nn.count"}, {"detach", "tide.stop_gradient"},
    {"integrate", "tide.odeint"}, {"aspect ratio", 'ratio = "equal"'}, {"fft", "no fast transform"},
    {"lyapunov", "tide.jvp"}, {"shooting", "levenberg_marquardt"}, {"butcher tableau", "ode.tableau.check"},
    {"poincare section", "ode.event"}, {"vmap", "per_sample"}, {"custom gradient", "tide.stop_gradient"},
    {"interp1d", "tide.interp"}, {"neural cde", "tide.interp"},
    {"print digits", "tide.set_print"}, {"mini batches", "tide.train"}, {"part of an axis", "tensor:slice"},
  }
  for _, row in ipairs(rows) do
    local text = help.answer(row[1])
    has(text, table.unpack(row, 2))
    lacks(text, "no help for")
  end
end

tests["words in any order, singular or plural, and with slips"] = function()
  assert(help.answer("rate learning") == help.answer("learning rate"))
  assert(help.answer("tolerance") == help.answer("tolerances"))
  assert(help.answer("Saving models") == help.answer("save model"))
  has(help.answer("jacobain"), 'no help for "jacobain" (did you mean "jacobian"?)', "tide.vjp")
  has(help.answer("odeitn"), 'did you mean "odeint"', "rtol = 0.001")
  has(help.answer("qwfpgj zxcvb"), 'no help for "qwfpgj"', "help() lists what there is")
  has(help.answer(""), "help() lists")
  has(help.answer("the of"), "help() lists")
  for a, b in pairs{training = "train", stiffness = "stiff", saving = "save", plots = "plotting",
    batches = "batch", axes = "axes"} do
    assert(search.stem(a) == search.stem(b), a)
  end
  for _, word in ipairs{"lr", "bias", "status", "loss", "axis"} do
    assert(search.stem(word):sub(1, 3) == word:sub(1, 3))
  end
end

tests["a message that was pasted finds its remedy"] = function()
  local function fails(fn, ...)
    local good, message = pcall(fn, ...)
    assert(not good)
    return tostring(message)
  end
  local y0 = tide.tensor({1}, {dtype = "float64"})
  local function square(_, y) return y * y end
  for _, message in ipairs{
    fails(tide.odeint, square, y0, {0, 2}), fails(tide.odeint, function(_, y) return (-y):log() end, y0,
      {0, 1}),
    fails(tide.odeint, square, y0, {0, 2}, {method = "euler", steps = 4000}),
    fails(tide.odeint, function(_, y) return 1000 * y:sin() end, y0, {0, 1e6}, {max_steps = 10}),
    fails(tide.odeint, function(t, y) return math.sin(t) * y end, y0, {0, 1}),
    fails(tide.odeint, function(t, y) return t > 1 and y or -y end, y0, {0, 1}),
    fails(tide.grad(function(x) return x:item() end), y0), fails(tide.mse, tide.ones{3, 1}, tide.ones{3}),
    fails(tide.odeint, square, y0, {0, 1}, {rtoll = 1}),
  } do assert(help.answer(message):find("%f[%a]errors%f[\n,]"), message) end
end

tests["an exact name shows its entry, a topic its page"] = function()
  has(help.answer("tide.train"), "tide.train(opts) -> history", "options:")
  lacks(help.answer("tide.train"), "see also")
  has(help.answer("Solving"), "Start with the default", "ode.initial_step(f")
  assert(help.answer("training") == help.answer("Training"))
  has(help.answer("recording"), "x:select(1, i)", "tide.where", "once per solve")
  has(help.answer("nn"), "nn.linear(n_in", "nn.odenet")
  has(help.answer("tide.experiment"), "experiment.parse(")
  has(help.answer("string.rep"), "lua.org/manual/5.4")
end

tests["what people call things is understood, and nothing that Tide has is called missing"] = function()
  local phrases = 0
  for _, row in ipairs(require "tide.docs.words") do
    for _, phrase in ipairs(row) do
      phrases = phrases + 1
      lacks(help.answer(phrase), "no help for")
    end
    assert(not row.absent or row.text and type(row.absent()) == "boolean")
  end
  assert(phrases > 150)
  local ode = tide.ode
  local before = rawget(ode, "event")
  ode.event = function() end
  local text = help.answer("events")
  ode.event = before
  lacks(text, "Events are not in this version")
end

tests["values: what they are, their shapes, parameters and methods"] = function()
  local model = tide.nn.odenet{dim = 2, seed = 1}
  local text = help.answer(model)
  has(text, "1253 values in 8 tensors", "block.field.layers[1].weight  float32 {32, 3}", "odenet:trajectory",
    'help "nn.odenet"')
  has(help.answer(model.block), "nn.odeblock", "odeblock:trajectory")
  has(help.answer(tide.zeros({2, 0})), "tensor float32 {2, 0}: 0 elements", "tensor:reshape", "logsumexp")
  has(help.answer(tide.optim.adam(model)), "optimiser:step", "optimiser:load_state")
  has(help.answer(tide.plot.line{y = {1, 2}}), "figure:save")
  local file = tide.csv.parse("a,b\n1,2")
  has(help.answer(file), "csv table: 1 rows, columns a, b", "table:column(name, unit)")
  has(help.answer(tide.progress.new{total = 3, quiet = true}), "meter: 0 of 3", "meter:update(")
  has(help.answer(tide.step_adaption.new{value = 4}), "adaption:solver()")
  has(help.answer({nfe = 14, steps = 2}), "{nfe = 14, steps = 2}")
  has(help.answer(12), "the integer 12")
  has(help.answer(0 / 0), "nan")
  has(help.answer(0.1), "0.1")
  has(help.answer(true), "true")
  has(help.answer(nil), "the value is nil")
  has(help.answer({}), "empty table")
  has(help.answer({1, 2, a = 3}), "{1, 2, a = 3}")
  local long = {a = 3}
  for i = 1, 400 do long[i] = {i, text = ("word "):rep(20)} end
  has(help.answer(long), "keys: [1] to [400], a")
  has(help.answer({w = tide.ones{2}}), "1 tensor, 2 values", "w  float32 {2}")
  has(help.answer(print), "print is a function of Lua")
  has(help.answer(function(a, b, ...) return a, b, ... end), "function(a, b, ...), defined at",
    "test_help.lua")
  has(help.answer(coroutine.create(print)), "suspended")
  has(help.answer(io.stdout), "file (")
  local closed = tide.ones{2}
  closed:close()
  has(help.answer(closed), "closed")
  has(help.answer(setmetatable({1}, {__name = "thing", __index = error})), "a thing")
  has(help.answer(setmetatable({}, {__tostring = error})), "empty table")
  has(help.answer(tide), "modules in tide: ", "experiment", "jobs")
  assert(help.answer(tide.nn) == help.answer("nn") or help.answer("nn"):find(help.answer(tide.nn), 1, true))
  tide.grad(function(x)
    has(help.answer(x), "symbolic")
    return x:sum()
  end)(tide.ones{2})
end

tests["?name explains the value; of a name without one it says so"] = function()
  local env = {model = tide.nn.linear(2, 3), text = "odeint", tide = tide, count = 3, list = {{a = 1}}}
  local function about(asked) return repl.about(asked, env, 80) end
  has(about("model"), "9 values")
  has(about("nil"), "the value is nil")
  has(about("model.weight"), "tensor float32 {3, 2}")
  has(about("list[1]"), "{a = 1}")
  has(about("text"), 'a string of 6 bytes: "odeint"')
  has(about("count"), "the integer 3")
  has(about("tide.odeint"), "rtol = 0.001")
  has(about("model:nothing"), "model:nothing is nil")
  has(about("model.wieght"), 'model.wieght is nil (did you mean "weight"?)')
  has(about("cuont"), 'cuont is nil (did you mean "count"?)')
  has(about("odeint"), "tide.odeint(f, y0, t, opts)")
  lacks(about("odeint"), "is nil")
  has(about("tide.csv"), "csv.read")
  has(about("learning rate"), "optim.adam")
  has(about("string.rep"), "Lua 5.4")
end

tests["TAB inside help completes names"] = function()
  has(table.concat(select(2, complete.find('help "odei', {})), " "), "odeint")
  has(table.concat(select(2, complete.find("help('nn.conv_", {})), " "), "nn.conv_odenet")
end

-- What a program printed, and whether it ended well.
local function output_of(command)
  local pipe = io.popen(command .. " 2>&1")
  local text = pipe:read("a")
  return text, pipe:close()
end

local program = arg and arg[-1] or "tide"

tests["help and tide are there under -e, in scripts as tide.help, and go to no script"] = function()
  local own = tide.core.exists("tide") == "file" and "./tide" or program
  if not tide.core.exists(own) then return end
  has(output_of(own .. [[ -e 'help "odeint"' ]]), "tide.odeint(f, y0, t, opts)")
  has(output_of(own .. [[ -e 'help(nil)' ]]), "the value is nil")
  has(output_of(own .. [[ -e 'help()' ]]), "Making tensors", "experiment.parse")
  has(output_of(own .. [[ -e 'print(tide.ones({2})) help(tide.seed)' ]]),
    "tensor float32 {2}", "tide.seed(n)")
  check.in_folder(function(folder, write)
    write("a.lua", "print(help, tide) local t = require 'tide' t.help('seed') t.help(t.csv)")
    local text = has(output_of(("%s -e 'x = 1' %s/a.lua"):format(own, folder)), "nil\tnil", "tide.seed(n)",
      "csv.read")
    lacks(text, "error")
  end)
end

return tests
