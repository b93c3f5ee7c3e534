--- What a training leaves behind so that it can go on after a kill: an ordinary file of tensors (.npz or
-- .safetensors), replaced whole or not at all, with a checksum over everything in it, which is verified
-- before anything is used.
--
-- tide.train writes and reads it; tide.load opens it like any other: .model holds the weights by name, for
-- nn.load.

local core = require "tide.core"
local files = require "tide.base.files"
local nn = require "tide.nn"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise

local VERSION = 2 -- 1 had no checksum

--- What the options of tide.train say about checkpoints, or an error.
function M.check_options(o)
  for _, name in ipairs(o.checkpoint and {"optimizer", "adaption", "schedule"} or {}) do
    if o[name] and not (o[name].state and o[name].load_state) then
      raise(("tide.train: with checkpoint, %s must have the methods state and load_state; got a table "
        .. "without them"):format(name))
    end
  end
  if o.checkpoint and not (o.checkpoint:find("%.npz$") or o.checkpoint:find("%.safetensors$")) then
    raise("tide.train: checkpoint must be the name of a .npz or .safetensors file, got "
      .. options.show(o.checkpoint))
  end
  if not o.checkpoint and o.checkpoint_config then
    raise("tide.train: checkpoint_config needs checkpoint, the name of a file")
  end
end

-- ---- Lua values as tensors ----

local function is_whole(list)
  for _, v in ipairs(list) do if math.type(v) ~= "integer" then return false end end
  return true
end

local function numbers(list) return core.tensor_from(list, is_whole(list) and "int64" or "float64") end

--- The fields of t that are numbers or booleans, as a table of tensors; others are left out.
function M.pack(t)
  local out = {}
  for name, v in pairs(t) do
    if type(v) == "number" then
      out[name] = core.tensor_from(v, math.type(v) == "integer" and "int64" or "float64")
    elseif type(v) == "boolean" then
      out[name] = core.tensor_from(v, "uint8")
    end
  end
  return out
end

--- Back into t: its fields that are numbers or booleans become those of `packed`, nil where it has none.
function M.unpack(packed, t)
  for name, v in pairs(t) do
    if type(v) == "number" or type(v) == "boolean" then t[name] = nil end
  end
  for name, x in pairs(packed or {}) do
    local v = x:item()
    if x:dtype() == "uint8" then v = v ~= 0 end
    t[name] = v
  end
  return t
end

--- A list of records by column: the fields that are numbers; nan where a record has none.
function M.columns(records)
  local out = {}
  for i, record in ipairs(records) do
    for name, v in pairs(record) do
      if type(v) == "number" and not out[name] then
        out[name] = {}
        for j = 1, i - 1 do out[name][j] = 0 / 0 end
      end
    end
    for name, column in pairs(out) do column[i] = type(record[name]) == "number" and record[name] or 0 / 0 end
  end
  for name, column in pairs(out) do out[name] = numbers(column) end
  return out
end

--- The list of records that columns were made of.
function M.records(columns)
  local out = {}
  for name, x in pairs(columns or {}) do
    for i, v in ipairs(x:totable()) do
      out[i] = out[i] or {}
      out[i][name] = v
    end
  end
  return out
end

--- A list of numbers as a tensor, nil for none; and back.
function M.list(list) return #list > 0 and numbers(list) or nil end
function M.unlist(x) return x and x:totable() or {} end

--- A text as a tensor of its bytes, nil for none; and back.
function M.text(text)
  local bytes = {}
  for i = 1, #(text or "") do bytes[i] = text:byte(i) end
  return #bytes > 0 and core.tensor_from(bytes, "uint8") or nil
end
function M.untext(x)
  local bytes = x and x:totable() or {}
  for i, b in ipairs(bytes) do bytes[i] = string.char(b) end
  return table.concat(bytes)
end

