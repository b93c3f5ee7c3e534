--- The history of a training: records, the columns of them, and the sums between two records.

local core = require "tide.core"
local options = require "tide.base.options"
local show = require "tide.base.show"

local M = {}

local FIRST, LAST = 3, 12 -- records that print shows of a long history

-- A row for each record, a column for each number; below, the best one.
local function history_text(history)
  local names, rows, n = {}, {}, #history
  for _, name in ipairs(show.keys(history)) do
    if name ~= "iteration" and name ~= "epoch" and name ~= "best" then names[#names + 1] = name end
  end
  if history.epoch then table.insert(names, 1, "epoch") end
  table.insert(names, 1, "iteration")
  for i, record in ipairs(history) do
    local row = {}
    for c, name in ipairs(names) do
      local v = record[name]
      row[c] = n > FIRST + LAST and i == FIRST + 1 and "..." or math.type(v) == "float" and ("%.6g"):format(v)
        or v == nil and "" or tostring(v)
    end
    if n <= FIRST + LAST or i <= FIRST + 1 or i > n - LAST then rows[#rows + 1] = row end
  end
  if n == 0 then return "no records yet" end
  return show.columns(names, rows) .. (history.best and "\n  best: " .. tostring(history.best) or "")
end
local history_meta = {__tostring = history_text}

--- Put a record at place i of the history, and its numbers into the columns: history.loss[i] is
-- history[i].loss.
function M.set(history, i, record)
  if not getmetatable(history) then setmetatable(history, history_meta) end
  history[i] = getmetatable(record) and record or show.printable(record)
  for key, value in pairs(record) do
    history[key] = history[key] or show.printable{}
    history[key][i] = value
  end
  return record
end

--- Sums are a flat table of numbers, as a checkpoint holds; a number of the loss's own is "own_NAME" there.
function M.empty()
  return {loss = 0, samples = 0, batches = 0, nfe = 0, nfe_backward = 0, defect = 0, defects = 0}
end

--- The sums of a run that a checkpoint holds.
function M.resumed(run)
  local sums = M.empty()
  for name in pairs(sums) do sums[name] = run[name] or 0 end
  sums.right = run.right
  for name, v in pairs(run) do if name:find("^own_") then sums[name] = v end end
  return sums
end

--- Add a batch of `size` samples with loss `value`: named = {name = scalar tensor}, right = how many are,
-- nil where there is no prediction.
function M.add(sums, size, value, named, right, stats)
  sums.loss, sums.samples, sums.batches = sums.loss + value * size, sums.samples + size, sums.batches + 1
  sums.nfe, sums.nfe_backward = sums.nfe + stats.nfe, sums.nfe_backward + stats.nfe_backward
  if stats.defect then sums.defect, sums.defects = sums.defect + stats.defect, sums.defects + 1 end
  if right then sums.right = (sums.right or 0) + right end
  for name, v in pairs(named) do
    sums["own_" .. name] = (sums["own_" .. name] or 0) + v:item() * size
  end
end

--- Means per sample: loss, accuracy, the loss's own numbers.
function M.means(sums)
  local out = {loss = sums.loss / sums.samples, accuracy = sums.right and sums.right / sums.samples or nil}
  for name, v in pairs(sums) do
    local own = name:match("^own_(.*)$")
    if own then out[own] = v / sums.samples end
  end
  return out
end

--- Means of what happened since the last record.
function M.new(sums, iteration, per_epoch, start)
  local record = M.means(sums)
  record.iteration, record.epoch = iteration, per_epoch and iteration / per_epoch or nil
  record.nfe_forward, record.nfe_backward = sums.nfe / sums.batches, sums.nfe_backward / sums.batches
  record.defect = sums.defects > 0 and sums.defect / sums.defects or nil
  record.seconds = core.monotonic() - start
  return record
end

local shown_apart = {iteration = true, epoch = true, loss = true, accuracy = true, nfe_forward = true,
  nfe_backward = true, seconds = true, defect = true}

--- For the progress: loss, accuracy, evaluations, and, where a line has room, the loss's own numbers and
-- those of the validation.
function M.show(record)
  local fields = {{"loss", ("%.4g"):format(record.loss)}}
  if record.accuracy then fields[2] = {"acc", ("%.3f"):format(record.accuracy)} end
  if record.nfe_forward > 0 then
    fields[#fields + 1] = {"nfe", ("%.0f+%.0f"):format(record.nfe_forward, record.nfe_backward)}
  end
  for _, name in ipairs(options.sorted_keys(record)) do
    if not shown_apart[name] then fields[#fields + 1] = {name, ("%.4g"):format(record[name])} end
  end
  return fields
end

--- The same between two records: means since the last one, with what that one has beside (of the validation).
function M.running(sums, last)
  local now = M.means(sums)
  now.nfe_forward, now.nfe_backward = sums.nfe / sums.batches, sums.nfe_backward / sums.batches
  for name, v in pairs(last or {}) do
    if now[name] == nil then now[name] = v end
  end
  return M.show(now)
end

return M
