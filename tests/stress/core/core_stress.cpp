/*
 * Many threads on the heap's own functions, without preload: what the sanitizers can look at.
 *
 *   core_stress [threads=N] [seconds=N] [seed=N] [sizes=SIZES] [exit] [drain] [trim] [reclaim] [fork] [huge] [checked]
 *
 *   threads=N   worker threads: each makes, resizes, frees and hands over objects
 *   sizes=few   a handful of classes, so that bins and barns are always in motion
 *   sizes=...   small, medium, large: up to 2 KiB, 600 KiB, 40 MiB; all: mostly small ones
 *   sizes=runs  up to 200 KiB: as medium, but without windows
 *   exit        workers end after a moment, leaving full caches, and others take their places
 *   drain       a further thread calls drain_all_threads() all the time
 *   trim        a further thread calls trim(0) all the time
 *   checked     slab_debug=F: each free is checked at once
 *   reclaim     free memory goes back to the system as soon as it is free
 *   huge        huge pages are asked for from the first page on, and for windows from 8 MiB on
 *   fork        a further thread forks all the time; the children work, trim and validate
 *
 * Whoever frees or receives an object checks its content.  At the end everything is freed and the
 * books must balance.  Two owners of one object would be a data race, too: the thread sanitizer sees
 * it even where the content does not show it.
 */