--- The fields of t that are numbers, booleans or strings, in one line, sorted: what must agree between the
-- file and the training that goes on.
function M.words(t)
  local words = {}
  for name, v in pairs(t) do
    if type(v) ~= "table" and type(v) ~= "userdata" and type(v) ~= "function" then
      words[#words + 1] = ("%s=%s"):format(name, v)
    end
  end
  table.sort(words)
  return table.concat(words, " ")
end

-- Words of `a` that `b` lacks, nil for none. What is off (`amsgrad=false`) is as good as absent: a file from
-- before there was such an option still fits.
local function lacking(a, b)
  local have, out = {}, {}
  for word in b:gmatch("%S+") do have[word] = true end
  for word in a:gmatch("%S+") do
    if not have[word] and not word:find("=false$") then out[#out + 1] = word end
  end
  return out[1] and table.concat(out, " ")
end

--- How two such lines differ, in words; nil when they are the same.
function M.difference(saved, own)
  local theirs, ours = lacking(saved, own), lacking(own, saved)
  if not theirs and not ours then return nil end
  return ("it has %s, this one has %s"):format(theirs or "nothing else", ours or "nothing else")
end

-- The tensors of nested tables, without what is no tensor.
local function tensors_only(t)
  if tree.is_tensor(t) then return t end
  local out
  for _, key in ipairs(type(t) == "table" and core.tree_keys(t) or {}) do
    local kept = tensors_only(rawget(t, key))
    if kept then
      out = out or {}
      out[key] = kept
    end
  end
  return out
end

-- ---- the file ----

--- write(path, s): s = {model =, optimizer =, adaption =, best =, schedule = or nil, settings = flat table of
-- what must agree, config = text or nil, run = flat table of where the training stands, history =}; for read
-- also total, the iterations asked for.
function M.write(path, s)
  local contents = {
    version = core.tensor_from(VERSION, "int64"), model = tensors_only(s.model),
    optimizer = s.optimizer:state(),
    adaption = s.adaption and s.adaption:state(), best = s.best and s.best:state(),
    schedule = s.schedule and s.schedule:state(), settings = M.text(M.words(s.settings)),
    optimizer_options = M.text(s.optimizer_options), config = M.text(s.config), run = M.pack(s.run),
    history = M.columns(s.history), generator = core.tensor_from({core.rng_state()}, "int64"),
  }
  contents.checksum = core.tensor_from(core.checksum(contents), "int64")
  core.save(path, contents)
end

local function scalar(x) return tree.is_tensor(x) and x:numel() == 1 and x:item() end

-- Is the checksum that of the rest? (A name that save would refuse is damage, too.)
local function is_whole_file(saved)
  local stated = scalar(saved.checksum)
  saved.checksum = nil
  local ok, sum = pcall(core.checksum, saved)
  return ok and sum == stated
end

local parts = {adaption = "an adaption", best = "early_stop or keep_best", schedule = "a schedule"}

-- Is what was saved of the training that goes on? refuse(why) raises.
local function check_same(saved, s, refuse)
  local difference = M.difference(M.untext(saved.settings), M.words(s.settings))
    or M.difference(M.untext(saved.config), s.config or "")
    or saved.optimizer_options and M.difference(M.untext(saved.optimizer_options), s.optimizer_options)
  if difference then refuse("belongs to another training: " .. difference) end
  for name, what in pairs(parts) do
    if (saved[name] ~= nil) ~= (s[name] ~= nil) then
      refuse(("belongs to a training %s %s, this one is %s"):format(saved[name] and "with" or "without", what,
        s[name] and "with" or "without"))
    end
  end
  local iteration = saved.run.iteration:item()
  if iteration > s.total then
    refuse(("is at iteration %d, past the %d asked for"):format(iteration, s.total))
  end
end

--- read(path, s) -> run, records: puts everything back into model, optimizer, adaption and the default
-- generator; nil when there is no file. A file of another training is an error, raised before any weight
-- changes.
function M.read(where, path, s)
  if not files.exists(path) then return nil end
  local function refuse(why)
    raise(("%s: the checkpoint \"%s\" %s; remove it to start anew, or give another name"):format(where, path,
      why))
  end
  local ok, saved = pcall(core.load, path)
  if not ok and tostring(saved):find("cannot read", 1, true) then
    refuse("cannot be read (" .. tostring(saved):gsub("^.-load: ", "") .. ")")
  end
  if not ok then error(saved, 0) end
  if tree.is_tensor(saved) or not scalar(saved.version) then refuse("was not written by tide.train") end
  if scalar(saved.version) ~= VERSION then
    refuse(("has the format %s, this program reads %d"):format(scalar(saved.version), VERSION))
  end
  if not is_whole_file(saved) then refuse("is damaged: its checksum is not that of its contents") end
  if not (saved.version and saved.model and type(saved.optimizer) == "table" and type(saved.run) == "table"
    and saved.run.iteration and saved.generator) then
    refuse("was not written by tide.train")
  end
  check_same(saved, s, refuse)
  for _, name in ipairs{"adaption", "best", "schedule"} do
    if s[name] then s[name]:load_state(saved[name]) end
  end
  s.optimizer:load_state(saved.optimizer)
  nn.load({model = s.model}, {model = saved.model})
  core.rng_state(table.unpack(saved.generator:totable()))
  return M.unpack(saved.run, {}), M.records(saved.history)
end

return M
