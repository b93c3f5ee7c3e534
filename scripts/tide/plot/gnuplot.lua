--- Running gnuplot on a script file. Never by a pipe: fed by a pipe, gnuplot carries on after an error and leaves a wrong picture
-- that looks complete, and its early death would kill this process by SIGPIPE.

local files = require "tide.files"

local gnuplot = {program = "gnuplot"}

--- Whether pictures will have text: true, or nil and a message. Without fonts cairo draws none and reports success.
function gnuplot.check_fonts(family)
  local ok, output = files.run("fc-match -f '%{family}' " .. files.quote(family))
  if not ok then
    -- fontconfig's tools need not be installed; only their answer, not their absence, is a reason to warn.
    return true
  end
  if output == "" or output:find("Fontconfig error", 1, true) or output:find("Unable", 1, true) then
    return nil, "no fonts found: pictures will have no text; apt install fonts-dejavu-core"
  end
  if not output:find(family, 1, true) then
    return nil, ('font "%s" not found, gnuplot takes "%s" instead: apt install fonts-dejavu-core'):format(family, output)
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
  if how == "exit" and (status == 127 or status == 126) then return "gnuplot not found: apt install gnuplot-nox" end
  if how == "signal" or (how == "exit" and status > 128) then
    local signal = how == "signal" and status or status - 128
    return ("gnuplot was killed by signal %d\n%s"):format(signal, output)
  end
  if status ~= 0 then return "gnuplot failed:\n" .. output end
  -- A missing curve is only a warning to gnuplot, a wrong figure to us.
  -- (In a locale without UTF-8 it also mourns the degree sign, which no figure needs.)
  local serious = output:gsub("[^\n]*iconv failed to convert degree sign[^\n]*", "")
  if serious:lower():find("warning:", 1, true) then return "gnuplot warned:\n" .. output end
end

--- Run `folder/script_name`, which draws the file named by its variable OUT; on success only, that becomes `folder/out_name`.
-- Returns true, or nil and a message with gnuplot's own words.
function gnuplot.run(folder, script_name, out_name)
  local part = out_name .. ".part"
  local part_path = files.join(folder, part)
  os.remove(part_path)
  -- In gnuplot's single quotes '' stands for one quote.
  local assign = "OUT='" .. part:gsub("'", "''") .. "'"
  local ok, output, status, how = files.run(("cd %s && LC_ALL=C.UTF-8 %s -d -e %s %s"):format(
    files.quote(folder), files.quote(gnuplot.program), files.quote(assign), files.quote("./" .. script_name)))
  local message = failure(ok and 0 or status, how, output)
  if not message and (files.read(part_path) or "") == "" then message = "gnuplot drew nothing\n" .. output end
  if not message then
    ok, message = files.replace(part_path, files.join(folder, out_name))
    if ok then return true end
  end
  os.remove(part_path)
  return nil, ("%s\nthe script is %s"):format(message:gsub("%s+$", ""), files.join(folder, script_name))
end

return gnuplot
