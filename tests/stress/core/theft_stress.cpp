/*
 * The theft of slab/sheaf.hpp alone: owners that pop and push without a lock as fast as they can,
 * and thieves that steal from them all the time.
 *
 *   theft_stress [owners=N] [thieves=N] [seconds=N]
 *
 * An owner lets its bin hover just above empty, where thief and owner meet; what the bin lacks or has
 * too much comes from or goes to a pool, under the owner's lock, as in heap/thread_heap.cpp.  Each
 * object knows where it is: whoever takes one that somebody else has fails at once.  In the end each
 * object must be in one place.
 */
#include "base/cpu.hpp"
#include "host/thread.hpp"
#include "locking/mutex.hpp"
#include "model/books.hpp"
#include "slab/sheaf.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace
{

using bsl::mutex_guard;
using test::fail;

constexpr std::size_t nr_objects = 64;
constexpr unsigned capacity = 20;

enum class place : unsigned char
{
    bin,
    pool,
    owner,
    thief
};

struct object
{
    std::atomic<place> at{place::pool};
    unsigned long content = 0; ///< the owner's to write; a race if two have it
};

std::atomic<bool> stop{false};
std::atomic<unsigned long> nr_stolen{0};
std::atomic<unsigned long> nr_undone{0};

void move(object& what, place from, place to)
{
    const place was = what.at.exchange(to, std::memory_order_relaxed);
    if (was != from)
        fail("object %p: went from %u to %u, but was in %u", static_cast<void*>(&what),
             static_cast<unsigned>(from), static_cast<unsigned>(to), static_cast<unsigned>(was));
}

/// A bin, its owner's objects, and the pool behind it.
class household
{
public:
    household() : objects_(nr_objects)
    {
        for (object& each : objects_)
            pool_.push_back(&each);
    }

    void own(unsigned seed)
    {
        std::minstd_rand random(seed);
        while (!stop.load(std::memory_order_relaxed)) {
            // Up and down by a few, around a depth of a few: where the thief's slot is.
            // One by one, or several at once.
            if (random() % 2 == 0)
                take_some(random() % 6);
            for (unsigned n = random() % 6; n != 0; --n)
                take();
            if (random() % 2 == 0)
                give_some(random() % 6);
            for (unsigned n = random() % 6; n != 0 && !held_.empty(); --n)
                give();
        }
    }

    void steal(std::minstd_rand& random)
    {
        mutex_guard guard(lock_);
        bsl::theft theft;
        if (!theft.begin(bin_))
            return;
        // Now and then the owner gets time to come by, also more than once.
        for (unsigned n = random() % 4 == 0 ? random() % 256 : 0; n != 0; --n)
            bsl::cpu_relax();
        void* objects[bsl::sheaf_capacity_max];
        const bool ordered = bsl::host::memory_barrier_everywhere();
        const unsigned n = ordered ? theft.finish(objects) : theft.undo();
        (n != 0 ? nr_stolen : nr_undone).fetch_add(1, std::memory_order_relaxed);
        for (unsigned i = 0; i < n; ++i) {
            object& stolen = *static_cast<object*>(objects[i]);
            move(stolen, place::bin, place::thief);
            ++stolen.content;
            move(stolen, place::thief, place::pool);
            pool_.push_back(&stolen);
        }
    }

    void check()
    {
        clear_bin();
        if (pool_.size() + held_.size() != nr_objects)
            fail("%zu objects in the pool, %zu held: %zu in all", pool_.size(), held_.size(),
                 nr_objects);
        for (object* each : pool_)
            move(*each, place::pool, place::thief); // fails if one is there twice
        for (object* each : held_)
            move(*each, place::owner, place::thief);
    }

private:
    void take()
    {
        void* p = bin_.pop();
        if (p == nullptr) {
            mutex_guard guard(lock_);
            p = bin_.pop(); // a thief may have put back what was missing
            if (p == nullptr && !refill())
                return;
            if (p == nullptr)
                p = bin_.pop();
        }
        object& taken = *static_cast<object*>(p);
        move(taken, place::bin, place::owner);
        ++taken.content;
        held_.push_back(&taken);
    }

    void take_some(unsigned n)
    {
        void* objects[6];
        n = bin_.pop_some(objects, n);
        for (unsigned i = 0; i < n; ++i) {
            object& taken = *static_cast<object*>(objects[i]);
            move(taken, place::bin, place::owner);
            ++taken.content;
            held_.push_back(&taken);
        }
    }

    void give_some(unsigned n)
    {
        void* objects[6];
        n = n < held_.size() ? n : static_cast<unsigned>(held_.size());
        for (unsigned i = 0; i < n; ++i) {
            object& given = *held_[held_.size() - 1 - i];
            ++given.content;
            move(given, place::owner, place::bin);
            objects[i] = &given;
        }
        const unsigned given = bin_.push_some(objects, n, [](void*) { return true; });
        for (unsigned i = given; i < n; ++i) // no room for these
            move(*static_cast<object*>(objects[i]), place::bin, place::owner);
        held_.resize(held_.size() - given);
    }

    void give()
    {
        object& given = *held_.back();
        held_.pop_back();
        ++given.content;
        move(given, place::owner, place::bin);
        if (bin_.push(&given))
            return;
        mutex_guard guard(lock_);
        clear_bin();
        bsl::reset(sheaf_, capacity);
        bsl::attach(bin_, sheaf_);
        if (!bin_.push(&given))
            fail("an empty sheaf is full");
    }

    /// Lock held, bin empty: at most three objects from the pool.
    bool refill()
    {
        clear_bin();
        void* objects[3];
        unsigned n = 0;
        for (; n < 3 && !pool_.empty(); ++n) {
            object& next = *pool_.back();
            pool_.pop_back();
            move(next, place::pool, place::bin);
            objects[n] = &next;
        }
        bsl::reset(sheaf_, capacity);
        bsl::fill(sheaf_, objects, n);
        bsl::attach(bin_, sheaf_);
        return n != 0;
    }

    /// Lock held: the bin's sheaf is taken out and emptied into the pool.
    void clear_bin()
    {
        bsl::sheaf* s = bsl::detach(bin_);
        if (s == nullptr)
            return;
        void* objects[bsl::sheaf_capacity_max];
        const unsigned n = bsl::empty(*s, objects, capacity);
        for (unsigned i = 0; i < n; ++i) {
            object& each = *static_cast<object*>(objects[i]);
            move(each, place::bin, place::pool);
            pool_.push_back(&each);
        }
    }

    bsl::mutex lock_{bsl::lock_rank::thread};
    bsl::bin bin_;
    bsl::sheaf sheaf_{};
    std::vector<object> objects_;
    std::vector<object*> pool_; ///< lock_
    std::vector<object*> held_; ///< the owner's
};

} // namespace

