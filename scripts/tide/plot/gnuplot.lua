--- Running gnuplot on a script file. Never by a pipe: fed by a pipe, gnuplot carries on after an error and
-- leaves a wrong picture that looks complete, and its early death would kill this process by SIGPIPE. `-d`
-- keeps the user's own ~/.gnuplot out of it.

local core = require "tide.core"
local files = require "tide.base.files"
local style = require "tide.plot.style"

local gnuplot = {program = "gnuplot"}

--- Whether pictures will have text: true, or nil and a message. Without fonts cairo draws none and reports
-- success.
function gnuplot.check_fonts(family)
  local ok, output = files.run{"fc-match", "-f", "%{family}", "--", family}
  if not ok then
    -- fontconfig's tools need not be installed; only their answer, not their absence, is a reason to warn.
    return true
  end
  if output == "" or output:find("Fontconfig error", 1, true) or output:find("Unable", 1, true) then
    return nil, "no fonts found: pictures will have no text; apt install fonts-dejavu-core"
  end
  if not output:find(family, 1, true) then
    return nil, ('font "%s" not found, gnuplot takes "%s" instead: apt install fonts-dejavu-core'):format(
      family, output)
  end
  return true
end

local fonts_checked = {}

--- Warn on stderr, once per process and family, when fonts are missing.
function gnuplot.warn_fonts(family)
  if fonts_checked[family] then return end
  fonts_checked[family] = true
  local ok, message = gnuplot.check_fonts(family)
  if not ok then io.stderr:write("plot: warning: ", message, "\n") end
end

local function failure(status, how, output)
  if how == "exit" and (status == 127 or status == 126) then
    return "gnuplot not found: apt install gnuplot-nox"
  end
  if how == "signal" then return ("gnuplot was killed by signal %d\n%s"):format(status, output) end
  if status ~= 0 then return "gnuplot failed:\n" .. output end
  -- A missing curve is only a warning to gnuplot, a wrong figure to us.
  -- (In a locale without UTF-8 it also mourns the degree sign, which no figure needs.)
  -- Nor is it serious when long names leave a legend little room: what they name is drawn.
  local serious = output:gsub("[^\n]*iconv failed to convert degree sign[^\n]*", ""):gsub(
    "[^\n]*difficulty %l+ [^\n]*", "")
  if serious:lower():find("warning:", 1, true) then return "gnuplot warned:\n" .. output end
end

-- gnuplot -d with more arguments, in a folder: nil when all went well, or what went wrong.
local function run(folder, arguments, log)
  local _, output, status, how = files.run({gnuplot.program, "-d", table.unpack(arguments)},
    {folder = folder, output = log, environment = {"LC_ALL=C.UTF-8"}})
  return failure(status, how, log and files.read(log) or output)
end

--- Run a script that opens a window; what stays behind writes into `log`, not to us. nil, or what went wrong.
function gnuplot.open(folder, script_name, log) return run(folder, {"./" .. script_name}, log) end

--- Run `folder/script_name`, which draws the file named by its variable OUT; on success only, that becomes
-- `folder/out_name`. Returns true, or nil and a message with gnuplot's own words. Names in gnuplot begin with
-- "./", so that no first character of a name ("|", "<", "-") means anything.
function gnuplot.run(folder, script_name, out_name)
  local part, problem = core.tempname(folder)
  if not part then return nil, problem end
  -- luacheck: ignore unfinished
  local unfinished <close> = setmetatable({}, {__close = function() core.remove(part) end})
  local _, part_name = files.split(part)
  local message = run(folder, {"-e", "OUT=" .. style.quote("./" .. part_name), "./" .. script_name})
  if not message and (files.read(part) or "") == "" then message = "gnuplot drew nothing" end
  if not message then
    local ok
    ok, message = os.rename(part, files.join(folder, out_name))
    if ok then return true end
  end
  return nil, ("%s\nthe script is %s"):format(message:gsub("%s+$", ""), files.join(folder, script_name))
end

return gnuplot
