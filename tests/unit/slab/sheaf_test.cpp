#include "slab/sheaf.hpp"

#include "host/thread.hpp"
#include "slab/barn.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

using namespace bsl;

namespace
{

/// Something to point to; who holds it is told by its state.
struct alignas(16) object
{
    std::atomic<int> holder{0};
};

/// n objects, ascending by address.
std::vector<void*> pointers_to(std::deque<object>& objects, unsigned n)
{
    objects.resize(n);
    std::vector<void*> found;
    for (object& o : objects)
        found.push_back(&o);
    std::sort(found.begin(), found.end());
    return found;
}

} // namespace

TEST_CASE("a bin without a sheaf is empty and full at once")
{
    bin b;
    int object = 0;
    CHECK_FALSE(b.has_sheaf());
    CHECK(b.is_empty());
    CHECK(b.pop() == nullptr);
    CHECK_FALSE(b.push(&object));
    CHECK(b.pop() == nullptr);
    CHECK(detach(b) == nullptr);
}

TEST_CASE("a sheaf of any capacity takes so many objects and gives the last first")
{
    std::deque<object> objects;
    const std::vector<void*> all = pointers_to(objects, sheaf_capacity_max + 1);
    for (unsigned capacity = 1; capacity <= sheaf_capacity_max; ++capacity) {
        sheaf s;
        bin b;
        reset(s, capacity);
        attach(b, s);
        CHECK(b.has_sheaf());
        CHECK(b.is_empty());
        for (unsigned i = 0; i < capacity; ++i) {
            REQUIRE(b.push(all[i]));
            REQUIRE(b.is_topmost(all[i]));
            if (i + 1 < capacity)
                REQUIRE_FALSE(b.push(all[i])); // freed twice in a row
        }
        REQUIRE_FALSE(b.push(all[capacity]));
        for (unsigned i = capacity; i != 0; --i)
            REQUIRE(b.pop() == all[i - 1]);
        REQUIRE(b.pop() == nullptr);
        CHECK(detach(b) == &s);
        CHECK_FALSE(b.has_sheaf());
        CHECK(count(s) == 0);
    }
}

TEST_CASE("several objects at once are popped and pushed as one by one")
{
    std::deque<object> objects;
    const std::vector<void*> all = pointers_to(objects, 9);
    sheaf s;
    reset(s, 7);
    bin b;
    void* popped[9];
    const auto any = [](void*) { return true; };
    CHECK(b.pop_some(popped, 3) == 0);
    CHECK(b.push_some(all.data(), 3, any) == 0);
    attach(b, s);
    CHECK(b.pop_some(popped, 3) == 0);
    CHECK(b.push_some(all.data(), 9, any) == 7);
    CHECK(b.push_some(all.data() + 7, 2, any) == 0);
    CHECK(b.pop_some(popped, 2) == 2);
    CHECK((popped[0] == all[6] && popped[1] == all[5]));
    CHECK(b.push_some(&popped[1], 1, any) == 1);
    CHECK(b.push_some(&popped[1], 1, any) == 0); // freed twice
    CHECK(b.pop() == all[5]);
    CHECK(b.pop_some(popped, 9) == 5);
    for (unsigned i = 0; i < 5; ++i)
        CHECK(popped[i] == all[4 - i]);
    CHECK(b.is_empty());
}

TEST_CASE(
    "of objects pushed at once only those in another page than the one before are asked about")
{
    const auto in_page = [](std::uintptr_t page, std::uintptr_t n) {
        return reinterpret_cast<void*>(page * bytes_per_page + n * 64); // nobody looks into it
    };
    void* const all[] = {in_page(1, 0), in_page(1, 1), in_page(2, 1), in_page(2, 0), in_page(1, 2)};
    sheaf s;
    reset(s, 9);
    bin b;
    attach(b, s);
    std::vector<void*> asked;
    const auto is_in_first = [&asked, &in_page](void* object) {
        asked.push_back(object);
        return object < in_page(2, 0);
    };
    CHECK(b.push_some(all, 5, is_in_first) == 2);
    CHECK(asked == std::vector<void*>{all[0], all[2]});
    CHECK(b.push_some(all + 4, 1, is_in_first) == 1);
    CHECK(asked.size() == 2); // as the one below it
    CHECK(b.is_topmost(all[4]));
    while (b.pop() != nullptr) {
    }
    CHECK(detach(b) == &s);
}