#include "config/params.hpp"
#include "heap/heap.hpp"
#include "model/books.hpp"
#include "model/content.hpp"
#include "slab/debug.hpp"
#include "vmalloc/vmalloc.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace
{

namespace heap = bsl::heap;
using test::fail;
using generator = std::minstd_rand;

struct options
{
    unsigned long threads = 4;
    unsigned long seconds = 5;
    unsigned long seed = 1;
    char sizes[8] = "all";
    bool exits = false;
    bool drains = false;
    bool trims = false;
    bool reclaims = false;
    bool huge = false;
    bool checked = false;
    bool forks = false;
};

options opt;
std::atomic<bool> stop{false};

/// An object says in its first bytes what the rest of it must be.
struct header
{
    std::size_t size;
    std::uint64_t key;
};

constexpr std::size_t nr_mailboxes = 64;

/// Where threads leave objects for each other.
std::array<std::atomic<header*>, nr_mailboxes> mailboxes;

std::size_t random_size(generator& random)
{
    if (std::strcmp(opt.sizes, "few") == 0)
        return sizeof(header) + random() % 4 * 300;
    const std::size_t size = sizeof(header) + (std::size_t{random()} >> (random() % 24 + 7));
    if (std::strcmp(opt.sizes, "medium") == 0)
        return random() % 4 != 0 ? size % (600 * bsl::kib) + sizeof(header) : random() % 300000;
    if (std::strcmp(opt.sizes, "runs") == 0)
        return random() % 4 != 0 ? size % (200 * bsl::kib) + sizeof(header) : random() % 200000;
    if (std::strcmp(opt.sizes, "large") == 0)
        return random() % 4 != 0 ? random() % ((random() % 8 != 0 ? 14 : 40) * bsl::mib)
                                 : random() % 300000;
    if (std::strcmp(opt.sizes, "small") == 0)
        return size % 2048 + sizeof(header);
    return random() % 64 != 0 ? size % (64 * bsl::kib) + sizeof(header) : size % (9 * bsl::mib);
}

char* body(header* of)
{
    return reinterpret_cast<char*>(of) + sizeof(header);
}

void fill(header* object, std::size_t size, std::uint64_t key)
{
    *object = {size, key};
    test::write_content(body(object), size - sizeof(header), key);
}

void check(header* object, std::size_t kept)
{
    const std::size_t found = test::find_difference(body(object), object->size - sizeof(header),
                                                    kept - sizeof(header), object->key);
    if (found != test::no_difference)
        fail("object %p of %zu bytes: content has changed at %zu", static_cast<void*>(object),
             object->size, found);
}

header* make(generator& random)
{
    const std::size_t size = std::max(random_size(random), sizeof(header));
    void* p = nullptr;
    switch (random() % 8) {
    case 0:
        p = heap::calloc(1, size);
        if (p != nullptr && test::find_non_zero(p, size) != test::no_difference)
            fail("calloc of %zu bytes at %p is not zero", size, p);
        break;
    case 1:
        p = heap::aligned_alloc(std::size_t{64} << random() % 7, size);
        break;
    default:
        p = heap::malloc(size);
        break;
    }
    if (p == nullptr)
        fail("no memory for %zu bytes", size);
    auto* object = static_cast<header*>(p);
    fill(object, size, random());
    return object;
}

void drop(header* object)
{
    if (object == nullptr)
        return;
    check(object, object->size);
    heap::free(object);
}

header* resize(header* object, generator& random)
{
    const std::size_t size = std::max(random_size(random), sizeof(header));
    const std::size_t kept = std::min(size, object->size);
    check(object, object->size);
    const header was = *object;
    auto* moved = static_cast<header*>(heap::realloc(object, size, "realloc"));
    if (moved == nullptr)
        fail("no memory for %zu bytes", size);
    if (moved->size != was.size || moved->key != was.key)
        fail("realloc has lost the start of %p", static_cast<void*>(moved));
    check(moved, kept);
    fill(moved, size, was.key + 1);
    return moved;
}

/// Random work on some objects of its own.
class worker
{
public:
    explicit worker(unsigned long seed) : random_(seed * 7919 + 1) {}

    void run(std::size_t steps)
    {
        for (std::size_t i = 0; i < steps && !stop.load(std::memory_order_relaxed); ++i)
            step();
    }

    void drop_all()
    {
        for (header*& object : own_)
            drop(std::exchange(object, nullptr));
    }

private:
    void step()
    {
        header*& object = own_[random_() % nr_own_];
        const unsigned kind = random_() % 16;
        if (kind < 3) { // hand over, and take what the last one has left
            std::atomic<header*>& box = mailboxes[random_() % nr_mailboxes];
            object = box.exchange(object, std::memory_order_acq_rel);
        } else if (kind == 3 && object != nullptr) {
            object = resize(object, random_);
        } else if (kind == 4) { // a burst fills sheaves, and overflows into barns and slabs
            burst();
        } else {
            drop(object);
            object = kind % 2 == 0 ? make(random_) : nullptr;
        }
    }

    void burst()
    {
        std::array<header*, 150> objects;
        const std::size_t size = sizeof(header) + random_() % 1000;
        for (header*& object : objects) {
            object = static_cast<header*>(heap::malloc(size));
            if (object == nullptr)
                fail("no memory for %zu bytes", size);
            fill(object, size, random_());
        }
        for (header* object : objects)
            drop(object);
    }

    generator random_;
    std::array<header*, 48> own_{};
    const std::size_t nr_own_ = std::strcmp(opt.sizes, "large") == 0 ? 10 : own_.size();
};

void work(unsigned long seed)
{
    worker mine(seed);
    mine.run(opt.exits ? 200 : SIZE_MAX);
    // A thread that ends leaves everything to others; the heap must find what the thread keeps.
    mine.drop_all();
}

/// In a child, whose one thread owns every object that was in a mailbox.  Objects of the workers
/// are beyond reach, and may be half written.
void be_child(unsigned long seed)
{
    // What is on its way elsewhere at the fork is lost: between slabs and barns by a drain or the end
    // of a thread, and with a window.  Where there is none of these, no page may be missing.
    if (!opt.drains && !opt.trims && !opt.exits && std::strcmp(opt.sizes, "runs") == 0)
        test::check_pages_are_accounted_for();
    worker mine(seed);
    for (unsigned round = 0; round < 3; ++round) {
        mine.run(200);
        heap::trim(0);
        test::validate_everything();
    }
    mine.drop_all();
}

void fork_all_the_time()
{
    for (unsigned long seed = 1; !stop.load(std::memory_order_relaxed); ++seed) {
        const pid_t child = fork();
        if (child == 0) {
            // A child that waits for ever is a failure, and must be one soon.
            alarm(60);
            be_child(seed);
            _exit(0);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            fail("a child failed: status %#x", static_cast<unsigned>(status));
    }
}

void run_workers(unsigned long number)
{
    for (unsigned long seed = opt.seed + number; !stop.load(std::memory_order_relaxed);
         seed += opt.threads) {
        if (opt.exits)
            std::thread(work, seed).join();
        else
            work(seed);
    }
}

void repeat(void (*what)())
{
    while (!stop.load(std::memory_order_relaxed))
        what();
}

bool parse(const char* argument)
{
    const std::pair<const char*, bool*> flags[] = {
        {"exit", &opt.exits},       {"drain", &opt.drains},    {"trim", &opt.trims},
        {"reclaim", &opt.reclaims}, {"checked", &opt.checked}, {"fork", &opt.forks},
        {"huge", &opt.huge}};
    for (auto [name, flag] : flags) {
        if (std::strcmp(argument, name) == 0)
            return *flag = true;
    }
    return std::sscanf(argument, "threads=%lu", &opt.threads) == 1 ||
           std::sscanf(argument, "seconds=%lu", &opt.seconds) == 1 ||
           std::sscanf(argument, "seed=%lu", &opt.seed) == 1 ||
           std::sscanf(argument, "sizes=%7s", opt.sizes) == 1;
}

} // namespace

int main(int argc, char** argv)
{
    for (int i = 1; i < argc; ++i) {
        if (!parse(argv[i])) {
            std::fprintf(stderr, "core_stress: what is '%s'?\n", argv[i]);
            return 2;
        }
    }
    if (opt.checked) {
        std::strcpy(bsl::param.slab_debug, "F");
        bsl::set_up_slab_debug();
    }
    if (opt.reclaims) {
        bsl::param.dirty_max = bsl::param.dirty_large_max = 0;
        bsl::param.decay_ms = 1;
    }
    if (opt.huge) {
        bsl::param.huge_pages_from = 0;
        bsl::param.huge_windows_from = 8 * bsl::mib;
    }
    std::vector<std::thread> threads;
    for (unsigned long i = 0; i < opt.threads; ++i)
        threads.emplace_back(run_workers, i);
    if (opt.drains)
        threads.emplace_back(repeat, bsl::drain_all_threads);
    if (opt.trims)
        threads.emplace_back(
            repeat, +[] { heap::trim(0); });
    if (opt.forks)
        threads.emplace_back(fork_all_the_time);

    std::this_thread::sleep_for(std::chrono::seconds(opt.seconds));
    stop.store(true);
    for (std::thread& thread : threads)
        thread.join();
    for (std::atomic<header*>& box : mailboxes)
        drop(box.exchange(nullptr));
    heap::trim(0);
    test::check_books_balance();
    const bsl::vmalloc_counts windows = bsl::counts_of_vmalloc();
    std::printf("%zu windows made, %zu of them stitched, %zu reused, %zu moved\n", windows.made,
                windows.stitched, windows.reused, windows.moved);
    return 0;
}
