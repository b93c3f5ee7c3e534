--- Little address space (ulimit -v): a result or an error that says "memory", soon; never a crash or a loop.

local here = debug.getinfo(1, "S").source:match("^@(.*)tests/lua/[^/]*$")
local tests = {}

local programs = {
  product = "local a = t.randn({500, 500}, {seed = 1}) print(a:matmul(a):sum():item())",
  layer = "local m = t.nn.linear(600, 600) print(t.grad(function(p) return m(p):sum() end)(t.ones{600, "
  .. "600}):sum():item())",
  convolution = "local x, w = t.ones({1, 64, 64, 64}, {dtype = 'float64'}), t.ones({64, 64, 5, 5}, {dtype = "
  .. "'float64'}) " ..
    "print(t.conv2d(x, w, nil, {stride = 2}):sum():item())",
  large = "print(t.randn{30000, 30000}:numel())",
  solve = "local w = t.randn({300, 300}, {seed = 1}) print((t.odeint(function(_, y) return "
  .. "y:matmul(w):tanh() end, t.ones{300, 300}, {0, 1})):sum():item())",
  small = "local a = t.ones{20, 20} print(a:matmul(a):sum():item())",
}
-- KiB; what tide itself needs is below the first.
local limits = {60000, 100000, 150000, 220000, 300000, 400000, 600000, 1000000}

for name, code in pairs(programs) do
  tests["ulimit -v: " .. name] = function()
    local results = 0
    for _, limit in ipairs(limits) do
      local pipe = assert(io.popen(([[
      cd '%s' && (ulimit -v %d; timeout 60 ./tide -e 'local t = require "tide" %s' 2>&1; echo "status $?")]])
        :format(here == "" and "." or here, limit, code:gsub("'", '"'))))
      local text = pipe:read("a")
      pipe:close()
      local status = tonumber(text:match("status (%d+)%s*$"))
      assert(status == 0 or status == 1, ("limit %d: %s"):format(limit, text))
      assert(status == 0 or text:find("memory"), ("limit %d: %s"):format(limit, text))
      if status == 0 then results = results + 1 end
    end
    assert(name == "large" and results == 0 or name ~= "large" and results > 0)
    assert(name ~= "small" or results == #limits, "a small product needs no library")
  end
end

tests["the kernels of OpenBLAS: what was chosen and why"] = function()
  local function ask(setting)
    local code = [[local b = require("tide").machine().blas
      print(b.core .. "|" .. b.why .. "|" .. b.version)]]
    local pipe = assert(
      io.popen(("%s '%s/tide' -e '%s' 2>&1"):format(setting, here == "" and "." or here, code)))
    local text = pipe:read("a")
    pipe:close()
    return text
  end
  assert(ask("OPENBLAS_CORETYPE=Prescott"):find("^Prescott|OPENBLAS_CORETYPE=Prescott is set|%d"),
    ask("OPENBLAS_CORETYPE=Prescott"))
  local own = ask("env -u OPENBLAS_CORETYPE")
  assert(own:find("|the library's choice|") or own:find("|asked for: "), own)
  local machine = require("tide.machine").machine()
  local blas = machine.blas
  assert(tostring(machine):find(("OpenBLAS %s: kernels for %s (%s)"):format(blas.version, blas.core,
    blas.why), 1, true))
end

return tests
