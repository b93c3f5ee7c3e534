--- Windows of a training: so many iterations, at whose end an adaption accepts or rejects them. After a
-- rejection weights, optimiser and generator are as they were at the beginning, and the training goes on from
-- there with the solver that the adaption has chosen meanwhile.

local core = require "tide.core"
local tree = require "tide.base.tree"

local M = {}

local methods = {}
local meta = {__name = "windows", __index = methods}

local function copy(t)
  local out = {}
  for name, v in pairs(t) do out[name] = v end
  return out
end

-- The training stands at iteration i.
local function keep(self, i, sums)
  local weights = {}
  for k, x in ipairs(tree.tensors(self.o.model)) do weights[k] = x:clone() end
  self.kept = {iteration = i, weights = weights, optimizer = self.o.optimizer:state(), sums = copy(sums),
    generator = {core.rng_state()}}
end

--- new(o, i, sums) of the options of tide.train, where the training stands at iteration i; nil for an
-- adaption without windows.
function M.new(o, i, sums)
  if not (o.adaption and o.adaption.window) then return nil end
  local self = setmetatable({o = o}, meta)
  keep(self, i, sums)
  return self
end

--- Does a window end with iteration i, and is it accepted? Records are ends of windows, too.
function methods.judge(self, i, sums)
  local o = self.o
  self.verdict = nil
  if i % o.adaption.window == 0 or i % o.record_every == 0 or i == o.total then
    self.verdict = o.adaption:judge(i, o.model, o.data, {from = self.kept.iteration, batch = o.batch,
      nfe = sums.nfe - self.kept.sums.nfe})
  end
  return self.verdict == true
end

--- Iteration and sums that the training goes on from, behind iteration i.
function methods.next(self, i, sums)
  local o, kept = self.o, self.kept
  if self.verdict then keep(self, i, sums) end
  if self.verdict ~= false then return i, sums end
  for k, x in ipairs(tree.tensors(o.model)) do x:copy_(kept.weights[k]) end
  o.optimizer:load_state(kept.optimizer)
  core.rng_state(table.unpack(kept.generator))
  return kept.iteration, copy(kept.sums)
end

return M
