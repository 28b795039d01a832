#!/bin/bash
# lua: an allocator's classic, all small objects: tables, strings, closures, coroutines.
. "$(dirname "$0")/../lib.sh"
need lua5.4

cat >"$work/script.lua" <<'END'
local function tree(depth)
    if depth == 0 then return {} end
    return { tree(depth - 1), tree(depth - 1) }
end
local function check(t) return t[1] and 1 + check(t[1]) + check(t[2]) or 1 end
for depth = 4, 16, 4 do
    local sum = 0
    for _ = 1, 1 << (16 - depth) do sum = sum + check(tree(depth)) end
    print(depth, sum)
end
local words, n = {}, 0
for i = 1, 200000 do
    local word = ("w%x"):format(i * 7919 % 65537)
    if not words[word] then n = n + 1 end
    words[word] = (words[word] or 0) + 1
end
print(n)
local parts = {}
for i = 1, 100000 do parts[#parts + 1] = tostring(i) .. ";" end
local text = table.concat(parts)
print(#text, select(2, text:gsub("7", "seven")))
local sum = 0
for i = 1, 20000 do
    local co = coroutine.wrap(function(a) for j = 1, 3 do a = coroutine.yield(a + j) end end)
    sum = sum + co(i) + co(1)
end
print(sum)
table.sort(parts, function(a, b) return a:reverse() < b:reverse() end)
print(parts[1], parts[#parts])
collectgarbage()
print(math.type(collectgarbage("count")))
END
compare lua5.4 "$work/script.lua"
served 'lua5.4'
