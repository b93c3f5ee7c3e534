--- Runs the examples of the READMEs: `./tide tests/readme.lua [file.md ...]`, from the root of the checkout.
--
--   ```lua          a script of its own, run by ./tide in an empty folder
--   ```sh test      shell commands, run in the root of the checkout; other sh blocks are only checked for
--                   syntax
--   ```lua no-test  (or sh) left alone
-- The last line is "N passed, N failed".

local LIMIT = 120 -- seconds for one example

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a")
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

-- List of {language =, words =, line =, text =}: every fenced block.
local function blocks_of(text)
  local blocks, block, number = {}, nil, 0
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    number = number + 1
    local language, words = line:match("^```(%a+)%s*(.*)$")
    if block and line:find("^```%s*$") then
      block.text = table.concat(block, "\n") .. "\n"
      blocks[#blocks + 1], block = block, nil
    elseif block then
      block[#block + 1] = line
    elseif language or line:find("^```") then
      block = {language = language or "", words = words or "", line = number}
    end
  end
  return blocks
end

local root = io.popen("pwd"):read("l")
local folder = io.popen("mktemp -d"):read("l")

local function command_of(block, file)
  if block.language == "lua" then
    return ("cd %s && timeout %d %s/tide %s"):format(quote(folder), LIMIT, quote(root), quote(file))
  elseif block.words:find("%f[%w]test") then
    return ("timeout %d sh -e %s"):format(LIMIT, quote(file))
  end
  return "sh -n " .. quote(file)
end

local passed, failed = 0, 0

local function check(readme)
  for _, block in ipairs(blocks_of(assert(read(readme), readme))) do
    if (block.language == "lua" or block.language == "sh") and not block.words:find("no-test", 1, true) then
      local file = folder .. "/example." .. block.language
      write(file, block.text)
      -- Line numbers of the README, so that a traceback leads there.
      if block.language == "lua" then write(file, ("\n"):rep(block.line) .. block.text) end
      local pipe = io.popen("(" .. command_of(block, file) .. ") < /dev/null 2>&1")
      local output = pipe:read("a")
      local good, _, status = pipe:close()
      if good then
        passed = passed + 1
      else
        failed = failed + 1
        print(("FAIL %s:%d (exit status %s)\n%s"):format(readme, block.line, status,
          output:gsub("[^\n]+", "     %0")))
      end
    end
  end
end

local pages = #arg > 0 and arg or {}
if #pages == 0 then
  for path in io.popen("ls README.md */README.md */*/README.md"):lines() do pages[#pages + 1] = path end
end
for _, path in ipairs(pages) do check(path) end
os.execute("rm -rf " .. quote(folder))
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0, true)
