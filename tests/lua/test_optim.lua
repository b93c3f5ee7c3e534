-- optim: trajectories of PyTorch, states that resume bit for bit, misuse.
local check = require "check"
local tide = require "tide"
local optim = tide.optim

-- Made with PyTorch 2.15.0 (CPU) in float64: from a = (1, -2, 0.5), b = (0.3, -0.7), the parameters (a, b)
-- after steps 1, 2 and 6 on sum(a^4) / 40 + a . (0.7, -1.1, 0.4) + sin(b) . (1.5, -0.6) + a[1] |b|^2.
local golden = {
  {"sgd", {lr = 0.1}, {
    {0.862, -1.81, 0.45875, 0.09669952663115906, -0.5141094687629306},
    {0.7582290262877607, -1.64070259, 0.41778455345703125, -0.06927070818989196, -0.37323313665915164},
    {0.40916632600676556, -1.0817364405811885, 0.25587847482225157, -0.5241893615875296,
      -0.020404616620352603},
  }},
  {"sgd", {lr = 0.1, momentum = 0.9}, {
    {0.862, -1.81, 0.45875, 0.09669952663115906, -0.5141094687629306},
    {0.6340290262877607, -1.46970259, 0.38065955345703123, -0.2522411342218488, -0.20593165854578926},
    {-1.5242771951331413, 0.7193559251577611, -0.22546861846223223, -2.2326811305433196, 1.42297330683533},
  }},
  {"sgd", {lr = 0.1, weight_decay = 0.05}, {
    {0.857, -1.8, 0.45625, 0.09519952663115905, -0.5106094687629307},
    {0.7494422741238841, -1.62268, 0.4130190014648437, -0.07091446182783584, -0.3681911494657494},
    {0.389532993730105, -1.0420199368399699, 0.24423540175350122, -0.5232771582049169, -0.015471946754562215},
  }},
  {"sgd", {lr = 0.1, momentum = 0.8, weight_decay = 0.05}, {
    {0.857, -1.8, 0.45625, 0.09519952663115905, -0.5106094687629307},
    {0.635042274123884, -1.46268, 0.37801900146484374, -0.2347548405229086, -0.21667872447609393},
    {-1.0509487162724909, 0.39885588827873836, -0.14682806156552933, -1.7866869826975675, 1.0455902166182458},
  }},
  {"adam", {}, {
    {0.9990000000072464, -1.9990000000052632, 0.49900000002424244, 0.29900000000491883, -0.6990000000053794},
    {0.9980000437971004, -1.9980000165198628, 0.4980000047827723, 0.2980000278005488, -0.6980000426038394},
    {0.9940012347797351, -1.9940004656337689, 0.49400013297361084, 0.294000784040633, -0.6940012026452687},
  }},
  {"adam", {lr = 0.05, betas = {0.8, 0.95}, eps = 1e-6, weight_decay = 0.1}, {
    {0.950000033783761, -1.9500000238095125, 0.4500001081078744, 0.2500000242364813, -0.6500000259214248},
    {0.9002120100727613, -1.9000715758282474, 0.4000414222447718, 0.20013537424736413, -0.6002161196059259},
    {0.7054451641836716, -1.701919242435723, 0.20103110313625144, 0.003669146924319272, -0.40611952359229325},
  }},
  {"adamw", {}, {
    {0.9989900000072465, -1.9989800000052633, 0.49899500002424246, 0.29899700000491886, -0.6989930000053795},
    {0.9979800541772562, -1.9979600270510043, 0.49799001485641875, 0.29799403796861385, -0.6979860530342019},
    {0.993941394147178, -1.9938806279530252, 0.49397028437775836, 0.293982938352426, -0.693959363842133},
  }},
  {"adamw", {lr = 0.05, betas = {0.7, 0.9}, weight_decay = 0.2}, {
    {0.9400000003623188, -1.9300000002631579, 0.4450000012121212, 0.24700000024594138, -0.6430000002689754},
    {0.8809418837442713, -1.8608470225549352, 0.3905783149351755, 0.19472994326896345, -0.5869242481449013},
    {0.6570021471370241, -1.5939728501087738, 0.17864619671631654, -0.005224872329354688,
      -0.37581754339747575},
  }},
  {"rmsprop", {}, {
    {0.9000000072463763, -1.9000000052631576, 0.40000002424241843, 0.20000000491882752, -0.6000000053795098},
    {0.8350495506792258, -1.8313285028177533, 0.3296392809536482, 0.1329099917931269, -0.5351622622570225},
    {0.6688937908447359, -1.648538092936722, 0.13661951542087225, -0.041571462444088485, -0.3736618363522696},
  }},
  {"rmsprop", {lr = 0.03, alpha = 0.9, eps = 1e-5, weight_decay = 0.1}, {
    {0.9051336971786657, -1.9051330987448654, 0.4051381562379612, 0.20513312436224457, -0.6051332254557481},
    {0.8414147540774441, -1.8382250041874373, 0.33742671550681846, 0.1397725383051927, -0.5416174347606408},
    {0.6682372514397176, -1.6497909656193106, 0.14387511330030286, -0.03996915918667393,
      -0.37332011881646715},
  }},
  {"sgd", {lr = 0.1, momentum = 0.9, nesterov = true, weight_decay = 0.05}, {
    {0.7283, -1.62, 0.416875, -0.08912089940079783, -0.3401579906495683},
    {0.4417178461210228, -1.152830968, 0.30010070354077145, -0.5133670066188137, 0.0180879492227604},
    {-3.054218161345987, 1.2293309388561393, -0.422214698962601, -3.3456586177698893, 2.1620324487104914},
  }},
  {"adam", {lr = 0.05, betas = {0.8, 0.5}, amsgrad = true}, {
    {0.9500000003623188, -1.950000000263158, 0.4500000012121212, 0.2500000002459414, -0.6500000002689754},
    {0.8995747552146576, -1.899830835491171, 0.399954507528831, 0.19971977065272684, -0.5995773163594492},
    {0.7024098408156808, -1.6981102501721126, 0.1992637209290356, -0.0004787845218380757,
      -0.4037999001709308},
  }},
  {"adamw", {lr = 0.05, betas = {0.8, 0.5}, amsgrad = true, weight_decay = 0.1}, {
    {0.9450000003623188, -1.9400000002631579, 0.4475000012121212, 0.24850000024594138, -0.6465000002689755},
    {0.8898251095814216, -1.8800985180944387, 0.3952149852311206, 0.196964784307058, -0.59281214656978},
    {0.6769365288905523, -1.642582636560272, 0.1881657077435499, -0.005508743100457077, -0.3875295892034568},
  }},
  {"rmsprop", {lr = 0.01, alpha = 0.9, centered = true}, {
    {0.9666666674718196, -1.9666666672514619, 0.4666666693602691, 0.2666666672132031, -0.66666666726439},
    {0.9418550335794704, -1.9414304731994234, 0.44124477344370794, 0.24160713600710712, -0.6418454254500466},
    {0.8629834724421338, -1.859438783481848, 0.35776426020008634, 0.16095677603189354, -0.5631030586452759},
  }},
  {"rmsprop", {lr = 0.01, alpha = 0.9, centered = true, momentum = 0.8, weight_decay = 0.1}, {
    {0.9666666674174174, -1.966666667195767, 0.4666666690690689, 0.2666666672052554, -0.6666666672426985},
    {0.9151701798761052, -1.9147589996154184, 0.4146589605663948, 0.21495472149004677, -0.6151761895436967},
    {0.6396825973916399, -1.6259699530511567, 0.12194323957131921, -0.06681598382294403,
      -0.34221882472566656},
  }},
  {"rmsprop", {momentum = 0.5}, {
    {0.9000000072463763, -1.9000000052631576, 0.40000002424241843, 0.2000000049188275, -0.6000000053795098},
    {0.785049554302414, -1.781328505449332, 0.2796392930748574, 0.08290999425254061, -0.4851622649467774},
    {0.43307523776123474, -1.3935451252209499, -0.13580922350222444, -0.2835371052161879,
      -0.15436990545816406},
  }},
  {"adagrad", {}, {
    {0.9900000000007246, -1.9900000000005262, 0.4900000000024242, 0.29000000000049186, -0.690000000000538},
    {0.982987996649048, -1.982951255462742, 0.48293524115592296, 0.2829665123720575, -0.6829866043144718},
    {0.9640061895893213, -1.9637548116041883, 0.4636430237422632, 0.26385978514064606, -0.6639994048333566},
  }},
  {"adagrad", {lr = 0.2, lr_decay = 0.1, weight_decay = 0.1, eps = 1e-6}, {
    {0.8000001351350439, -1.80000009523805, 0.30000043243149743, 0.1000000969459254, -0.5000001036856994},
    {0.6921026442082305, -1.6793321792171794, 0.17578430697377218, -0.01408647135081452, -0.3943834684818338},
    {0.4581672315765418, -1.4173037165336346, -0.10039631822768622, -0.2537089941451073, -0.187787387711876},
  }},
  {"adadelta", {}, {
    {0.9968377306423553, -1.9968377267197084, 0.4968378152584956, 0.29683772616536885, -0.6968377269154997},
    {0.9936014187568408, -1.993596372293342, 0.49359436309233107, 0.2935984613288133, -0.6936011988900764},
    {0.9803220457032008, -1.9802184141391883, 0.48017329476690784, 0.2802615680071833, -0.6803182589989346},
  }},
  {"adadelta", {lr = 0.5, rho = 0.8, eps = 1e-4, weight_decay = 0.1}, {
    {0.9888209359555159, -1.988820293864727, 0.48883270411856117, 0.2888203167963002, -0.6888204112672681},
    {0.977132604473223, -1.9770721575342265, 0.4770841110894305, 0.2771002326411762, -0.6771314688581546},
    {0.9283520168281341, -1.9271037804732194, 0.42687659883802787, 0.22770419084111665, -0.6283780412660503},
  }},
}

