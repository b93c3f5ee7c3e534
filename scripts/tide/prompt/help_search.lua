--- The search behind help "words": in any order, singular or plural, with slips of the finger; ranked.
--
-- Each entry is a list of words with weights: its name weighs most, then options, then the text. The rows
-- of tide.docs.words add the words that people use and our texts do not.

local layout = require "tide.prompt.help_text"
local options = require "tide.base.options"

local search = {}

local function set(words)
  local found = {}
  for word in words:gmatch("%S+") do found[word] = true end
  return found
end

local stop = set [[a an the of to how do does i is it in on for with what which my and or not can
  use using set get make about when why
  there are be by from at as me you your this that into has have should tide lua]]

--- The stem by which words are compared: without endings, final e and doubled consonants.
function search.stem(word)
  word = word:lower()
  if #word <= 3 then return word end
  local base = word:match("^(%w+)ies$")
  if base and #base > 1 then return base .. "y" end
  for _, ending in ipairs{"ness", "ings", "ing", "ed", "s"} do
    base = word:match("^(.+)" .. ending .. "$")
    if base and #base >= 3 and not (ending == "s" and word:find("[sui]s$")) then
      word = base
      break
    end
  end
  word = word:gsub("e$", "")
  return (word:gsub("([bdglmnprt])%1$", "%1"))
end

