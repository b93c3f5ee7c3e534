--- Many commands as independent processes, so many at a time: how a grid of experiments uses all cores.
--
-- xargs runs them; this process only listens. Ctrl-C ends all of them at once; when this process is killed,
-- the commands that run come to their end and no new one starts. So let each command leave one file, complete
-- or not at all, and give jobs.run only those whose file is not there yet: a run that was cut off then
-- resumes.

local core = require "tide.core"
local files = require "tide.base.files"
local options = require "tide.base.options"
local progress = require "tide.base.progress"

local jobs = {}

-- Status 255 makes xargs stop: the process that asked is gone. $1 is the folder of the jobs, $2 how many run
-- at a time.
local runner = [[
driver=$PPID; export driver
exec xargs -P "$2" -n 1 sh -c 'kill -0 "$driver" 2>/dev/null || exit 255
sh "$0/$1.sh" </dev/null >"$0/$1.log" 2>&1; echo "$1 $?"' "$1"]]

local spec = {
  parallel = {"integer", check = options.at_least(1)}, label = {"string", default = "jobs"},
  quiet = {"boolean", default = false},
}

local function check_list(list)
  if type(list) ~= "table" then
    core.raise("jobs.run: list must be a list of {command =, name =, cost =}, got " .. options.show(list))
  end
  for i, job in ipairs(list) do
    local words = type(job) == "table" and job.command
    if type(words) ~= "string" and type(words) ~= "table" then
      core.raise((
        "jobs.run: job %d must be a table with command = string for /bin/sh, or a list of words"):format(i))
    end
    if job.cost ~= nil and not (type(job.cost) == "number" and job.cost > 0) then
      core.raise(("jobs.run: cost of job %d must be a number > 0, got %s"):format(i, options.show(job.cost)))
    end
  end
end

local function command_text(job)
  if type(job.command) == "string" then return job.command end
  local words = {}
  for i, word in ipairs(job.command) do words[i] = files.quote(word) end
  return table.concat(words, " ")
end

local function prepare(list, folder)
  local numbers = {}
  for i, job in ipairs(list) do
    local text = command_text(job) .. "\n"
    if job.log then
      text = ("exec >%s 2>&1\n(%s) && rm -f %s\n"):format(files.quote(job.log), text, files.quote(job.log))
    end
    assert(files.write(("%s/%d.sh"):format(folder, i), text))
    numbers[i] = i .. "\n"
  end
  assert(files.write(folder .. "/list", table.concat(numbers)))
end

-- Why a command failed: the line before a traceback, else the last one that it printed.
local function last_line(path)
  local last = "no message"
  for line in (files.read(path) or ""):gmatch("[^\r\n]+") do
    if line:find("^stack traceback:") then break end
    last = line
  end
  return last
end

-- Lines that a process prints, as they come.
local function lines_of(process)
  local rest = ""
  return function()
    while true do
      local line, behind = rest:match("^([^\n]*)\n(.*)$")
      if line then
        rest = behind
        return line
      end
      local bytes = process:read()
      if not bytes then return nil end
      rest = rest .. bytes
    end
  end
end

--- run(list, {parallel =, label =, quiet =}) -> list of failures {job =, status =, message =}. Each job is
-- {command = a line for /bin/sh or a list of words, name =, cost = in any unit, log =}: the costs weigh the
-- estimate of the time left. parallel: default tide.threads(). What a job prints is kept only until it ends;
-- in the file `log`, if there is one, until it ends well.
function jobs.run(list, opts)
  local o = options.check("jobs.run", opts, spec)
  check_list(list)
  if #list == 0 then return {} end
  local temporary <close> = files.temporary_folder()
  local folder = temporary.path
  prepare(list, folder)
  local total, failures, ended, cost = 0, {}, 0, 0
  for _, job in ipairs(list) do total = total + (job.cost or 1) end
  local meter <close> = progress.new{total = 100, label = o.label, unit = "%", memory = math.huge,
    quiet = o.quiet}
  meter:update(0, {{"done", ("0/%d"):format(#list)}})
  local process <close>,
    problem = core.spawn({"sh", "-c", runner, "sh", folder, tostring(o.parallel or core.threads())},
    {input = folder .. "/list", show_errors = true})
  if not process then core.raise("jobs.run: " .. problem) end
  for line in lines_of(process) do
    local number, status = line:match("^(%d+) (%d+)$")
    local job = list[tonumber(number)]
    ended, cost = ended + 1, cost + (job.cost or 1)
    if status ~= "0" then
      failures[#failures + 1] = {job = job, status = tonumber(status),
        message = last_line(job.log or ("%s/%s.log"):format(folder, number))}
      meter:log(("%s failed: %s"):format(job.name or command_text(job), failures[#failures].message))
    end
    meter:update(100 * cost / total, {{"done", ("%d/%d"):format(ended, #list)}, {"failed", #failures}})
  end
  if ended < #list then core.raise(("jobs.run: stopped after %d of %d jobs"):format(ended, #list)) end
  return failures
end

return jobs
