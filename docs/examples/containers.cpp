// C++: containers, std::pmr and smart pointers on the library.
//
// In a program that is linked with libbuddyslab.so all of `new` is on its heap anyway.  What is shown here
// is for what wants a cache of its own, and for programs with the static library, which keep their `new`.
//
// Output:
//
//     a vector of 1000 squares, the last of them 998001
//     a map of nodes in one cache: one two three
//     3 sessions in use, then 0
//     20 bytes from malloc, given back by a unique_ptr
#include <buddyslab/buddyslab.hpp>

#include <cstdio>
#include <cstring>
#include <list>
#include <map>
#include <string_view>
#include <vector>

namespace
{

void vector_on_the_heap()
{
    std::vector<int, buddyslab::allocator<int>> squares;
    for (int i = 0; i < 1000; ++i)
        squares.push_back(i * i);
    std::printf("a vector of %zu squares, the last of them %d\n", squares.size(), squares.back());
}

// All nodes have one size: they come from one cache.  What is larger than 128 bytes comes from elsewhere.
void map_on_a_cache()
{
    buddyslab::cache_resource nodes(128);
    std::pmr::map<int, std::string_view> names(&nodes);
    names[2] = "two";
    names[3] = "three";
    names[1] = "one";
    std::printf("a map of nodes in one cache:");
    for (const auto& [number, name] : names)
        std::printf(" %s", name.data());
    std::printf("\n");
}

struct session
{
    explicit session(int number) : number(number) {}
    int number;
};

// make() is a unique_ptr that destroys the session, and gives it back to its cache.
void objects_of_one_cache()
{
    buddyslab::object_cache<session> sessions("session", BSL_SLAB_NO_MERGE);
    {
        std::vector<buddyslab::object_cache<session>::pointer> live;
        for (int i = 0; i < 3; ++i)
            live.push_back(sessions.make(i));
        std::printf("%zu sessions in use, ", sessions.in_use());
    }
    std::printf("then %zu\n", sessions.in_use());
}

void pointer_to_malloc()
{
    buddyslab::unique_malloc_ptr<char> text(static_cast<char*>(bsl_malloc(20)));
    if (text)
        std::strcpy(text.get(), "20 bytes from malloc");
    std::printf("%s, given back by a unique_ptr\n", text.get());
}

} // namespace

int main()
{
    vector_on_the_heap();
    map_on_a_cache();
    objects_of_one_cache();
    pointer_to_malloc();
}
