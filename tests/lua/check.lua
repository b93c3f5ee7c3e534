--- What test files share: errors that are expected, numbers that are near, folders that go away again.

local files = require "tide.files"
local tide = require "tide"

local M = {}

--- fn(...) must fail, with a message that holds `words`: one text or a list of them, plain, no patterns.
-- Returns the message.
function M.fails(words, fn, ...)
  local ok, message = pcall(fn, ...)
  if type(words) == "string" then words = {words} end
  if ok then error("an error was expected: " .. words[1], 2) end
  message = tostring(message)
  for _, word in ipairs(words) do
    if not message:find(word, 1, true) then error(("%s\n  lacks: %s"):format(message, word), 2) end
  end
  return message
end

--- The same, with a message that has a pattern.
function M.raises(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  if ok then error("an error was expected: " .. pattern, 2) end
  if not tostring(message):find(pattern) then error(("%s\n  lacks: %s"):format(message, pattern), 2) end
end

--- |got - want| <= tolerance (default 1e-12).
function M.near(got, want, tolerance, what)
  if not (math.abs(got - want) <= (tolerance or 1e-12)) then
    error(("%sgot %.17g, expected %.17g"):format(what and what .. ": " or "", got, want), 2)
  end
end

--- Tensors with the same numbers in order, whatever their shapes.
function M.same_bits(got, want, what)
  local a, b = got:reshape{-1}:totable(), want:reshape{-1}:totable()
  if #a ~= #b then error(("%s: %d elements, expected %d"):format(what or "tensors", #a, #b), 2) end
  for i = 1, #a do
    if a[i] ~= b[i] then
      error(("%s: element %d is %.17g, expected %.17g"):format(what or "tensors", i, a[i], b[i]), 2)
    end
  end
end

--- Tensors whose largest difference is `tolerance` of the largest number of b (or of 1) at most.
function M.close(a, b, tolerance, what)
  if a:numel() == 0 then return end
  local worst = (a - b):abs():max():item() / math.max(1, b:abs():max():item())
  if not (worst <= tolerance) then error(("%s: off by %g"):format(what, worst), 2) end
end

--- The numbers of run(), a list of tensors, are the same bits with 1, 2, 3 and 4 threads.
function M.same_for_threads(run)
  local before, first = tide.threads(), nil
  for threads = 1, 4 do
    tide.threads(threads)
    local all = {}
    for i, x in ipairs(run()) do all[i] = x:reshape{-1} end
    all = tide.cat(all, 1)
    first = first or all
    assert(all:ne(first):sum():item() == 0, "differs with " .. threads .. " threads")
  end
  tide.threads(before)
end

--- draw(n) gives whole numbers in 0..n - 1 that follow from the seed.
function M.draws(seed)
  local state = seed
  return function(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return state // 65536 % n
  end
end

--- The names of all ops, from their tables.
function M.op_names()
  local here, names = arg[0]:match("^(.*)/tests/") or ".", {}
  for _, file in ipairs{"core/autodiff/ops.def", "core/kernels/elementwise.def"} do
    for line in io.lines(here .. "/" .. file) do
      names[#names + 1] = line:match("^%u+%([%u%d_]+, ([%l%d_]+),")
    end
  end
  assert(#names > 50)
  return names
end

--- Path of a file of TIDE_DATA, packed or not; or nil and why the test is skipped.
function M.real_file(name)
  local root = os.getenv "TIDE_DATA"
  if not root then return nil, "skip: TIDE_DATA is not set" end
  for _, path in ipairs{root .. "/" .. name .. ".gz", root .. "/" .. name} do
    if files.exists(path) then return path end
  end
  return nil, ("skip: no %s in TIDE_DATA"):format(name)
end

--- Does a method of the list look outside of its steps?
function M.looks_outside(m)
  for _, c in ipairs(m.c or {}) do
    if c < 0 or c > 1 then return true end
  end
  return false
end

--- Returns what fn(folder, write) does in a fresh folder, which is removed afterwards; write(name, bytes)
-- makes a file in it.
function M.in_folder(fn)
  local temporary <close> = files.temporary_folder()
  local folder = temporary.path
  local function write(name, bytes)
    local file = assert(io.open(files.join(folder, name), "wb"))
    assert(file:write(bytes))
    assert(file:close())
  end
  local results = table.pack(xpcall(fn, debug.traceback, folder, write))
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- Files of MNIST with so many training and test pictures, in which the class is place and
-- brightness of a row.
function M.make_mnist(path, train, test)
  assert(files.make_folder(path))
  for prefix, n in pairs{train = train, t10k = test} do
    local pixels, labels = {}, {}
    for i = 0, n - 1 do
      local row = i % 10
      labels[i + 1] = string.char(row)
      local line = string.char(25 * (row + 1)):rep(28)
      pixels[i + 1] = ("\0"):rep(28 * (2 * row + 4)) .. line .. ("\0"):rep(28 * (23 - 2 * row))
    end
    local stem = ("%s/%s-"):format(path, prefix)
    assert(files.write(stem .. "images-idx3-ubyte", string.pack(">I4I4I4I4", 0x803, n, 28, 28)
      .. table.concat(pixels)))
    assert(files.write(stem .. "labels-idx1-ubyte", string.pack(">I4I4", 0x801, n) .. table.concat(labels)))
  end
end

--- The methods that solve for any state: all but symplectic ones.
function M.methods()
  local list = {}
  for _, m in ipairs(tide.ode.methods()) do if m.family ~= "symplectic" then list[#list + 1] = m end end
  return list
end

--- Options o with more of them.
function M.with(o, more)
  local all = {}
  for k, v in pairs(o) do all[k] = v end
  for k, v in pairs(more or {}) do all[k] = v end
  return all
end

--- fn() -> number with its first, second, ... allocation failing, once or from then on, until it comes
-- through: an error about memory or the same number, and nothing is left behind.
function M.survives_lack_of_memory(fn)
  local want = fn()
  collectgarbage() collectgarbage()
  local blocks = tide.core.memory().live_blocks
  for _, sticky in ipairs{false, true} do
    local after, done = 0, false
    while not done do
      collectgarbage()
      tide.core.memory_fail_after(after, sticky)
      local ok, result = pcall(fn)
      tide.core.memory_fail_after(-1)
      done = ok
      assert(ok and result == want or not ok and tostring(result):find("memory"), result)
      after = after + (after < 40 and 1 or 7)
    end
  end
  assert(fn() == want)
  collectgarbage() collectgarbage()
  assert(tide.core.memory().live_blocks <= blocks + 2)
end

--- What files.run returns for a line of /bin/sh.
function M.sh(line) return files.run{"sh", "-c", line} end

--- survives(fn, last, stride, least): fn() gives the same number each time or an error about memory while the
-- k-th allocation fails, k = 0, stride, ..., last; no block is lost; more than `least` of these fail.
function M.survives(fn, last, stride, least)
  local core = tide.core
  local wanted, failed = fn(), 0
  collectgarbage() collectgarbage()
  local blocks = core.memory().live_blocks
  for k = 0, last, stride do
    core.memory_fail_after(k, false)
    local ok, result = pcall(fn)
    core.memory_fail_after(-1, false)
    assert(ok and result == wanted or not ok and tostring(result):find "memory", tostring(result))
    failed = failed + (ok and 0 or 1)
    collectgarbage() collectgarbage()
    assert(core.memory().live_blocks <= blocks + 2, "blocks are lost after failure " .. k)
  end
  assert(failed > least, failed)
end

return M