int main(int argc, char** argv)
{
    unsigned long nr_owners = 2;
    unsigned long nr_thieves = 1;
    unsigned long seconds = 4;
    for (int i = 1; i < argc; ++i) {
        if (std::sscanf(argv[i], "owners=%lu", &nr_owners) != 1 &&
            std::sscanf(argv[i], "thieves=%lu", &nr_thieves) != 1 &&
            std::sscanf(argv[i], "seconds=%lu", &seconds) != 1)
            return 2;
    }
    std::vector<std::unique_ptr<household>> houses;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < nr_owners; ++i) {
        houses.push_back(std::make_unique<household>());
        threads.emplace_back([house = houses.back().get(), i] { house->own(i + 1); });
    }
    for (unsigned i = 0; i < nr_thieves; ++i) {
        threads.emplace_back([&houses, nr_owners, i] {
            std::minstd_rand random(i + 1);
            for (unsigned long n = i; !stop.load(std::memory_order_relaxed); ++n)
                houses[n % nr_owners]->steal(random);
        });
    }
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
    stop.store(true);
    for (std::thread& thread : threads)
        thread.join();
    for (auto& house : houses)
        house->check();
    std::printf("%lu thefts, %lu undone\n", nr_stolen.load(), nr_undone.load());
    return nr_stolen.load() == 0 || nr_undone.load() == 0 ? 1 : 0;
}
