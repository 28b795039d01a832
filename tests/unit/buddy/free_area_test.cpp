#include "buddy/free_area.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <vector>

using namespace bsl;

namespace
{

/// The same pageblock, naively: one flag per page, and every question answered by looking at all.
class reference
{
public:
    std::vector<bool> used = std::vector<bool>(pages_per_pageblock, true);
    std::vector<bool> dirty = std::vector<bool>(pages_per_pageblock, false);

    struct block
    {
        std::size_t first;
        unsigned order;
        residency kind;
    };

    /// The free blocks: each as large as its free neighbourhood allows.
    std::vector<block> blocks() const
    {
        std::vector<block> found;
        for (std::size_t first = 0; first < pages_per_pageblock;) {
            unsigned order = max_page_order;
            while (first % nr_pages(order) != 0 || (order != 0 && !is_free(first, order)))
                --order;
            if (is_free(first, order))
                found.push_back({first, order, kind_of(first, order)});
            first += nr_pages(order);
        }
        return found;
    }

    /// Pages of the longest run of free ones.
    unsigned longest_run() const
    {
        unsigned longest = 0;
        unsigned length = 0;
        for (const bool is_used : used) {
            length = is_used ? 0 : length + 1;
            longest = std::max(longest, length);
        }
        return longest;
    }

    /// Are the pages [first, first + pages) free, in a run of `room` or more?
    bool is_in_run(unsigned first, unsigned pages, unsigned room) const
    {
        unsigned start = first;
        while (start != 0 && !used[start - 1])
            --start;
        unsigned end = start;
        while (end != pages_per_pageblock && !used[end])
            ++end;
        return end >= first + pages && end - start >= room;
    }

    bool is_free(std::size_t first, unsigned order) const
    {
        return std::find(used.begin() + static_cast<std::ptrdiff_t>(first),
                         used.begin() + static_cast<std::ptrdiff_t>(first + nr_pages(order)),
                         true) ==
               used.begin() + static_cast<std::ptrdiff_t>(first + nr_pages(order));
    }

    residency kind_of(std::size_t first, unsigned order) const
    {
        for (std::size_t i = first; i < first + nr_pages(order); ++i) {
            if (dirty[i])
                return residency::resident;
        }
        return residency::clean;
    }

    void set_used(std::size_t first, unsigned order, bool value)
    {
        for (std::size_t i = first; i < first + nr_pages(order); ++i)
            used[i] = value;
    }
};

struct taken_block
{
    unsigned first;
    unsigned order;
};

/// A pageblock and its reference, driven through the same random history.
class twins
{
public:
    explicit twins(unsigned seed) : random_(seed), block_(std::make_unique<pageblock>())
    {
        give(0, max_page_order);
    }

    void step()
    {
        if (random_() % 2 == 0 && !taken_.empty())
            give_any();
        else
            try_take(static_cast<unsigned>(random_() % (random_() % 4 == 0 ? 11 : 4)),
                     random_() % 2 == 0 ? residency::resident : residency::clean);
        validate(*block_);
    }

    void give_all()
    {
        while (!taken_.empty())
            give_any();
    }

    void check_answers() const
    {
        const std::vector<reference::block> blocks = naive_.blocks();
        std::size_t free = 0;
        std::size_t dirty = 0;
        int largest[nr_residencies] = {-1, -1};
        std::size_t count[nr_residencies][nr_page_orders] = {};
        for (const reference::block& b : blocks) {
            const auto kind = static_cast<unsigned>(b.kind);
            largest[kind] = std::max(largest[kind], static_cast<int>(b.order));
            ++count[kind][b.order];
            free += nr_pages(b.order);
            for (std::size_t i = b.first; i < b.first + nr_pages(b.order); ++i)
                dirty += naive_.dirty[i] ? 1 : 0;
        }
        REQUIRE(block_->nr_free == free);
        REQUIRE(block_->nr_dirty_free == dirty);
        for (unsigned kind = 0; kind < nr_residencies; ++kind) {
            REQUIRE(largest_order(*block_, static_cast<residency>(kind)) == largest[kind]);
            for (unsigned order = 0; order < nr_page_orders; ++order) {
                REQUIRE(block_->nr_blocks[kind][order] == count[kind][order]);
                REQUIRE(has_block(*block_, order, static_cast<residency>(kind)) ==
                        (largest[kind] >= static_cast<int>(order)));
            }
        }
    }

    void check_runs()
    {
        const auto pages = static_cast<unsigned>(1 + random_() % (random_() % 2 == 0 ? 20 : 200));
        const auto room = static_cast<unsigned>(pages + (random_() % 2 == 0 ? random_() % 100 : 0));
        for (int again = 0; again < 2; ++again) { // the first search may have left a note
            const found_run found = find_run(*block_, pages, room);
            REQUIRE((found.nr_clean <= pages) == (naive_.longest_run() >= room));
            if (found.nr_clean > pages)
                continue;
            REQUIRE(naive_.is_in_run(found.first, pages, room));
            const auto first = naive_.dirty.begin() + found.first;
            REQUIRE(found.nr_clean == std::count(first, first + pages, false));
        }
    }