TEST_CASE("a full sheaf is found again from its end")
{
    std::deque<object> objects;
    const std::vector<void*> all = pointers_to(objects, sheaf_capacity_max);
    sheaf s;
    bin b;
    reset(s, sheaf_capacity_max);
    attach(b, s);
    for (void* object : all)
        REQUIRE(b.push(object));
    REQUIRE(detach(b) == &s);
    CHECK(count(s) == sheaf_capacity_max);
    void* out[sheaf_capacity_max];
    REQUIRE(empty(s, out, 5) == sheaf_capacity_max);
    CHECK(std::vector<void*>(std::rbegin(out), std::rend(out)) == all);
    CHECK(count(s) == 0);
    attach(b, s);
    for (unsigned i = 0; i < 5; ++i)
        CHECK(b.push(all[i]));
    CHECK_FALSE(b.push(all[5]));
}

TEST_CASE("filled objects are popped in the order of their addresses")
{
    std::deque<object> objects;
    const std::vector<void*> all = pointers_to(objects, 20);
    sheaf s;
    bin b;
    reset(s, 30);
    fill(s, all.data(), 20);
    CHECK(count(s) == 20);
    attach(b, s);
    for (void* object : all)
        CHECK(b.pop() == object);
    CHECK(b.pop() == nullptr);
}

TEST_CASE("a theft from a bin at rest leaves its owner the topmost object")
{
    std::deque<object> objects;
    for (unsigned n = 0; n <= sheaf_capacity_max; ++n) {
        const std::vector<void*> all = pointers_to(objects, n);
        sheaf s;
        bin b;
        reset(s, sheaf_capacity_max);
        attach(b, s);
        for (void* object : all)
            REQUIRE(b.push(object));
        void* stolen[sheaf_capacity_max];
        unsigned taken = 0;
        theft t;
        if (t.begin(b))
            taken = t.finish(stolen);
        REQUIRE(taken == (n < 2 ? 0 : n - 1));
        if (n != 0)
            REQUIRE(b.pop() == all[n - 1]);
        REQUIRE(b.pop() == nullptr);
        // The floor is higher now; what lies above can be used as ever.
        for (unsigned i = 0; i < taken; ++i)
            REQUIRE(stolen[i] == all[n - 2 - i]);
        REQUIRE(detach(b) == &s);
        REQUIRE(count(s) == 0);
    }
}

TEST_CASE("a theft that is undone has taken nothing")
{
    std::deque<object> objects;
    const std::vector<void*> all = pointers_to(objects, 10);
    sheaf s;
    bin b;
    reset(s, 20);
    attach(b, s);
    for (void* object : all)
        REQUIRE(b.push(object));
    theft t;
    REQUIRE(t.begin(b));
    CHECK(t.undo() == 0);
    for (unsigned i = 10; i != 0; --i)
        CHECK(b.pop() == all[i - 1]);
    CHECK(b.pop() == nullptr);
}

TEST_CASE("a theft fails if the owner has come by meanwhile")
{
    std::deque<object> objects;
    const std::vector<void*> all = pointers_to(objects, 10);
    sheaf s;
    bin b;
    reset(s, 20);
    attach(b, s);
    for (void* object : all)
        REQUIRE(b.push(object));
    void* stolen[sheaf_capacity_max];

    SECTION("and is right above")
    {
        theft t;
        REQUIRE(t.begin(b));
        CHECK(b.pop() == all[9]);
        CHECK(t.finish(stolen) == 0);
        for (unsigned i = 9; i != 0; --i)
            CHECK(b.pop() == all[i - 1]);
    }
    SECTION("and has filled the slot again")
    {
        // It popped both before it could see the NULL, and pushed them in the other order.
        theft t;
        REQUIRE(t.begin(b));
        b.top.store(b.top.load() - 2);
        REQUIRE(b.push(all[9]));
        REQUIRE(b.push(all[8]));
        CHECK(t.finish(stolen) == 0);
        CHECK(b.pop() == all[8]);
        CHECK(b.pop() == all[9]);
        CHECK(b.pop() == all[7]);
    }
}

namespace
{

/// One owner that pops and pushes without a lock, and takes the lock where its bin is empty or full;
/// one thief.  Each object knows who holds it, so that one that is lost or doubled is noticed.
class contest
{
public:
    static constexpr unsigned nr_objects = 200;
    static constexpr unsigned capacity = 24;

    contest()
    {
        pool_ = pointers_to(objects_, nr_objects);
        reset(sheaf_, capacity);
        attach(bin_, sheaf_);
    }

    void own(unsigned rounds)
    {
        std::mt19937 random(9);
        std::vector<void*> mine;
        for (unsigned i = 0; i < rounds; ++i) {
            const bool takes = mine.empty() || (mine.size() < 60 && random() % 2 == 0);
            if (takes) {
                if (void* object = take())
                    mine.push_back(object);
                continue;
            }
            give(mine.back());
            mine.pop_back();
        }
        while (!mine.empty()) {
            give(mine.back());
            mine.pop_back();
        }
    }

