--- Models: plain tables of tensors with a __call metamethod. No registration, no hidden state.
--
-- A layer is called as layer(x, opts); a field as field(t, y). opts.solver overrides solver options for that
-- call only. Each subject has a file; here they become tide.nn.

local M = {with_seed = require("tide.nn.initial").with_seed,
  penalised = require("tide.nn.regular").penalised, init = require "tide.nn.initialisers"}

for _, subject in ipairs{"parameters", "layers", "norms", "pools", "recurrent", "fields", "blocks", "odenets",
  "cnf", "resnet", "conv_resnet", "depth", "spectral"} do
  for name, value in pairs(require("tide.nn." .. subject)) do M[name] = value end
end

return M
