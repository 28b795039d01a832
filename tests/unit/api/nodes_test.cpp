#include "unit/api/nodes.hpp"

#include <buddyslab/kmem_cache.h>

#include <sched.h>

namespace
{

constexpr std::size_t sizes[] = {16, 100, 1000, 5000, 30000, 40000, 500000, 3 << 20};

/// Objects of all kinds of sizes; all must lie on the node.
std::vector<void*> objects_on(unsigned node)
{
    std::vector<void*> objects;
    for (std::size_t size : sizes) {
        for (unsigned i = 0; i < 20; ++i) {
            objects.push_back(bsl_malloc(size));
            std::memset(objects.back(), 0x5a, size);
            REQUIRE(node_of(objects.back()) == node);
        }
    }
    return objects;
}

void free_all(const std::vector<void*>& objects)
{
    for (void* p : objects)
        bsl_free(p);
}

/// Takes single pages of a node until it refuses; returns how many.
unsigned drain_node(int nid)
{
    unsigned nr = 0;
    while (bsl_page* first = bsl_alloc_pages_node(nid, BSL_GFP_KERNEL | BSL_GFP_THISNODE, 0)) {
        must(bsl_page_to_nid(first) == nid, "THISNODE gave another node's page\n");
        ++nr;
    }
    return nr;
}

} // namespace

TEST_CASE("one node: all memory is of node 0, and others there are none")
{
    CHECK(bsl_nr_online_nodes() == 1);
    CHECK(bsl_numa_node_id() == 0);
    CHECK(bsl_node_distance(0, 0) == 10);
    bsl_page* first = bsl_alloc_pages_node(0, BSL_GFP_KERNEL | BSL___GFP_THISNODE, 1);
    REQUIRE(first != nullptr);
    CHECK(bsl_page_to_nid(first) == 0);
    bsl_free_block(first, 1);
    errno = 0;
    CHECK(bsl_alloc_pages_node(1, BSL_GFP_KERNEL, 0) == nullptr);
    CHECK(errno == EINVAL);
    errno = 0;
    CHECK(bsl_alloc_pages_node(-2, BSL_GFP_KERNEL, 0) == nullptr);
    CHECK(errno == EINVAL);
}

TEST_CASE("malloc, caches and page frames take memory of the node they run on")
{
    simulate_nodes(4);
    bsl_kmem_cache* cache = bsl_kmem_cache_create("nodes", 200, 0, 0, nullptr);
    for (unsigned node : {2u, 0u, 3u, 1u}) {
        move_to_node(node);
        CHECK(bsl_numa_node_id() == static_cast<int>(node));
        std::thread on_node([=] {
            const std::vector<void*> objects = objects_on(node);
            free_all(objects);
            free_all(objects_on(node)); // what was freed is used again, and is of the node
            void* object = bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL);
            CHECK(node_of(object) == node);
            bsl_kmem_cache_free(cache, object);
            for (unsigned order = 0; order <= BSL_MAX_PAGE_ORDER; ++order) {
                bsl_page* first = bsl_alloc_pages(BSL_GFP_KERNEL, order);
                REQUIRE(first != nullptr);
                CHECK(bsl_page_to_nid(first) == static_cast<int>(node));
                bsl_free_block(first, order);
            }
        });
        on_node.join();
    }
    CHECK(bsl_kmem_cache_destroy(cache) == 0);
    validate_zone();
}

TEST_CASE("a thread that moves takes memory of where it is")
{
    simulate_nodes(2);
    move_to_node(1);
    std::vector<void*> of_1 = objects_on(1);
    for (std::size_t i = 0; i < of_1.size(); i += 2) {
        bsl_free(of_1[i]);
        of_1[i] = nullptr;
    }
    move_to_node(0);
    std::vector<void*> of_0;
    for (unsigned i = 0; i < 1000; ++i)
        of_0.push_back(bsl_malloc(100));
    // All but what was in its bin.
    std::size_t remote = 0;
    for (void* p : of_0)
        remote += node_of(p) != 0;
    CHECK(remote <= bsl::sheaf_capacity_max);
    free_all(of_1);
    free_all(of_0);
    bsl_malloc_trim(0);
    validate_zone();
}

