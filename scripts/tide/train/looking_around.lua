--- tide.train with an optimiser that looks around (optim.lbfgs): it needs the same loss in each step, that of
-- all samples, and sees it several times.

local core = require "tide.core"

local M = {}
local raise = core.raise

--- What the options of tide.train must be, and become, for o.optimizer; given: as they were given.
function M.check(o, given)
  local takes = rawget(o.optimizer, "takes")
  if takes == "residuals" then
    raise(("tide.train: optim.%s needs the residuals and not their loss; call it yourself: opt:step(function"
      .. "(model) return model(x) - y end)"):format(o.optimizer.kind))
  end
  o.looks_around = takes == "closure"
  if not o.looks_around then return end
  for _, name in ipairs{"clip", "adaption"} do
    if o[name] then
      raise(("tide.train: %s does not go with optim.%s, which compares losses and gradients of its own steps")
        :format(name, o.optimizer.kind))
    end
  end
  if given.batch == nil then o.batch = math.maxinteger end
  if given.shuffle == nil then o.shuffle = false end
end

--- Does each update see all samples?
function M.check_whole(o)
  if not (o.looks_around and o.per_epoch) or o.per_epoch == 1 then return end
  raise(("tide.train: optim.%s compares gradients from step to step, which means nothing between different "
    .. "batches; leave batch out (all %d samples), or accumulate = %d"):format(o.optimizer.kind, o.samples,
    o.batches))
end

--- An update that begins with loss and gradient; again(seen) -> both for the model as it then is, with the
-- same random numbers. Its evaluations count, its losses are no records.
function M.step(s, loss, gradient, sums, again)
  local known = true
  s.optimizer:step(function()
    if known then
      known = false
      return loss, gradient
    end
    return again(function(taken)
      sums.nfe = sums.nfe + taken.stats.nfe
      sums.nfe_backward = sums.nfe_backward + taken.stats.nfe_backward
    end)
  end)
end

return M
