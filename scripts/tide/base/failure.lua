--- Failures of numbers as results. What such an error is: bindings/failure.h; what it holds: help "failures".

local core = require "tide.core"
local options = require "tide.base.options"

local M = {}

local function sorted(good, ...)
  if good then return true, ... end
  local failure = ...
  if core.is_failure(failure) and failure.kind == "numeric" then return false, failure end
  error(failure, 0)
end

--- attempt(fn, ...) -> true and what fn(...) returns; or false and the failure, where a solve or a step of a
-- training left the numbers. Every other error, of a wrong call or an interruption, goes on.
function M.attempt(fn, ...)
  if type(fn) ~= "function" and not (debug.getmetatable(fn) or {}).__call then
    core.raise("tide.attempt: expected a function to call, got " .. options.show(fn))
  end
  return sorted(pcall(fn, ...))
end

return M
