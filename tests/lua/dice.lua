--- Random choices that follow from a seed alone: {state = seed} with this metatable, or one that asks it.

local Dice = {}
Dice.__index = Dice

function Dice:int(a, b) -- splitmix64
  self.state = self.state + 0x9E3779B97F4A7C15
  local z = self.state
  z = (z ~ z >> 30) * 0xBF58476D1CE4E5B9
  z = (z ~ z >> 27) * 0x94D049BB133111EB
  return a + math.tointeger(((z ~ z >> 31) >> 1) % (b - a + 1))
end
function Dice:chance(p) return self:int(0, 9999) < p * 10000 end
function Dice:pick(list) return list[self:int(1, #list)] end

return Dice
