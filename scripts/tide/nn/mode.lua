--- Is a model being trained, or evaluated? Training is the default, as in PyTorch; model(x, {training =
-- false}) is an evaluation of everything that is called in it, a field of an ODE block too.

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local options = require "tide.base.options"

local M = {}
local training = true
local nothing = setmetatable({}, {__close = function() end})

--- Dropout draws, batch norms use and update the statistics of the batch.
function M.training() return training end

--- A value to be closed: until then the mode is this one.
function M.within(wanted)
  if wanted == training then return nothing end
  local outer, context = training, autodiff._within(wanted and "training" or "evaluation")
  training = wanted
  return setmetatable({}, {__close = function()
    training = outer
    getmetatable(context).__close()
  end})
end

--- The same of the options of a call: {training = boolean}, nil for the mode that holds.
function M.of(where, opts)
  if type(opts) ~= "table" then return nothing end
  local wanted = rawget(opts, "training")
  if wanted == nil then return nothing end
  if type(wanted) ~= "boolean" then
    core.raise(("%s: training must be true or false, got %s"):format(where, options.show(wanted)))
  end
  return M.within(wanted)
end

return M
