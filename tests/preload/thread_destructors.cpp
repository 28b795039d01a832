/*
 * malloc and free in the last code that a thread runs: destructors of pthread keys, in all rounds
 * that POSIX grants them, of keys made before and after anybody else's, and of thread_local
 * objects.  Threads whose whole use of the heap is such a destructor must leak nothing.
 */
#include "check.h"
#include <atomic>
#include <memory>
#include <pthread.h>
#include <string>
#include <vector>

namespace
{

constexpr int nr_keys = 40;
constexpr int nr_threads = 400;

pthread_key_t keys[nr_keys];
std::atomic<long> destructor_calls;
std::atomic<long> locals_destroyed;

struct late_object
{
    int key;
    int rounds_left;
    char* memory;
};

void destroy_late(void* value)
{
    auto* object = static_cast<late_object*>(value);
    const std::size_t size = std::size_t{24} << (object->key % 16); /* 24 bytes to 768 KiB */
    CHECK(object->memory[0] == static_cast<char>(object->key), "content of key %d", object->key);
    free(object->memory);
    destructor_calls++;
    if (object->rounds_left == 0) {
        free(object);
        free(malloc(size)); /* the last word of this key */
        return;
    }
    object->rounds_left--;
    object->memory = static_cast<char*>(malloc(size));
    CHECK(object->memory, "malloc in a destructor");
    object->memory[0] = static_cast<char>(object->key);
    pthread_setspecific(keys[object->key], object);
}

struct local_object
{
    std::vector<std::string> words;
    ~local_object()
    {
        for (int i = 0; i < 40; i++)
            words.push_back("a string too long to stay inside its object " + std::to_string(i));
        words.clear();
        words.shrink_to_fit();
        free(malloc(2000));
        locals_destroyed++;
    }
};

thread_local local_object local;
thread_local std::unique_ptr<local_object> indirect;

/* Sets every key; destructors have PTHREAD_DESTRUCTOR_ITERATIONS rounds, of which they use all. */
void* thread_with_keys(void* arg)
{
    const bool allocates_itself = arg != nullptr;
    for (int i = 0; i < nr_keys; i++) {
        auto* object = static_cast<late_object*>(malloc(sizeof(late_object)));
        *object = {i, PTHREAD_DESTRUCTOR_ITERATIONS - 1, static_cast<char*>(malloc(10))};
        object->memory[0] = static_cast<char>(i);
        pthread_setspecific(keys[i], object);
    }
    if (allocates_itself) {
        local.words.emplace_back("one more string that is too long to stay inside");
        indirect = std::make_unique<local_object>();
    }
    return nullptr;
}

/* The thread itself never allocates: its first malloc comes in the first destructor. */
void destroy_first_use(void*)
{
    for (std::size_t size = 16; size < 64 * KiB; size *= 2) {
        void* p = malloc(size);
        memset(p, 1, size);
        free(p);
    }
    destructor_calls++;
}

pthread_key_t first_use_key;

void* thread_that_allocates_late(void*)
{
    pthread_setspecific(first_use_key, &first_use_key);
    return nullptr;
}

void run_threads(int count, void* (*body)(void*))
{
    for (int i = 0; i < count; i += 4) {
        pthread_t threads[4];
        for (std::uintptr_t j = 0; j < 4; j++)
            CHECK(pthread_create(&threads[j], nullptr, body, reinterpret_cast<void*>(j & 1)) == 0,
                  "thread");
        for (pthread_t thread : threads)
            pthread_join(thread, nullptr);
    }
}

} // namespace

int main()
{
    require_library();
    for (pthread_key_t& key : keys)
        CHECK(pthread_key_create(&key, destroy_late) == 0, "pthread_key_create");
    CHECK(pthread_key_create(&first_use_key, destroy_first_use) == 0, "pthread_key_create");

    run_threads(nr_threads, thread_with_keys);
    long expected = long{nr_threads} * nr_keys * PTHREAD_DESTRUCTOR_ITERATIONS;
    CHECK(destructor_calls == expected, "%ld of %ld destructors", destructor_calls.load(),
          expected);
    CHECK(locals_destroyed == nr_threads / 2 * 2, "%ld locals", locals_destroyed.load());
    run_threads(nr_threads, thread_that_allocates_late);
    CHECK(destructor_calls == expected + nr_threads, "late first uses");

    long before = rss_kib();
    run_threads(nr_threads * 2, thread_with_keys);
    run_threads(nr_threads * 4, thread_that_allocates_late);
    long growth = rss_kib() - before;
    CHECK(growth < 3 * KiB, "2400 threads with late destructors leaked %ld KiB", growth);
    return 0;
}