local function stems(source)
  local list = {}
  for word in source:gmatch("[%w]+") do list[#list + 1] = search.stem(word) end
  return list
end

-- What a word of the question is worth beside a word of a text.
local function likeness(asked, word)
  if asked == word then return 1 end
  local short, long = math.min(#asked, #word), math.max(#asked, #word)
  if short >= 5 and short >= 0.6 * long and asked:sub(1, short) == word:sub(1, short) then return 0.6 end
  return 0
end

-- ---- index ----

local weights = {name = 10, option = 6, topic = 3, text = 3, detail = 2}

local function add_words(words, source, weight)
  for _, word in ipairs(stems(source)) do words[word] = math.max(words[word] or 0, weight) end
end

local function index_entry(entry)
  local words = {}
  add_words(words, entry.name, weights.name)
  add_words(words, entry.topic, weights.topic)
  add_words(words, entry.text, entry.guide and weights.text + 1 or weights.text)
  add_words(words, (entry.args or "") .. " " .. (entry.returns or ""), weights.detail)
  for _, row in ipairs(entry.options or {}) do
    add_words(words, row[1], weights.option)
    add_words(words, row[3], weights.detail)
  end
  return {entry = entry, words = words}
end

local function build(entries, rows)
  local index = {entries = {}, vocabulary = {}, names = {}}
  local function learn(source)
    for word in source:lower():gmatch("%w+") do
      local stem = search.stem(word)
      if not index.vocabulary[stem] then
        index.vocabulary[stem] = word
        if #word > 3 then index.names[#index.names + 1] = word end
      end
    end
  end
  for i, entry in ipairs(entries) do
    index.entries[i] = index_entry(entry)
    learn(entry.name .. " " .. entry.text .. " " .. entry.topic)
    for _, row in ipairs(entry.options or {}) do learn(row[1] .. " " .. row[3]) end
  end
  for _, row in ipairs(rows) do for _, phrase in ipairs(row) do learn(phrase) end end
  table.sort(index.names)
  return index
end

-- ---- the question ----

local function known(index, stem)
  if index.vocabulary[stem] then return true end
  for word in pairs(index.vocabulary) do if likeness(stem, word) > 0 then return true end end
  return false
end

-- words, of a message rather than of a question: those that say nothing are passed over
local long_question = 6

-- Stems of the question; `slips` lists {typed, nearest or nil}.
local function understand(index, question)
  local asked, slips, all = {}, {}, {}
  local _, count = question:gsub("%w+", "")
  for word in question:lower():gmatch("%w+") do
    all[#all + 1] = word
    local says_nothing = word:find("^%d*%a?$") -- numbers and letters, of a message that was pasted
    if not stop[word] and not says_nothing then
      local stem = search.stem(word)
      local strange = count < long_question and not known(index, stem)
      local near = strange and options.nearest(word, index.names)
      if strange then slips[#slips + 1] = {word, near or nil} end
      if near then stem = search.stem(near) end
      if near or known(index, stem) then asked[#asked + 1] = stem end
    end
  end
  local only = #all == 1 and #asked == 0 and #slips == 0 and search.stem(all[1])
  if only and known(index, only) then asked[1] = only end
  return asked, slips
end

-- Rows of tide.docs.words all of whose words, in one of their phrases, are in the question.
local function rows_for(rows, asked)
  local found, here = {}, {}
  for _, stem in ipairs(asked) do here[stem] = true end
  for _, row in ipairs(rows) do
    for _, phrase in ipairs(row) do
      local all = true
      for word in phrase:gmatch("%w+") do all = all and (here[search.stem(word)] or stop[word]) end
      if all and (not row.absent or row.absent()) then
        found[#found + 1] = row
        break
      end
    end
  end
  return found
end

local function score_of(item, asked)
  local score, hits = 0, 0
  for _, stem in ipairs(asked) do
    local best = item.words[stem] or 0
    if best == 0 then
      for word, weight in pairs(item.words) do best = math.max(best, likeness(stem, word) * weight) end
    end
    score, hits = score + best, hits + (best > 0 and 1 or 0)
  end
  return score * (hits / math.max(1, #asked)) ^ 2, hits
end

-- Entries worth showing, best first: {entry =, score =}.
local function rank(index, asked, rows)
  local bonus, list, more = {}, {}, math.max(1, #asked / 4) -- many words add up elsewhere
  for _, row in ipairs(rows) do
    for place, name in ipairs(row.see) do
      bonus[name] = math.max(bonus[name] or 0, (42 - 2 * place) * more)
    end
  end
  for place, item in ipairs(index.entries) do
    local score, hits = score_of(item, asked)
    local extra = bonus[item.entry.name]
    if extra or hits > 0 and 2 * hits >= #asked then
      list[#list + 1] = {entry = item.entry, score = score + (extra or 0), place = place, seen = extra}
    end
  end
  table.sort(list, function(a, b) return a.score > b.score or a.score == b.score and a.place < b.place end)
  return list
end

-- ---- the answer ----

-- The option or the sentence that answers best.
local function snippet(entry, asked)
  local best, best_score = layout.first_sentence(entry), 0
  local function try(line, source, bonus)
    local here, score = stems(source), 0
    for _, stem in ipairs(asked) do
      local likest = 0
      for _, word in ipairs(here) do likest = math.max(likest, likeness(stem, word)) end
      score = score + likest
    end
    if score > 0 and score + bonus > best_score then best, best_score = line, score + bonus end
  end
  for _, sentence in ipairs(layout.sentences(entry)) do try(sentence, sentence, 0) end
  for _, row in ipairs(entry.options or {}) do
    local line = layout.option_head(row) .. (row[3] ~= "" and ": " .. row[3]:gsub("%s+", " ") or "")
    try(line, row[1] .. " " .. row[3], 0.5)
  end
  return best
end

local most = 8

local function list_text(list, asked, width)
  local lines, least = {}, list[1].score / 4
  for i, found in ipairs(list) do
    if i > most or found.score < least and not found.seen then break end
    lines[#lines + 1] = layout.cut(layout.signature(found.entry), width)
    local first, second = layout.wrapped(snippet(found.entry, asked), width - 4):match("^([^\n]*)\n?(.*)$")
    lines[#lines + 1] = "    " .. first
    if second ~= "" then lines[#lines + 1] = "    " .. layout.cut(second:gsub("\n", " "), width - 4) end
  end
  lines[#lines + 1] = ('help "%s" tells all about one of them.'):format(list[1].entry.name)
  return table.concat(lines, "\n")
end

local function also(list, first, last)
  local names = {}
  for i = first, math.min(last, #list) do
    if list[i].score * 3 >= list[1].score then names[#names + 1] = list[i].entry.name end
  end
  return #names > 0 and "see also: " .. table.concat(names, ", ") or nil
end

local index

--- Build the index anew when it is next needed.
function search.forget() index = nil end

--- Names that belong to the question, without entries that `shown` is true of: a line, or nil.
function search.also(entries, rows, question, shown)
  index = index or build(entries, rows)
  local asked = understand(index, question)
  local list = {}
  for _, found in ipairs(rank(index, asked, rows_for(rows, asked))) do
    if not shown(found.entry) then list[#list + 1] = found end
  end
  return #list > 0 and list[1].score >= 8 and also(list, 1, 5) or nil
end

-- What was not understood, in words.
local function slips_text(slips)
  local lines = {}
  for i, slip in ipairs(slips) do
    local near = slip[2] and (' (did you mean "%s"?)'):format(slip[2]) or ""
    lines[i] = ('no help for "%s"%s'):format(slip[1], near)
  end
  return lines
end

--- The word that a misspelt single word may have been meant to be, or nil.
function search.corrected(entries, rows, word)
  index = index or build(entries, rows)
  local _, slips = understand(index, word)
  return #slips == 1 and word:find("^[%w_]+$") and slips[1][2] or nil
end

--- The answer to a question in words, or nil and what was not understood (lines) when nothing fits.
function search.answer(entries, rows, question, width)
  index = index or build(entries, rows)
  local asked, slips = understand(index, question)
  local lines = slips_text(slips)
  if #asked == 0 then return nil, lines end
  local told = rows_for(rows, asked)
  local list = rank(index, asked, told)
  for _, row in ipairs(told) do
    if row.text then lines[#lines + 1] = layout.wrapped(row.text, width) end
  end
  if #list == 0 then return #lines > #slips and table.concat(lines, "\n") or nil, lines end
  local second = list[2] and list[2].score or 0
  if list[1].score >= 1.6 * second then
    lines[#lines + 1] = layout.entry(list[1].entry, width)
    lines[#lines + 1] = also(list, 2, 6)
  else
    lines[#lines + 1] = list_text(list, asked, width)
  end
  return table.concat(lines, "\n")
end

return search