    const pageblock& block() const { return *block_; }

private:
    void try_take(unsigned order, residency kind)
    {
        if (!has_block(*block_, order, kind))
            return;
        unsigned smallest = max_page_order;
        for (const reference::block& b : naive_.blocks()) {
            if (b.kind == kind && b.order >= order)
                smallest = std::min(smallest, b.order);
        }
        const unsigned first = take_block(*block_, order, kind);
        REQUIRE(first % nr_pages(order) == 0);
        REQUIRE(naive_.is_free(first, order));
        // It was the smallest block that would do, or a part of one.
        const std::size_t home = round_down(first, nr_pages(smallest));
        REQUIRE(naive_.is_free(home, smallest));
        REQUIRE(naive_.kind_of(home, smallest) == kind);
        if (kind == residency::resident)
            REQUIRE(naive_.kind_of(first, order) == residency::resident);
        naive_.set_used(first, order, true);
        taken_.push_back({first, order});
        touch_some(first, order);
    }

    /// The owner writes to some pages, or gives some back to the system.
    void touch_some(unsigned first, unsigned order)
    {
        for (std::size_t i = first; i < first + nr_pages(order); ++i) {
            const auto chance = random_() % 8;
            if (chance == 0)
                block_->dirty.set(i);
            else if (chance == 1)
                block_->dirty.clear(i);
            naive_.dirty[i] = block_->dirty.test(i);
        }
    }

    void give_any()
    {
        const std::size_t i = random_() % taken_.size();
        const taken_block b = taken_[i];
        taken_[i] = taken_.back();
        taken_.pop_back();
        give(b.first, b.order);
    }

    /// Sometimes in halves: a block need not come back as it was taken.
    void give(unsigned first, unsigned order)
    {
        if (order != 0 && random_() % 4 == 0) {
            give(first, order - 1);
            give(static_cast<unsigned>(first + nr_pages(order - 1)), order - 1);
            return;
        }
        give_block(*block_, first, order);
        naive_.set_used(first, order, false);
    }

    std::mt19937 random_;
    std::unique_ptr<pageblock> block_;
    reference naive_;
    std::vector<taken_block> taken_;
};

} // namespace

TEST_CASE("a new pageblock has one block")
{
    auto block = std::make_unique<pageblock>();
    CHECK(largest_order(*block, residency::clean) == -1);
    give_block(*block, 0, max_page_order);
    validate(*block);
    CHECK(largest_order(*block, residency::clean) == static_cast<int>(max_page_order));
    CHECK(largest_order(*block, residency::resident) == -1);
}

TEST_CASE("a split leaves one block of each order below")
{
    auto block = std::make_unique<pageblock>();
    give_block(*block, 0, max_page_order);
    CHECK(take_block(*block, 0, residency::clean) == 0);
    for (unsigned order = 0; order < max_page_order; ++order)
        CHECK(block->nr_blocks[1][order] == 1);
    CHECK(block->nr_blocks[1][max_page_order] == 0);
    give_block(*block, 0, 0);
    CHECK(block->nr_blocks[1][max_page_order] == 1);
}

TEST_CASE("splits keep the half with more resident pages")
{
    auto block = std::make_unique<pageblock>();
    block->dirty.set(700);
    give_block(*block, 0, max_page_order);
    CHECK(take_block(*block, 0, residency::resident) == 700);
    CHECK(largest_order(*block, residency::resident) == -1);
}

TEST_CASE("every order comes at every place and merges again")
{
    for (unsigned order = 0; order < nr_page_orders; ++order) {
        auto block = std::make_unique<pageblock>();
        give_block(*block, 0, max_page_order);
        const std::size_t count = pages_per_pageblock >> order;
        for (std::size_t i = 0; i < count; ++i)
            REQUIRE(take_block(*block, order, residency::clean) == i << order);
        CHECK(largest_order(*block, residency::clean) == -1);
        // Back in an order that leaves buddies apart as long as possible: even ones first.
        for (std::size_t i = 0; i < count; i += 2)
            give_block(*block, static_cast<unsigned>(i << order), order);
        validate(*block);
        for (std::size_t i = 1; i < count; i += 2)
            give_block(*block, static_cast<unsigned>(i << order), order);
        CHECK(largest_order(*block, residency::clean) == static_cast<int>(max_page_order));
    }
}

TEST_CASE("random takes and gives agree with a naive pageblock")
{
    for (unsigned seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        twins pair(seed);
        for (int step = 0; step < 1000; ++step) {
            pair.step();
            pair.check_runs();
            if (step % 5 == 0)
                pair.check_answers();
        }
        pair.give_all();
        pair.check_answers();
        REQUIRE(pair.block().nr_free == pages_per_pageblock);
    }
}
