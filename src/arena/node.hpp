#pragma once

/// Memory nodes (NUMA): which there are, which one a processor is on, how far they are apart.
///
///     /sys/devices/system/node/has_memory        0-1           nodes with memory
///                             /node1/cpulist     16-31         processor -> node
///                             /node1/distance    21 10         the firmware's table (ACPI SLIT)
///
/// A process that may have memory of one node only is a machine of one node to us, and none of this is read.
///
/// Nodes are counted 0, 1, … in the order of the kernel's numbers: the same numbers where those have no
/// gaps.  Nodes above nr_nodes_max are taken for the first, and so are processors of nodes without memory.
///
/// Nearly all machines have one node, and then nothing here is looked at but nr_nodes().  How many there
/// are is found out once, when the library starts: later a program may have shut itself off from the
/// file system.  What was allocated before belongs to node 0.
///
/// numa_fake=N simulates N nodes: processors are dealt out to them in turn, as the kernel does where the
/// firmware tells nothing (numa_init_array() in arch/x86/mm/numa.c); two nodes are 20 apart.

#include "base/cpu.hpp"
#include "config/limits.hpp"

#include <cstddef>
#include <cstdint>

namespace bsl
{

/// A node is 10 away from itself, and 20 from others unless the firmware knows better.
inline constexpr unsigned local_distance = 10;
inline constexpr unsigned remote_distance = 20;

/// Written by set_up_nodes(), while the process has one thread; read on the way of each slow path, and so
/// alone in its cache line.
struct alignas(cache_line_size) node_count
{
    unsigned nr_online;
};
extern constinit node_count nodes_there_are;

inline unsigned nr_nodes()
{
    return nodes_there_are.nr_online;
}

/// Instead of a node's number: whichever is best.
inline constexpr int any_node = -1;

/// The node of a processor.
unsigned node_of_cpu(unsigned cpu);

/// The node this thread runs on.
unsigned current_node();

/// As in the kernel: 10 from a node to itself, twice as much where memory takes twice as long.
unsigned node_distance(unsigned from, unsigned to);

/// All nodes in the order in which one turns to them for memory: itself, then by distance; of nodes that
/// are equally far the next ones first, so that not all turn to the same (find_next_best_node() in
/// mm/page_alloc.c).  nr_nodes() of them.
const std::uint8_t* nodes_by_distance(unsigned from);

/// Finds out what there is: `fake` nodes if that is not 0, else what stands in `directory`, which is
/// /sys/devices/system/node.  While the process has one thread.
void set_up_nodes(unsigned fake, const char* directory = "/sys/devices/system/node");

/// Changes what is known of a processor, or of the distance of two nodes.  (numa_set_node(),
/// numa_set_distance() in the kernel.)
void set_cpu_node(unsigned cpu, unsigned node);
void set_node_distance(unsigned from, unsigned to, unsigned distance);

/// Memory in this range, still untouched, is to come from the node: if the machine has it, and as long as
/// it has memory.  That the kernel refuses is no failure.
void bind_to_node(void* start, std::size_t size, unsigned node);

} // namespace bsl
