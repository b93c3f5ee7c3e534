--- core/ never prints, never ends the process, and allocates through base/memory only.

-- Why, and the files that may nevertheless.
local forbidden = {
  {names = "printf fprintf vprintf vfprintf puts putchar perror",
    why = "return a status with a message (base/status.h)"},
  {names = "exit _exit quick_exit abort assert", why = "return a status (base/status.h)"},
  {names = "longjmp setjmp", why = "return a status (base/status.h)",
    except = "^core/io/jpeg%.c$"}, -- libjpeg's errors must not return to it
  {names = "malloc calloc realloc free strdup strndup posix_memalign aligned_alloc",
    why = "use base/memory.h, which counts and can be made to fail", except = "^core/base/memory%.c$"},
  {names = "rand srand random drand48", why = "use base/rng.h: same seed, same numbers"},
  {names = "sprintf gets", why = "has no limit; use snprintf"},
}

-- Comments and strings blanked, line breaks kept.
local function code_only(text)
  local function blank(s) return (s:gsub("[^\n]", " ")) end
  return (text:gsub("/%*.-%*/", blank):gsub("//[^\n]*", blank):gsub('\\"', "  "):gsub('"[^"\n]*"', blank))
end

return function(tree)
  local why = {}
  for _, group in ipairs(forbidden) do
    for name in group.names:gmatch("%S+") do why[name] = group end
  end
  local problems = {}
  for _, path in ipairs(tree.matching("^core/.*%.[chd][ef]?f?$")) do
    local number = 0
    for line in (code_only(tree.read(path)) .. "\n"):gmatch("([^\n]*)\n") do
      number = number + 1
      for before, name in line:gmatch("(.?)%f[%w_]([%a_][%w_]*)%s*%(") do
        local group = why[name]
        if group and before ~= "." and before ~= ">" and not (group.except and path:find(group.except)) then
          problems[#problems + 1] = ("%s:%d: %s(): %s"):format(path, number, name, group.why)
        end
      end
    end
  end
  return problems
end