local F64 = {dtype = "float64"}

local function new_model(dtype)
  local o = {dtype = dtype or "float64"}
  return {a = tide.tensor({1, -2, 0.5}, o), b = tide.tensor({{0.3, -0.7}}, o)}
end

local function loss(m)
  local c, d = tide.tensor({0.7, -1.1, 0.4}, F64):to(m.a:dtype()),
    tide.tensor({{1.5, -0.6}}, F64):to(m.a:dtype())
  return (m.a ^ 4):sum() / 40 + (m.a * c):sum() + (m.b:sin() * d):sum() + (
    m.b:square() * m.a:slice(1, 1, 1)):sum()
end

local function values(m) return table.move(m.b:reshape{-1}:totable(), 1, 2, 4, m.a:totable()) end

local gradient = tide.compile(tide.grad(loss))
local function steps(opt, model, n) for _ = 1, n do opt:step(gradient(model)) end end

local tests = {}

for i, case in ipairs(golden) do
  local kind, opts, rows = table.unpack(case)
  tests[("trajectory of PyTorch: %s %d"):format(kind, i)] = function()
    local model = new_model()
    local opt = optim[kind](model, opts)
    for j, n in ipairs{1, 1, 4} do
      steps(opt, model, n)
      for k, v in ipairs(values(model)) do
        local want = rows[j][k]
        assert(math.abs(v - want) <= 1e-12 * math.max(1, math.abs(v)),
          ("row %d, entry %d: %.17g, expected %.17g"):format(j, k, v, want))
      end
    end
    -- float32 follows closely
    model = new_model("float32")
    opt = optim[kind](model, opts)
    steps(opt, model, 6)
    for k, v in ipairs(values(model)) do
      assert(math.abs(v - rows[3][k]) < 1e-5 * math.max(1, math.abs(v)), v)
    end
  end

  tests[("a state resumes bit for bit: %s %d"):format(kind, i)] = function()
    for _, dtype in ipairs{"float32", "float64"} do
      local whole = new_model(dtype)
      steps(optim[kind](whole, opts), whole, 9)
      for _, through_file in ipairs{".npz", ".safetensors", false} do
        local model = new_model(dtype)
        local opt = optim[kind](model, opts)
        steps(opt, model, 4)
        local saved = {model = model, state = opt:state()}
        if through_file then
          saved = check.in_folder(function(folder)
            tide.save(folder .. "/saved" .. through_file, saved)
            return tide.load(folder .. "/saved" .. through_file)
          end)
        else
          saved.model = tide.tree.map(model, function(x) return x:clone() end)
          steps(opt, model, 1) -- what was taken before must not change with it
        end
        opt = optim[kind](saved.model, opts)
        opt:load_state(saved.state)
        assert(opt.steps == 4 and math.type(opt.steps) == "integer")
        steps(opt, saved.model, 5)
        for k, v in ipairs(values(saved.model)) do assert(v == values(whole)[k]) end
      end
    end
  end
