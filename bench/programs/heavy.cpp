// What the C++ compiler gets to read: headers that are heavy on templates, and some use of them.
// -DQUICK leaves out the heaviest.
#ifdef QUICK
constexpr int height = 3;
#else
constexpr int height = 24;
#include <iostream>
#include <ranges>
#include <regex>
#endif
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N>
struct tower
{
    using type = std::variant<int, std::string, std::tuple<std::integral_constant<int, N>, double>>;
    std::map<std::string, std::vector<type>> table;
    typename std::conditional<(N > 0), tower<N - 1>, int>::type* below;
};

template <>
struct tower<0>
{
    std::unordered_map<int, std::string> table;
};

template <int... N>
std::size_t sum_sizes(std::integer_sequence<int, N...>)
{
    return (std::tuple<tower<N>...>{}, ..., sizeof(tower<N>)) + sizeof...(N);
}

int main(int argc, char** argv)
{
    std::vector<std::string> words(argv, argv + argc);
    std::sort(words.begin(), words.end());
#ifndef QUICK
    auto long_ones = words | std::views::filter([](const auto& word) { return word.size() > 3; }) |
                     std::views::transform([](const auto& word) { return word + "!"; });
    for (const auto& word : long_ones)
        std::cout << std::regex_replace(word, std::regex("([a-z]+)-([0-9]+)"), "$2:$1") << '\n';
#endif
    std::function<std::shared_ptr<int>(int)> make = [](int i) { return std::make_shared<int>(i); };
    return *make(static_cast<int>(sum_sizes(std::make_integer_sequence<int, height>{})) % 2);
}
