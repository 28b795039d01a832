#pragma once

/// What the command looks at: a process, or what is left of one in a core dump.
///
/// Both are memory with a list of mappings.  Among these the root is found (heap/root.hpp), and its
/// layout compared with the one this command was built for.  The process is neither stopped nor asked.

#include "proc/snapshot.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace bsl::tool
{

/// What the user gets to read, after "buddyslab: ".
class failure : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

/// It has ended: there is no more to see, and nothing is wrong.
class process_gone : public failure
{
public:
    using failure::failure;
};

/// With control characters replaced: what others chose goes to a terminal.
std::string printable(std::string text);

struct mapping
{
    std::uintptr_t start;
    std::uintptr_t end;
    std::uint64_t offset; ///< in the file
    std::string file;     ///< or a name in brackets, or nothing
};

class target
{
public:
    /// `who` is a number of a process, or the name of a program of which one process runs.
    static std::unique_ptr<target> process(const std::string& who);
    /// `program` stands in for the program's file that the dump names; it may be empty.
    static std::unique_ptr<target> core(const std::string& file, const std::string& program);

    virtual ~target() = default;
    target(const target&) = delete;
    target& operator=(const target&) = delete;

    const memory_source& memory() const { return memory_; }
    const heap_root_table& root() const { return root_; }
    const std::vector<mapping>& mappings() const { return mappings_; }
    /// "process 42 (redis-server)"
    const std::string& name() const { return name_; }
    /// 0 for a core dump.
    int pid() const { return pid_; }

    /// Takes a snapshot; throws if the process is gone.
    const snapshot& look();
    /// Walks once and shows everything to the visitor.
    const snapshot& walk_once(const visitor& seen);
    workspace& space() { return *space_; }
    /// Throws what is to be said when the memory cannot be read.
    [[noreturn]] virtual void unreadable() const = 0;

protected:
    target();
    void find_root();

    virtual bool read(std::uintptr_t from, void* to, std::size_t size) = 0;
    /// Throws if the memory cannot be read any more.
    virtual void check_readable() {}
    /// Is it a program that the library is not for?
    virtual bool is_32_bit() const { return false; }

    std::vector<mapping> mappings_;
    std::string name_;
    int pid_ = 0;

private:
    bool take_root(std::uintptr_t note_data);
    bool search_notes(const mapping& in);

    memory_source memory_;
    heap_root_table root_{};
    std::string other_library_; ///< what is to be said of one that this command does not know
    std::unique_ptr<workspace> space_;
    std::unique_ptr<snapshot> last_;
};

} // namespace bsl::tool
