#include "arena/node.hpp"

#include "host/thread.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace bsl;

namespace
{

/// A directory as /sys/devices/system/node.
class own_machine
{
public:
    own_machine()
    {
        char name[] = "/tmp/buddyslab-nodes-XXXXXX";
        REQUIRE(mkdtemp(name) != nullptr);
        place_ = name;
    }
    ~own_machine() { std::filesystem::remove_all(place_); }

    void write(const std::string& file, const std::string& text) const
    {
        std::filesystem::create_directories(
            std::filesystem::path(place_ + "/" + file).parent_path());
        std::ofstream(place_ + "/" + file) << text << '\n';
    }

    const char* place() const { return place_.c_str(); }

private:
    std::string place_;
};

std::vector<unsigned> order_of(unsigned node)
{
    const std::uint8_t* order = nodes_by_distance(node);
    return {order, order + nr_nodes()};
}

} // namespace

TEST_CASE("a machine with one node, or one that says nothing, has node 0")
{
    own_machine one;
    one.write("has_memory", "0");
    set_up_nodes(0, one.place());
    CHECK(nr_nodes() == 1);
    set_up_nodes(0, "/nowhere");
    CHECK(nr_nodes() == 1);
    CHECK(node_of_cpu(0) == 0);
    CHECK(current_node() == 0);
    CHECK(node_distance(0, 0) == local_distance);
}

TEST_CASE("nodes, their processors and distances are the system's")
{
    own_machine four;
    four.write("has_memory", "0-2,8");
    four.write("node0/cpulist", "0-1,8");
    four.write("node1/cpulist", "2-3");
    four.write("node2/cpulist", "");
    four.write("node8/cpulist", "4-7,9-10");
    four.write("node0/distance", "10 21 31 21");
    four.write("node1/distance", "21 10 21 31");
    four.write("node2/distance", "31 21 10 21");
    four.write("node8/distance", "21 31 21 10");
    set_up_nodes(0, four.place());
    REQUIRE(nr_nodes() == 4);
    for (unsigned cpu : {0u, 1u, 8u})
        CHECK(node_of_cpu(cpu) == 0);
    for (unsigned cpu : {2u, 3u})
        CHECK(node_of_cpu(cpu) == 1);
    for (unsigned cpu : {4u, 7u, 9u, 10u})
        CHECK(node_of_cpu(cpu) == 3);
    CHECK(node_distance(0, 2) == 31);
    CHECK(node_distance(3, 3) == local_distance);
    CHECK(order_of(0) == std::vector<unsigned>{0, 1, 3, 2});
    CHECK(order_of(1) == std::vector<unsigned>{1, 2, 0, 3});
    CHECK(order_of(2) == std::vector<unsigned>{2, 3, 1, 0});
    CHECK(order_of(3) == std::vector<unsigned>{3, 0, 2, 1});
}

TEST_CASE("more nodes than there is room for, and a table of another size, are cut")
{
    own_machine many;
    many.write("has_memory", "0-63");
    many.write("node0/distance", "10 20 30");
    set_up_nodes(0, many.place());
    CHECK(nr_nodes() == nr_nodes_max);
    CHECK(node_distance(0, 2) == remote_distance);
}

TEST_CASE("simulated nodes have processors in turn, and equally far ones follow each other")
{
    set_up_nodes(4);
    REQUIRE(nr_nodes() == 4);
    for (unsigned cpu = 0; cpu < 64; ++cpu)
        CHECK(node_of_cpu(cpu) == cpu % 4);
    CHECK(current_node() < 4);
    CHECK(order_of(0) == std::vector<unsigned>{0, 1, 2, 3});
    CHECK(order_of(2) == std::vector<unsigned>{2, 3, 0, 1});
    set_node_distance(2, 1, 15);
    CHECK(order_of(2) == std::vector<unsigned>{2, 1, 3, 0});
    set_cpu_node(5, 0);
    CHECK(node_of_cpu(5) == 0);
}