    void steal()
    {
        void* stolen[sheaf_capacity_max];
        std::lock_guard guard(lock_);
        theft t;
        if (!t.begin(bin_))
            return;
        const bool ordered = host::memory_barrier_everywhere();
        const unsigned n = ordered ? t.finish(stolen) : t.undo();
        for (unsigned i = 0; i < n; ++i) {
            hand_over(stolen[i], 0, thief);
            hand_over(stolen[i], thief, 0);
            pool_.push_back(stolen[i]);
        }
        nr_stolen_ += n;
    }

    /// All objects there are, when both have ended.
    std::size_t nr_left()
    {
        std::size_t n = pool_.size();
        while (bin_.pop() != nullptr)
            ++n;
        return n;
    }

    std::size_t nr_stolen() const { return nr_stolen_; }
    bool was_fair() const { return fair_.load(); }

private:
    static constexpr int owner = 1;
    static constexpr int thief = 2;

    void hand_over(void* object, int from, int to)
    {
        if (static_cast<struct object*>(object)->holder.exchange(to) != from)
            fair_ = false;
    }

    void* take()
    {
        void* object = bin_.pop();
        if (object == nullptr) {
            std::lock_guard guard(lock_);
            object = bin_.pop(); // a theft that failed may have left objects below its slot
            if (object == nullptr) {
                hang_in_more();
                object = bin_.pop();
            }
        }
        if (object != nullptr)
            hand_over(object, 0, owner);
        return object;
    }

    void hang_in_more()
    {
        sheaf* s = detach(bin_);
        reset(*s, capacity);
        for (unsigned i = 0; i < capacity / 2 && !pool_.empty(); ++i) {
            void* back = pool_.back();
            pool_.pop_back();
            fill(*s, &back, 1);
        }
        attach(bin_, *s);
    }

    void give(void* object)
    {
        hand_over(object, owner, 0);
        if (bin_.push(object))
            return;
        std::lock_guard guard(lock_);
        void* out[sheaf_capacity_max];
        sheaf* s = detach(bin_);
        const unsigned n = empty(*s, out, capacity);
        pool_.insert(pool_.end(), out, out + n);
        attach(bin_, *s);
        if (!bin_.push(object))
            fair_ = false;
    }

    std::deque<object> objects_;
    std::mutex lock_;
    std::vector<void*> pool_; ///< lock_
    sheaf sheaf_;
    bin bin_;
    std::size_t nr_stolen_ = 0;
    std::atomic<bool> fair_{true};
};

} // namespace

TEST_CASE("a thief and a running owner neither lose nor double an object")
{
    contest c;
    std::atomic<bool> done{false};
    std::thread owner([&] {
        c.own(3000000);
        done = true;
    });
    while (!done) {
        c.steal();
        std::this_thread::yield();
    }
    owner.join();
    CHECK(c.was_fair());
    CHECK(c.nr_left() == contest::nr_objects);
    if (host::memory_barrier_everywhere())
        CHECK(c.nr_stolen() > 0);
}

TEST_CASE("a barn exchanges full sheaves for empty ones, the last first")
{
    std::deque<object> objects;
    const std::vector<void*> all = pointers_to(objects, 8);
    barn b;
    sheaf sheaves[4];
    for (sheaf& s : sheaves)
        reset(s, 4);
    sheaf* spare = nullptr;
    CHECK_FALSE(b.has_full());
    CHECK(b.exchange_for_full(spare) == nullptr);
    fill(sheaves[0], all.data(), 4);
    fill(sheaves[1], all.data() + 4, 4);
    REQUIRE(b.put_full(sheaves[0], 2, spare));
    REQUIRE(b.put_full(sheaves[1], 2, spare));
    CHECK(spare == nullptr); // it has none to give
    CHECK(b.has_full());
    CHECK(b.nr_objects() == 8);
    CHECK_FALSE(b.put_full(sheaves[2], 2, spare));

    spare = &sheaves[3];
    CHECK(b.exchange_for_full(spare) == &sheaves[1]);
    CHECK(spare == nullptr);
    CHECK(b.nr_objects() == 4);
    REQUIRE(b.put_full(sheaves[1], 2, spare));
    CHECK(spare == &sheaves[3]);

    REQUIRE(b.exchange_for_full(spare) == &sheaves[1]);
    CHECK(b.take_any() == &sheaves[0]);
    CHECK_FALSE(b.has_full());
    CHECK(b.take_any() == &sheaves[3]);
    CHECK(b.take_any() == nullptr);
    CHECK(b.nr_objects() == 0);
}