end

tests["only float tensors, in place"] = function()
  local model = setmetatable({w = tide.ones{2}, labels = tide.ones({2}, {dtype = "int64"}), n = 3,
    deep = {{tide.zeros({1}, F64)}}}, {})
  local same = model.w
  local opt = optim.sgd(model, {lr = 0.5})
  opt:step(tide.grad(function(m) return m.w:sum() + m.deep[1][1]:sum() end)(model))
  assert(rawequal(model.w, same) and model.w[1] == 0.5 and model.deep[1][1][1] == -0.5
    and model.labels[1] == 1)
  local x = tide.ones{3}
  optim.adam(x, {lr = 0.25}):step(tide.ones{3})
  assert(math.abs(x[2] - 0.75) < 1e-5)
  -- gradients that are broadcast inside, and unused parameters
  opt = optim.adam(model)
  opt:step(tide.grad(function(m) return m.w:mean() end)(model))
  assert(model.deep[1][1][1] == -0.5)
end

tests["learning rate 0 and the rate of a running optimiser"] = function()
  local model = new_model()
  local before = values(model)
  steps(optim.sgd(model, {lr = 0, momentum = 0.9}), model, 3)
  for k, v in ipairs(values(model)) do assert(v == before[k]) end
  local opt = optim.sgd(model, {lr = 0.1})
  opt.options.lr = 0
  steps(opt, model, 1)
  for k, v in ipairs(values(model)) do assert(v == before[k]) end