TEST_CASE("what is freed on another node goes home")
{
    simulate_nodes(2);
    move_to_node(1);
    std::vector<void*> objects;
    for (unsigned i = 0; i < 20000; ++i)
        objects.push_back(bsl_malloc(256));
    const std::size_t in_use = pages_in_use();
    const std::size_t free_before = free_pages_of(1);
    move_to_node(0);
    free_all(objects);
    // Without any trim: all but a sheaf, and empty slabs that are kept.
    CHECK(free_pages_of(1) > free_before + 1000);
    for (unsigned i = 0; i < 2000; ++i)
        REQUIRE((objects[i] = bsl_malloc(256)) != nullptr);
    std::size_t remote = 0;
    for (unsigned i = 0; i < 2000; ++i)
        remote += node_of(objects[i]) != 0;
    CHECK(remote <= bsl::sheaf_capacity_max);
    objects.resize(2000);
    free_all(objects);
    CHECK(pages_in_use() < in_use - 1000);
    validate_zone();
}

TEST_CASE("page frames freed on another node go home, too")
{
    simulate_nodes(2);
    move_to_node(1);
    std::vector<bsl_page*> frames;
    for (unsigned i = 0; i < 200; ++i)
        frames.push_back(bsl_alloc_page(BSL_GFP_KERNEL));
    const std::size_t free_before = free_pages_of(1);
    move_to_node(0);
    for (bsl_page* first : frames)
        bsl_free_block(first, 0);
    CHECK(free_pages_of(1) >= free_before + 200 - bsl::frame_bin_capacity);
    bsl_malloc_trim(0);
    CHECK(free_pages_of(1) >= free_before + 200);
    validate_zone();
}

TEST_CASE("a node that is asked for gives its pages, wherever the caller is")
{
    simulate_nodes(4);
    move_to_node(0);
    for (int nid : {3, 1, 2, 0, BSL_NUMA_NO_NODE}) {
        for (bsl_gfp_t flag : {bsl_gfp_t{0}, bsl_gfp_t{BSL_GFP_THISNODE}}) {
            bsl_page* first = bsl_alloc_pages_node(nid, BSL_GFP_KERNEL | flag, 2);
            REQUIRE(first != nullptr);
            CHECK(bsl_page_to_nid(first) == (nid == BSL_NUMA_NO_NODE ? 0 : nid));
            bsl_free_block(first, 2);
        }
    }
    bsl_page* low = bsl_alloc_pages_node(2, BSL_GFP_KERNEL | BSL_GFP_DMA32, 0);
    if (low != nullptr) {
        CHECK(bsl_page_to_nid(low) == 2);
        CHECK(reinterpret_cast<std::uintptr_t>(bsl_page_address(low)) >> 32 == 0);
        bsl_free_block(low, 0);
    }
}

TEST_CASE("a node that is out: others serve by distance, or nobody if only this one is asked")
{
    simulate_nodes(4);
    bsl::set_node_distance(1, 3, 12);
    bsl::set_node_distance(1, 0, 14);
    bsl::set_node_distance(1, 2, 16);
    const child_result child = in_child([] {
        for (unsigned node = 0; node < 4; ++node) { // an arena each
            move_to_node(node);
            bsl_free_block(bsl_alloc_pages_node(static_cast<int>(node), BSL_GFP_KERNEL, 0), 0);
        }
        move_to_node(1);
        refuse_more_memory();
        constexpr int order[] = {1, 3, 0, 2}; // in which they are turned to
        for (unsigned i = 0; i < 4; ++i) {
            errno = 0;
            const unsigned nr = drain_node(order[i]);
            must(errno == ENOMEM && nr > 100, "THISNODE does not end with ENOMEM\n");
            bool again = true;
            while (again) { // what the thread kept of the others went home meanwhile
                again = false;
                for (unsigned j = 0; j <= i; ++j)
                    again |= drain_node(order[j]) != 0;
            }
            bsl_page* next = bsl_alloc_pages_node(1, BSL_GFP_KERNEL, 0);
            must((next == nullptr) == (i == 3), "the others do not serve, or nobody does\n");
            must(next == nullptr || bsl_page_to_nid(next) == order[i + 1], "not the nearest\n");
        }
    });
    CHECK(child.succeeded());
    CHECK(child.text == "");
}

