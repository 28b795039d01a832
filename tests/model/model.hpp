#pragma once

/// The heap against a naive model of it: a table of live objects, and a map of their addresses.
///
/// Operations run one at a time, each on one of a few threads: deterministic, but with all that
/// threads have of their own.  After each the model checks what malloc promises:
///
///     live objects do not overlap, not even with the bytes that are usable beyond the request
///     alignment, size, waste
///     contents stay as they were written; realloc() keeps them, calloc() returns zeros
///
/// What is wrong is reported with fail(), which aborts.

#include "model/operation.hpp"

#include <array>
#include <map>
#include <memory>

namespace test
{

class actor;

class model
{
public:
    /// `may_fail`: memory is limited, requests need not be served.  What is then promised: an object
    /// that could not be resized is as it was, and freeing everything puts all in order.
    explicit model(bool may_fail = false);
    ~model();

    void apply(const operation& op);

    /// Frees all objects, ends all threads, trims; checks that the books balance.
    void finish();

private:
    struct object
    {
        char* address = nullptr;
        std::size_t usable = 0; ///< bytes that have been written
        std::uint64_t key = 0;
    };

    void run(const operation& op, object& at);
    void allocate(const operation& op, object& at);
    void resize(const operation& op, object& at);
    void release(object& at);
    void query(const object& at);
    void fork_and_go_on(const operation& op);
    void end_thread(unsigned thread);

    /// Was the request served?  If not, and that is not allowed, it fails.
    bool got(const void* p, std::size_t size) const;
    bool has_room(std::size_t size) const;
    void record(object& at, char* address, std::size_t usable);
    void forget(const object& at);
    void check_content(const object& at, std::size_t kept) const;

    std::array<object, nr_slots> objects_;
    std::map<const char*, std::size_t> live_; ///< address -> usable bytes
    std::array<std::unique_ptr<actor>, nr_threads> actors_;
    std::size_t live_bytes_ = 0;
    std::uint64_t next_key_ = 1;
    const bool may_fail_;
    bool is_child_ = false; ///< of a fork: there is one thread
};

} // namespace test
