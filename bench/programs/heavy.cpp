// What the C++ compiler gets to read: headers that are heavy on templates, and some use of them.
// -DQUICK leaves out the heaviest.
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>
#ifndef QUICK
#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <ranges>
#include <regex>
#endif

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

#ifdef QUICK
int main()
{
    return static_cast<int>(sum_sizes(std::make_integer_sequence<int, 2>{})) % 2;
}
#else
int main(int argc, char** argv)
{
    std::vector<std::string> words(argv, argv + argc);
    std::ranges::sort(words);
    auto long_ones = words | std::views::filter([](const auto& word) { return word.size() > 3; }) |
                     std::views::transform([](const auto& word) { return word + "!"; });
    for (const auto& word : long_ones)
        std::cout << std::regex_replace(word, std::regex("([a-z]+)-([0-9]+)"), "$2:$1") << '\n';
    std::function<std::shared_ptr<int>(int)> make = [](int i) { return std::make_shared<int>(i); };
    return *make(static_cast<int>(sum_sizes(std::make_integer_sequence<int, 24>{})) % 2);
}
#endif
