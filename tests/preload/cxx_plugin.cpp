/* A C++ library for programs that are not C++: it brings libstdc++ into the process late. */
#include <map>
#include <new>
#include <string>
#include <vector>

namespace
{
int calls_of_handler;

void count_and_give_up()
{
    calls_of_handler++;
    std::set_new_handler(nullptr);
}
} // namespace

/* Containers and strings; returns a sum that is wrong where memory was mixed up. */
extern "C" long plugin_work(int rounds)
{
    long sum = 0;
    for (int i = 0; i < rounds; i++) {
        std::map<std::string, std::vector<int>> words;
        for (int j = 0; j < 50; j++)
            words["a key that is too long for the small string " + std::to_string(j)].assign(
                static_cast<std::size_t>(j), i);
        for (const auto& [key, values] : words)
            sum += static_cast<long>(values.size());
    }
    return sum;
}

/* Whether a request that cannot be served ends as std::bad_alloc, caught here. */
extern "C" int plugin_catches_bad_alloc(unsigned long size)
{
    try {
        std::vector<char> v;
        ::operator delete(::operator new(size));
    } catch (const std::bad_alloc&) {
        return 1;
    }
    return 0;
}

/* How often the new-handler that is installed in the plugin's libstdc++ is called. */
extern "C" int plugin_calls_new_handler(unsigned long size)
{
    calls_of_handler = 0;
    std::set_new_handler(count_and_give_up);
    plugin_catches_bad_alloc(size);
    return calls_of_handler;
}

extern "C" void* plugin_new(unsigned long size)
{
    return ::operator new(size);
}

extern "C" void plugin_delete(void* p)
{
    ::operator delete(p);
}