end

tests["options are fields"] = function()
  local p = tide.zeros{1}
  local opt = optim.sgd(p, {lr = 1})
  assert(opt.lr == 1 and opt.momentum == 0 and opt.weight_decay == 0 and opt.kind == "sgd")
  opt.lr = 10
  opt:step(tide.ones{1})
  check.near(p:item(), -10)
  opt.options.lr = 1
  assert(opt.lr == 1)
  local adam = optim.adam(p, {betas = {0.5, 0.75}})
  assert(#adam.betas == 2 and adam.betas[2] == 0.75 and select(2, table.unpack(adam.betas)) == 0.75)
  local seen = {}
  for name, v in pairs(adam) do seen[#seen + 1] = name .. " " .. tostring(v) end
  table.sort(seen)
  assert(table.concat(seen, ", ") == "amsgrad false, betas {0.5, 0.75}, eps 1e-08, lr 0.001, weight_decay 0",
    table.concat(seen, ", "))
  assert(tostring(adam) == "optim.adam: amsgrad = false, betas = {0.5, 0.75}, eps = 1e-08, lr = 0.001, "
    .. "weight_decay = 0 (0 "
    .. "steps, 1 tensors)")
  -- every option of every kind can be set and counts from the next step on, as one that was made so
  local changes = {sgd = {lr = 0.2, momentum = 0.5, weight_decay = 0.1},
    adam = {lr = 0.2, betas = {0.5, 0.6}, eps = 1e-3, weight_decay = 0.1},
    adamw = {lr = 0.2, betas = {0.5, 0.6}, eps = 1e-3, weight_decay = 0.1},
    rmsprop = {lr = 0.2, alpha = 0.5, eps = 1e-3, weight_decay = 0.1}}
  for kind, fields in pairs(changes) do
    for name, v in pairs(fields) do
      local set, made = new_model(), new_model()
      local one, other = optim[kind](set, {lr = 0.1}),
        optim[kind](made, {lr = name == "lr" and v or 0.1, [name] = v})
      one[name] = v
      steps(one, set, 3)
      steps(other, made, 3)
      for k, x in ipairs(values(set)) do assert(x == values(made)[k], kind .. " " .. name) end
    end
  end
end

tests["Nesterov's momentum needs one"] = function()
  check.fails("optim.sgd: nesterov needs a momentum, such as 0.9", optim.sgd, tide.ones{3},
    {lr = 0.1, nesterov = true})
end

tests["misuse: fields"] = function()
  local opt = optim.adam(new_model())
  local function set(name, v) return function() opt[name] = v end end
  check.fails('optim.adam: unknown field "learning_rate" (did you mean "lr"?)', set("learning_rate", 3))
  check.fails('unknown field "epsilon" (did you mean "eps"?)', set("epsilon", 3))
  check.fails('unknown field "wd" (did you mean "weight_decay"?)', set("wd", 3))
  check.fails('unknown field "momentum"; valid are: amsgrad, betas, eps, lr, weight_decay', set("momentum",
    0.9))
  check.fails("unknown field", set("step", 3))
  check.fails('unknown field "lrr" (did you mean "lr"?)', function() return opt.lrr end)
  check.fails("lr must be >= 0, got -1", set("lr", -1))
  check.fails("lr must be >= 0, got nan", set("lr", 0 / 0))
  check.fails("option lr must be a number or a function, got nil", set("lr", nil))
  check.fails("betas must be {beta1, beta2}", set("betas", {1, 2}))
  check.fails("betas is replaced as a whole", function() opt.betas[1] = 0.5 end)
  local given = {0.5, 0.6}
  opt.betas = given
  given[1] = 7
  assert(opt.betas[1] == 0.5 and opt.lr == 1e-3)
end

tests["the learning rate as a function of the step"] = function()
  local function schedule(step) return step <= 3 and 0.1 or 0.1 / step end
  local given, set = new_model(), new_model()
  local opt, hand = optim.adam(given, {lr = schedule}), optim.adam(set)
  for step = 1, 6 do
    assert(opt:rate() == schedule(step))
    hand.lr = schedule(step)
    steps(opt, given, 1)
    steps(hand, set, 1)
  end
  assert(opt:rate(1) == 0.1)
  for k, v in ipairs(values(given)) do assert(v == values(set)[k]) end
  -- a resumed one goes on where it was
  local again, more = new_model(), new_model()
  for i, x in ipairs(tide.tree.tensors(given)) do
    tide.tree.tensors(again)[i]:copy_(x)
    tide.tree.tensors(more)[i]:copy_(x)
  end
  local state = opt:state()
  local resumed = optim.adam(again, {lr = schedule})
  resumed:load_state(state)
  assert(resumed:rate() == schedule(7))
  check.fails("made with a function as lr, this optimiser has 0.001; give it the function",
    function() optim.adam(more):load_state(state) end)
  check.fails("made with lr = 0.001, this optimiser has a function", function()
    resumed:load_state(optim.adam(more):state())
  end)
  for bad, words in pairs{["x"] = 'got "x" at step 1', [-1] = "got -1",
    [0 / 0 == 0 and 0 or math.huge] = "got inf"} do
    local late = optim.sgd(more, {lr = function() return bad end})
    check.fails({"sgd: lr, a function of the step, must return a number >= 0", words}, function()
      steps(late, more, 1)
    end)
    assert(late.steps == 0)
  end
end

tests["a state holds the options as they are"] = function()
  local model = new_model()
  local opt = optim.sgd(model, {lr = 0.1})
  steps(opt, model, 2)
  local early = opt:state()
  opt.lr, opt.momentum = 0.01, 0.9
  steps(opt, model, 3)
  local other = new_model()
  local resumed = optim.sgd(other, {lr = 0.1})
  for i, x in ipairs(tide.tree.tensors(model)) do tide.tree.tensors(other)[i]:copy_(x) end
  resumed:load_state(opt:state())
  assert(resumed.lr == 0.01 and resumed.momentum == 0.9 and resumed.steps == 5)
  steps(opt, model, 2)
  steps(resumed, other, 2)
  for k, v in ipairs(values(model)) do assert(v == values(other)[k]) end
  check.fails("belongs to another", function() optim.adam(model):load_state(early) end)
  early.options = nil -- of a release that did not keep them
  optim.sgd(model, {lr = 3}):load_state(early)
end

-- Whatever is not finite, before or after, the step is refused by name and nothing has changed.
local huge, tiny = {float32 = 1e30, float64 = 1e300}, {float32 = 1e-30, float64 = 1e-300}

-- An optimiser after one step, grads(v): gradients with v as one element of layers[2].weight, and
-- refused(words, g): a step with them fails and changes nothing.
local function one_step_done(make, opts, dtype)
  local o = {dtype = dtype}
  local model = {layers = {{weight = tide.ones({2, 3}, o)},
    {weight = tide.ones({70, 3}, o), bias = tide.ones({5}, o)}}}
  local opt = make(model, opts)
  local function grads(v)
    local g = tide.tree.map(model, tide.ones_like)
    g.layers[2].weight[69] = tide.tensor({1, v, 1}, o)
    return g
  end
  opt:step(grads(2))
  local function all() return tide.tree.tensors{opt.parameters, opt.slots} end
  local function refused(words, g)
    local before = tide.tree.map(all(), function(x) return x:clone() end)
    check.fails(words, opt.step, opt, g)
    for i, x in ipairs(all()) do assert(x:ne(before[i]):sum():item() == 0, words) end
    assert(opt.steps == 1)
  end
  return opt, model, grads, refused
end

local function check_not_finite(make, opts, dtype)
  local opt, model, grads, refused = one_step_done(make, opts, dtype)
  for _, v in ipairs{0 / 0, 1 / 0, -1 / 0} do
    refused({"step 2: the gradient of layers[2].weight[69][2] is", "as before the step"}, grads(v))
  end
  refused("the gradient of layers[2].weight[69][2] is nan", grads(0 / 0))
  local rate = opt.lr
  opt.lr = huge[dtype] * 1e8
  refused({"would make layers[", "lower the learning rate (now 1e+"}, grads(9))
  opt.lr = rate
  if opt.slots.square or opt.slots.v then
    refused("the gradient of layers[2].weight[69][2] is so large that", grads(huge[dtype]))
  else
    opt.lr = tiny[dtype]
    opt:step(grads(huge[dtype]))
    opt.steps, opt.lr = 1, rate
  end
  local b = model.layers[2].bias
  b[4] = 0 / 0
  check.fails("layers[2].bias[4] is nan before the step", opt.step, opt, grads(2))
  b[4] = 1
  opt:step(grads(2))
  local bad = opt:state()
  for name in pairs(opt.slots) do
    bad[name][3][1] = 1 / 0
    check.fails({"[3], of layers[2].weight, is not finite"}, opt.load_state, opt, bad)
  end
end

tests["numbers that are not finite"] = function()
  for _, dtype in ipairs{"float32", "float64"} do
    check_not_finite(optim.sgd, {lr = 0.1}, dtype)
    check_not_finite(optim.sgd, {lr = 0.1, momentum = 0.9}, dtype)
    for _, kind in ipairs{"adam", "adamw", "rmsprop"} do check_not_finite(optim[kind], {}, dtype) end
  end
  local x = tide.ones{3}
  check.fails("adam: step 1: the gradient of the tensor[2] is nan", function()
    optim.adam(x):step(tide.tensor{1, 0 / 0, 1})
  end)
  local s = tide.ones{}
  check.fails("the gradient of w is inf", function() optim.adam{w = s}:step{w = tide.full({}, 1 / 0)} end)
end

tests["an update that is tried and fits is taken, bit for bit"] = function()
  -- too large to be told from bounds, or an eps that bounds nothing
  for kind, opts in pairs{adam = {eps = 0}, rmsprop = {eps = 0}, sgd = {lr = 1e-30, momentum = 1.5}} do
    local a, b = new_model(), new_model()
    local one, other = optim[kind](a, opts), optim[kind](b, opts)
    for _ = 1, 4 do
      one:step(gradient(a))
      other.known = false -- reads all it keeps
      other:step(gradient(b))
    end
    for k, v in ipairs(values(a)) do assert(v == values(b)[k] and v == v) end
  end
end

tests["gradients of another model"] = function()
  local model = {a = tide.ones{2}, b = tide.ones{2}}
  local opt = optim.adam(model)
  check.fails({'adam: the gradient has "c" where the model has "b"', "tide.grad"}, opt.step, opt,
    {a = tide.ones{2}, c = tide.ones{2}})
  check.fails('has "a[1]" where the model has "a"', opt.step, opt, {a = {tide.ones{2}}, b = tide.ones{2}})
  assert(opt.steps == 0 and model.a[1] == 1)
  opt:step(setmetatable({b = tide.ones{2}, a = tide.ones{2}, note = "x"}, {}))
  assert(opt.steps == 1)
end

tests["misuse: options"] = function()
  local model = new_model()
  assert(optim.sgd(model).lr == 1e-3) -- as PyTorch's
  check.fails('optim.adam: unknown option "learning_rate"', optim.adam, model, {learning_rate = 1})
  check.fails('unknown option "momentun" (did you mean "momentum"?)', optim.sgd, model,
    {lr = 1, momentun = 1})
  check.fails("optim.adam: lr must be >= 0, got -1", optim.adam, model, {lr = -1})
  check.fails("optim.adam: lr must be >= 0", optim.adam, model, {lr = 0 / 0})
  check.fails("optim.adam: betas must be {beta1, beta2} with both in [0, 1)", optim.adam, model,
    {betas = {0.9, 1}})
  check.fails("betas must be {beta1, beta2}", optim.adamw, model, {betas = {0.9}})
  check.fails('option lr must be a number or a function, got "1"', optim.sgd, model, {lr = "1"})
  check.fails("alpha must be in 0..1, got 2", optim.rmsprop, model, {alpha = 2})
  check.fails("optim.sgd: the model has no float tensors, got 3", optim.sgd, 3, {lr = 1})
  check.fails("the model has no float tensors", optim.adam, {tide.ones({2}, {dtype = "int64"})})
  check.fails("options must be a table, got 0.1; write {lr = 0.1}", optim.sgd, model, 0.1)
  assert(optim.adma == nil)
end

tests["misuse: steps"] = function()
  local model = new_model()
  local opt = optim.adam(model)
  check.fails("adam: the model has 2 float tensors, the gradient 1; pass what tide.grad returned", opt.step,
    opt, {a = model.a})
  check.fails("the gradient 0", opt.step, opt)
  check.fails("the gradient 0", opt.step, opt, 3)
  local before = values(model)
  check.fails("adam: parameter 2 has shape {1, 2} (float64), its gradient {2} (float64)", opt.step, opt,
    {a = tide.ones({3}, F64), b = tide.ones({2}, F64)})
  check.fails("its gradient {1, 2} (float32)", opt.step, opt, {a = tide.ones({3}, F64), b = tide.ones{1, 2}})
  for k, v in ipairs(values(model)) do assert(v == before[k], "a refused step must change nothing") end
  assert(opt.steps == 0)
  check.fails("adamw: the model has 2 float tensors, the gradient 1", optim.adamw(model).step,
    optim.adamw(model), model.a)
  check.fails("rmsprop: parameter 1 has shape {3} (float64), its gradient {2} (float64)",
    optim.rmsprop(model).step, optim.rmsprop(model),
    {a = tide.ones({2}, F64), b = model.b})
  model = {tide.ones{2, 3}:transpose()}
  check.fails("must be dense", function() optim.sgd(model, {lr = 1}):step{tide.ones{3, 2}} end)
  check.fails("symbolic", tide.grad(function(m) opt:step(m) return m.a:sum() end), new_model())
end

-- What is wrong with the last parameter must be seen before the first one moves, and the step does not count.
tests["a refused step changes nothing"] = function()
  local good, turned = tide.ones({3}, F64), tide.ones({4, 2}, F64):transpose()
  for kind, opts in pairs{sgd = {lr = 0.1}, adam = {}, adamw = {}, rmsprop = {},
    momentum = {lr = 0.1, momentum = 0.9}} do
    local first, second = tide.ones({3}, F64), tide.ones({2, 4}, F64)
    local opt = optim[kind == "momentum" and "sgd" or kind]({first, second}, opts)
    local function refused(words, grads)
      check.fails(words, opt.step, opt, grads)
      assert(opt.steps == 0 and (first - 1):abs():max():item() == 0, kind)
      for _, list in pairs(opt.slots) do
        for _, x in ipairs(list) do assert(x:abs():max():item() == 0, kind) end
      end
    end
    refused("optimiser: parameters and gradients must be dense; use x:clone()", {good, turned})
    refused("its gradient {2, 4} (float32)", {good, tide.ones{2, 4}})
    tide.grad(function(p)
      check.fails("a symbolic tensor has no value", opt.step, opt, {good, p})
      return p:sum()
    end)(tide.ones({2, 4}, F64))
    assert(opt.steps == 0 and (first - 1):abs():max():item() == 0, kind)
    check.fails("option lr must be a number or a function, got \"fast\"", function()
      opt.options.lr = "fast"
    end)
    refused("the gradient of [2][1][2] is nan", {good, tide.tensor({{1, 0 / 0, 1, 1}, {1, 1, 1, 1}}, F64)})
    for name, list in pairs(opt.slots) do
      local last = table.remove(list)
      refused("state does not fit the parameter", {good, second})
      list[2] = tide.zeros{2, 4}
      refused("state does not fit the parameter", {good, second})
      list[2] = last
      assert(#opt.slots[name] == 2)
    end
    opt:step{good, second:clone()}
    assert(opt.steps == 1 and first[1] < 1)
    second:close()
    check.fails("tensor is closed", opt.step, opt, {good, good})
    assert(opt.steps == 1)
  end
end

tests["misuse: states"] = function()
  local model = new_model()
  local opt = optim.adam(model)
  steps(opt, model, 1)
  check.fails("adam: this is not a state that opt:state() returned", opt.load_state, opt)
  check.fails("this is not a state", opt.load_state, opt, {steps = 3})
  local plain = optim.sgd(model, {lr = 1}):state()
  check.fails('adam: the state has no "', opt.load_state, opt, plain)
  local rms = optim.rmsprop(model)
  check.fails('rmsprop: the state has no "square" for 2 tensors', rms.load_state, rms, opt:state())
  local sgd = optim.sgd(model, {lr = 1})
  check.fails('sgd: the state has "m", which', sgd.load_state, sgd, opt:state())
  local other = {a = tide.ones({3}, F64), b = tide.ones({2}, F64)}
  local bad = optim.adam(other):state()
  local kept = opt:state()
  check.fails("adam: state m[2] has shape {2} (float64), expected {1, 2} (float64)", opt.load_state, opt, bad)
  check.fails("(float32), expected {3} (float64)", opt.load_state, opt,
    optim.adam(new_model("float32")):state())
  bad = opt:state()
  bad.v[2] = 3
  check.fails("adam: state v[2] must be a tensor, got 3", opt.load_state, opt, bad)
  bad = opt:state()
  bad.steps = tide.tensor{1, 2}
  check.fails("this is not a state", opt.load_state, opt, bad)
  for i, x in ipairs(opt:state().m) do
    assert((x - kept.m[i]):abs():max():item() == 0, "a refused state must change nothing")
  end
  assert(opt.steps == 1)
end

tests["a tensor in two places of a model takes one step, with the sum of both gradients"] = function()
  for _, kind in ipairs{"sgd", "adam", "adamw", "rmsprop"} do
    local w, v = tide.full({2}, 2), tide.full({2}, 2)
    local opts = {lr = 0.1, weight_decay = 0.1, momentum = kind == "sgd" and 0.9 or nil}
    local twice, once = {a = w, b = {w}}, {a = v}
    local p, q = tide.optim[kind](twice, opts), tide.optim[kind](once, opts)
    for _ = 1, 4 do
      p:step(tide.grad(function(m) return (m.a * m.b[1] * m.a):sum() end)(twice))
      q:step(tide.grad(function(m) return (m.a * m.a * m.a):sum() end)(once))
    end
    check.near(w[1], v[1], 1e-5)
    check.fails({"2 float tensors, the gradient 1"}, p.step, p, {a = w})
    check.fails("step takes gradients, got the model itself", p.step, p, twice)
    check.fails({'the gradient has "c"', '"b[1]"'}, p.step, p, {a = w, c = w})
  end
  local layer = tide.nn.linear(2, 2, {seed = 1})
  local model, other = tide.nn.chain{layer, "relu", layer}, tide.nn.chain{layer, "relu", tide.nn.linear(2, 2)}
  local job = {model = model, data = {x = tide.ones{4, 2}, y = tide.ones{4, 2}},
    optimizer = tide.optim.adam(model), epochs = 2, quiet = true}
  assert(tide.nn.count(model) == 6 and #tide.train(job) == 2)
  job.model = other
  check.fails("made for another model", tide.train, job)
end

tests["a parameter without elements resumes as others do"] = function()
  for _, kind in ipairs{"sgd", "adam", "adamw", "rmsprop", "adagrad", "adadelta"} do
    local model = {tide.ones{2}, tide.ones{0, 3}}
    local opt = optim[kind](model)
    opt:step{tide.ones{2}, tide.ones{0, 3}}
    optim[kind](model):load_state(opt:state())
  end
end

tests["plateau: a level column falls on either side of 0"] = function()
  for _, mode in ipairs{"min", "max"} do
    for _, v in ipairs{100, -100} do
      local schedule = optim.schedule.plateau{by = "loss", patience = 1, mode = mode}
      local opt = {lr = 1}
      for _ = 1, 3 do schedule:observe({loss = v}, opt) end
      assert(opt.lr == 0.1, mode)
      schedule:observe({loss = mode == "min" and v - 1 or v + 1}, opt)
      assert(schedule.since == 0)
    end
  end
end

return tests