TEST_CASE("memory of any node serves malloc of any size when the system refuses more")
{
    simulate_nodes(2);
    const child_result child = in_child([] {
        move_to_node(1);
        std::vector<void*> objects;
        for (unsigned i = 0; i < 60000; ++i)
            objects.push_back(bsl_malloc(500));
        for (void* p : objects)
            std::memset(p, 1, 500);
        free_all(objects);
        move_to_node(0);
        bsl_free(bsl_malloc(100));
        refuse_more_memory();
        std::size_t got = 0;
        for (std::size_t size : {100000ul, 3000ul, 50ul}) {
            for (std::size_t sum = 0; sum < 5u << 20; sum += size, ++got) {
                void* p = bsl_malloc(size);
                must(p != nullptr, "nothing although 30 MB are free on the other node\n");
                std::memset(p, 2, size);
            }
        }
        bsl::for_each_malloc_zone([](bsl::zone& z) {
            bsl::mutex_guard guard(z.lock);
            z.validate();
        });
    });
    CHECK(child.succeeded());
    CHECK(child.text == "");
}

TEST_CASE("trim gives back what all nodes have")
{
    simulate_nodes(2);
    std::vector<void*> objects;
    for (unsigned node : {0u, 1u}) {
        move_to_node(node);
        for (unsigned i = 0; i < 20000; ++i) {
            objects.push_back(bsl_malloc(400));
            std::memset(objects.back(), 3, 400);
        }
    }
    const auto resident = [&] {
        std::size_t sum = 0;
        bsl::for_each_malloc_zone(
            [&sum](bsl::zone& z) { sum += z.counts().nr_dirty_small + z.counts().nr_dirty_large; });
        return sum;
    };
    free_all(objects);
    bsl_malloc_trim(0);
    CHECK(resident() == 0);
}

TEST_CASE("threads that wander between nodes and free each other's memory lose nothing")
{
    simulate_nodes(2);
    const std::size_t before = pages_in_use();
    std::atomic<void*> exchange[64] = {};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&exchange, t] {
            std::minstd_rand random(t + 1);
            cpu_set_t allowed;
            sched_getaffinity(0, sizeof allowed, &allowed);
            for (unsigned i = 0; i < 20000; ++i) {
                if (i % 500 == 0) { // to any of the processors
                    cpu_set_t one;
                    CPU_ZERO(&one);
                    unsigned cpu = random() % CPU_SETSIZE;
                    while (!CPU_ISSET(cpu, &allowed))
                        cpu = (cpu + 1) % CPU_SETSIZE;
                    CPU_SET(cpu, &one);
                    sched_setaffinity(0, sizeof one, &one);
                }
                const std::size_t size = sizes[random() % 7];
                void* p = bsl_malloc(size);
                std::memset(p, static_cast<int>(t), size < 64 ? size : 64);
                bsl_free(exchange[random() % 64].exchange(p));
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    for (auto& p : exchange)
        bsl_free(p.exchange(nullptr));
    CHECK(pages_in_use() <= before + 4 * pages_for_a_thread);
    validate_zone();
}

TEST_CASE("what never waits comes from the node that is asked for, or from none")
{
    simulate_nodes(2);
    move_to_node(0);
    bsl_free_block(bsl_alloc_page(BSL_GFP_KERNEL), 0); // fills the reserve, with pages of node 0
    for (bsl_gfp_t gfp : {bsl_gfp_t{BSL_GFP_THISNODE}, BSL_GFP_NOWAIT | BSL___GFP_THISNODE,
                          BSL_GFP_ATOMIC | BSL___GFP_THISNODE}) {
        CHECK(bsl_alloc_pages_node(1, gfp, 0) == nullptr);
        for (int nid : {0, BSL_NUMA_NO_NODE}) {
            bsl_page* first = bsl_alloc_pages_node(nid, gfp, 0);
            REQUIRE(first != nullptr);
            CHECK(bsl_page_to_nid(first) == 0);
            bsl_free_block(first, 0);
        }
    }
    bsl_page* of_any = bsl_alloc_pages_node(1, BSL_GFP_NOWAIT, 0);
    REQUIRE(of_any != nullptr);
    bsl_free_block(of_any, 0);
}

TEST_CASE("before a node refuses, it has given all that threads and windows kept")
{
    simulate_nodes(2);
    const child_result child = in_child([] {
        move_to_node(1);
        static void* objects[20000];
        for (void*& p : objects)
            p = bsl_malloc(2000);
        void* window = bsl_malloc(40 << 20);
        std::memset(window, 1, 40 << 20);
        for (void* p : objects)
            bsl_free(p);
        bsl_free(window);
        refuse_more_memory();
        must(drain_node(1) > 5000, "NULL, and there is so much\n");
        must(drain_node(1) == 0, "NULL, and then there is more\n");
    });
    CHECK(child.succeeded());
    CHECK(child.text.empty());
}
