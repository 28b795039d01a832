#!/bin/bash
# gcc and g++ compile what is heavy for them; the objects are the same, and the programs run.
. "$(dirname "$0")/../lib.sh"
need gcc g++ ld

awk 'BEGIN {
    print "int printf(const char*, ...);"
    for (i = 0; i < 250; i++) {
        print "static int f" i "(int x, int* p) { switch (x % 7) {"
        for (j = 0; j < 7; j++) print "case " j ": p[" j "] += x * " i + j "; break;"
        print "} for (int k = 0; k < 8; k++) x ^= p[k] << (k & 3); return x; }"
    }
    print "int main(void) { int p[8] = { 0 }, x = 1;"
    for (i = 0; i < 250; i++) print "x = f" i "(x < 0 ? -x : x, p);"
    print "printf(\"%d\\n\", x); }"
}' >"$work/many.c"
cat >"$work/heavy.cpp" <<'END'
#include <algorithm>
#include <iostream>
#include <map>
#include <sstream>
#include <unordered_map>
#include <vector>
template <int N> struct number { static constexpr long value = number<N - 1>::value + N; };
template <> struct number<0> { static constexpr long value = 0; };
template <int... I> long sum(std::integer_sequence<int, I...>) { return (number<I>::value + ...); }
int main()
{
    std::map<std::string, std::vector<int>> words;
    std::unordered_map<long, std::string> table;
    for (int i = 0; i < 20000; i++) {
        std::ostringstream out;
        out << "word" << i % 977;
        words[out.str()].push_back(i);
        table[i * 31L] = out.str();
    }
    long matches = 0;
    for (auto& [word, places] : words) {
        matches += std::stol(word.substr(4));
        std::sort(places.rbegin(), places.rend());
    }
    std::cout << matches << ' ' << table.size() << ' ' << sum(std::make_integer_sequence<int, 300>()) << '\n';
}
END

compiling()
{
    gcc -O2 -frandom-seed=1 -c "$work/many.c" -o many.o && sha256sum many.o
    g++ -std=c++20 -O1 -frandom-seed=1 -c "$work/heavy.cpp" -o heavy.o && sha256sum heavy.o
    gcc many.o -o many && ./many
    g++ heavy.o -o heavy && ./heavy
}

compare compiling
served 'gcc|x86_64-linux-gnu-gcc.*|.*-gcc-[0-9]+' cc1 cc1plus '.*as' '.*ld(\.bfd)?' many heavy
