--- Van der Pol's equation for a batch of oscillators: x, v and the stiffness mu, which is part of the
-- state; t drives it.

local tide = require "tide"

return function(t, y)
  local x, v, mu = y:slice(2, 1, 1), y:slice(2, 2, 2), y:slice(2, 3, 3)
  return tide.cat({v, mu * (1 - x * x) * v - x + 0.1 * tide.cos(t), 0 * mu}, 2)
end
