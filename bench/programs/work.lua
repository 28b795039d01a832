-- What the Lua interpreter does as a workload: lua work.lua amount

local seed = 42
local function random(bound) -- the same on every version of Lua
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed % bound + 1
end

local function word()
  local letters = {}
  for i = 1, 3 + random(8) do
    letters[i] = string.char(96 + random(26))
  end
  return table.concat(letters)
end

local function count_words(n)
  local counts = {}
  for _ = 1, n do
    local w = word():sub(1, 3)
    counts[w] = (counts[w] or 0) + 1
  end
  local keys = {}
  for w in pairs(counts) do
    keys[#keys + 1] = w
  end
  table.sort(keys)
  return #keys
end

local function lists(n)
  local list
  for i = 1, n do
    list = { value = i, next = list, name = "node " .. i }
  end
  local sum = 0
  while list do
    sum = sum + #list.name
    list = list.next
  end
  return sum
end

local function closures(n)
  local functions = {}
  for i = 1, n do
    local count = i
    functions[i] = function(x)
      count = count + x
      return count
    end
  end
  local sum = 0
  for i = 1, n do
    sum = sum + functions[i](random(10))
  end
  return sum
end

local function rewriting(n)
  local text = {}
  for i = 1, n do
    text[i] = word()
  end
  local joined = table.concat(text, " ")
  return #joined:gsub("(%w)(%w+)", function(first, rest)
    return first:upper() .. rest
  end)
end

local amount = tonumber(arg[1])
local function share(n) -- of one round
  return math.floor(n * math.min(amount, 1))
end

for _ = 1, math.max(amount, 1) do
  print(count_words(share(60000)), lists(share(150000)), closures(share(100000)),
    rewriting(share(60000)))
end
