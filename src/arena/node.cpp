#include "arena/node.hpp"

#include "base/format.hpp"
#include "host/sysinfo.hpp"
#include "host/thread.hpp"
#include "host/vm.hpp"

#include <atomic>
#include <string_view>

namespace bsl
{

constinit node_count nodes_there_are{1};

namespace
{

using std::string_view;

constinit std::atomic<std::uint8_t> cpu_nodes[nr_mapped_cpus];
constinit std::uint8_t distances[nr_nodes_max][nr_nodes_max];
constinit std::uint8_t orders[nr_nodes_max][nr_nodes_max];
constinit unsigned kernel_numbers[nr_nodes_max];
constinit bool are_real = false;

constexpr std::size_t file_size = 4096; // a list of processors with many gaps

bool cut_number(string_view& text, unsigned& number)
{
    std::size_t n = 0;
    number = 0;
    for (; n < text.size() && text[n] >= '0' && text[n] <= '9'; ++n)
        number = 10 * number + static_cast<unsigned>(text[n] - '0');
    text.remove_prefix(n);
    return n != 0;
}

/// Calls fn(number) for each number of a list such as 0-3,8.
template <typename Fn>
void for_each_in_list(string_view text, Fn fn)
{
    unsigned first = 0;
    while (cut_number(text, first)) {
        unsigned last = first;
        if (text.starts_with('-')) {
            text.remove_prefix(1);
            if (!cut_number(text, last))
                return;
        }
        for (unsigned n = first; n <= last; ++n)
            fn(n);
        if (!text.starts_with(','))
            return;
        text.remove_prefix(1);
    }
}

bool read_of_node(const char* directory, unsigned node, string_view file, char (&text)[file_size])
{
    format<256> path;
    path.text(directory).text("/node").decimal(kernel_numbers[node]).text("/").text(file);
    return host::read_file(path.c_str(), text, sizeof text);
}

unsigned find_nodes(const char* directory)
{
    char text[128];
    format<128> path;
    path.text(directory).text("/has_memory");
    unsigned nr = 0;
    if (host::read_file(path.c_str(), text, sizeof text)) {
        for_each_in_list(text, [&nr](unsigned number) {
            if (nr < nr_nodes_max)
                kernel_numbers[nr++] = number;
        });
    }
    return nr == 0 ? 1 : nr;
}

/// The line of a node has a distance for each node there is, with memory or without, in order; only
/// where all have memory it is known whose they are.
void read_distances(const char* directory, unsigned node)
{
    char text[file_size];
    if (!read_of_node(directory, node, "distance", text))
        return;
    string_view line(text);
    unsigned found[nr_nodes_max];
    unsigned nr = 0;
    while (nr < nr_nodes_max && cut_number(line, found[nr])) {
        ++nr;
        if (line.starts_with(' '))
            line.remove_prefix(1);
    }
    if (nr != nr_nodes())
        return;
    for (unsigned to = 0; to < nr; ++to)
        distances[node][to] = static_cast<std::uint8_t>(found[to]);
}

void read_cpus(const char* directory, unsigned node)
{
    char text[file_size];
    if (read_of_node(directory, node, "cpulist", text))
        for_each_in_list(text, [node](unsigned cpu) { set_cpu_node(cpu, node); });
}

/// Sorts by insertion: the nearest first; of two as near as each other the one that comes next.
void sort_order(unsigned from)
{
    const unsigned nr = nr_nodes();
    for (unsigned i = 0; i < nr; ++i) {
        const unsigned next = (from + i) % nr;
        unsigned at = i;
        for (; at > 1 && distances[from][orders[from][at - 1]] > distances[from][next]; --at)
            orders[from][at] = orders[from][at - 1];
        orders[from][at] = static_cast<std::uint8_t>(next);
    }
}

/// Not for the stack of a machine with one node.
[[gnu::noinline]] void read_nodes(const char* directory)
{
    for (unsigned node = 0; node < nr_nodes(); ++node) {
        read_cpus(directory, node);
        read_distances(directory, node);
    }
}

void set_plain_distances()
{
    for (unsigned from = 0; from < nr_nodes_max; ++from) {
        for (unsigned to = 0; to < nr_nodes_max; ++to)
            distances[from][to] = from == to ? local_distance : remote_distance;
    }
}

} // namespace

unsigned node_of_cpu(unsigned cpu)
{
    if (nr_nodes() == 1) [[likely]]
        return 0;
    return cpu_nodes[cpu % nr_mapped_cpus].load(std::memory_order_relaxed);
}

unsigned current_node()
{
    return nr_nodes() == 1 ? 0 : node_of_cpu(host::current_cpu());
}

unsigned node_distance(unsigned from, unsigned to)
{
    return nr_nodes() == 1 ? local_distance : distances[from][to];
}

const std::uint8_t* nodes_by_distance(unsigned from)
{
    return orders[from];
}

void set_up_nodes(unsigned fake, const char* directory)
{
    const unsigned nr = fake != 0 ? fake : find_nodes(directory);
    nodes_there_are.nr_online = nr;
    are_real = fake == 0;
    if (nr == 1)
        return;
    set_plain_distances();
    for (unsigned cpu = 0; cpu < nr_mapped_cpus; ++cpu)
        set_cpu_node(cpu, are_real ? 0 : cpu % nr);
    if (are_real)
        read_nodes(directory);
    for (unsigned node = 0; node < nr; ++node)
        sort_order(node);
}

void set_cpu_node(unsigned cpu, unsigned node)
{
    cpu_nodes[cpu % nr_mapped_cpus].store(static_cast<std::uint8_t>(node),
                                          std::memory_order_relaxed);
}

void set_node_distance(unsigned from, unsigned to, unsigned distance)
{
    distances[from][to] = static_cast<std::uint8_t>(distance);
    sort_order(from);
}

void bind_to_node(void* start, std::size_t size, unsigned node)
{
    if (are_real && nr_nodes() > 1)
        host::prefer_node(start, size, kernel_numbers[node]);
}

} // namespace bsl
