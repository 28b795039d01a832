/*
 * A process that runs, or is stopped, or hangs: read by process_vm_readv, which asks nothing of it.
 */
#include "tool/target.hpp"

#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <elf.h>
#include <fstream>
#include <sstream>
#include <sys/uio.h>
#include <unistd.h>

namespace bsl::tool
{

namespace
{

std::string first_line(const std::string& file)
{
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    return line;
}

bool is_number(const std::string& text)
{
    return !text.empty() && text.size() < 10 &&
           text.find_first_not_of("0123456789") == std::string::npos;
}

std::string folder_of(int pid)
{
    return "/proc/" + std::to_string(pid);
}

/// The file name of the program that a process runs; its short name is cut off at 15 characters.
std::string program_of(int pid)
{
    char path[4096];
    const ssize_t n = readlink((folder_of(pid) + "/exe").c_str(), path, sizeof path);
    if (n <= 0)
        return first_line(folder_of(pid) + "/comm");
    const std::string all(path, static_cast<std::size_t>(n));
    const std::string name = all.substr(all.rfind('/') + 1);
    constexpr std::string_view mark = " (deleted)";
    return name.size() > mark.size() && std::string_view(name).ends_with(mark)
               ? name.substr(0, name.size() - mark.size())
               : name;
}

/// The numbers among a folder's names: processes, or threads.
std::vector<int> numbers_in(const std::string& folder)
{
    std::vector<int> all;
    DIR* entries = opendir(folder.c_str());
    while (const dirent* entry = entries == nullptr ? nullptr : readdir(entries)) {
        if (is_number(entry->d_name))
            all.push_back(std::stoi(entry->d_name));
    }
    if (entries != nullptr)
        closedir(entries);
    return all;
}

/// It has ended, with all its threads; its parent has not asked for its status yet.
bool is_zombie(int pid)
{
    const std::string stat = first_line(folder_of(pid) + "/stat");
    const std::size_t name_end = stat.rfind(')');
    return name_end != std::string::npos && stat.compare(name_end, 3, ") Z") == 0 &&
           numbers_in(folder_of(pid) + "/task").size() <= 1;
}

int find_process(const std::string& who)
{
    if (is_number(who)) {
        if (access(folder_of(std::stoi(who)).c_str(), F_OK) != 0)
            throw failure("there is no process " + who);
        return std::stoi(who);
    }
    std::vector<int> found;
    for (const int pid : numbers_in("/proc")) {
        if (pid != getpid() &&
            (first_line(folder_of(pid) + "/comm") == who || program_of(pid) == who) &&
            !is_zombie(pid))
            found.push_back(pid);
    }
    if (found.empty())
        throw failure("there is no process " + who);
    if (found.size() > 1) {
        std::string all;
        for (const int pid : found)
            all += " " + std::to_string(pid);
        throw failure("more than one process is called " + who + ":" + all);
    }
    return found[0];
}

class live_process : public target
{
public:
    explicit live_process(int pid)
    {
        pid_ = pid;
        name_ = "process " + std::to_string(pid) + " (" +
                printable(first_line(folder_of(pid) + "/comm")) + ")";
        reader_ = pid;
        read_mappings(folder_of(pid));
        if (mappings_.empty())
            find_living_thread();
        if (mappings_.empty())
            check_access();
        check_readable();
        find_root();
    }

private:
    void read_mappings(const std::string& folder)
    {
        std::ifstream maps(folder + "/maps");
        for (std::string line; std::getline(maps, line);) {
            mapping m{};
            char dash = 0;
            std::string rights, device, inode;
            std::istringstream words(line);
            words >> std::hex >> m.start >> dash >> m.end >> rights >> m.offset >> device >> inode;
            std::getline(words >> std::ws, m.file);
            mappings_.push_back(m);
        }
    }

    /// If the first thread has ended and others have not, the memory is theirs.
    void find_living_thread()
    {
        for (const int task : numbers_in(folder_of(pid_) + "/task")) {
            read_mappings(folder_of(pid_) + "/task/" + std::to_string(task));
            reader_ = task;
            if (!mappings_.empty())
                return;
        }
    }

    /// Why are there no mappings to see?
    void check_access() const
    {
        if (access(folder_of(pid_).c_str(), F_OK) != 0)
            throw failure("there is no process " + std::to_string(pid_));
        std::ifstream maps(folder_of(pid_) + "/maps");
        maps.peek();
        if (!maps.is_open() || (maps.bad() || (maps.fail() && !maps.eof())))
            refused();
        throw failure(name_ + " has no memory: a kernel thread, or a process that has ended");
    }

    [[noreturn]] void refused() const
    {
        throw failure(
            "not permitted to look into " + name_ +
            ": it takes the right to trace it (the same user, or CAP_SYS_PTRACE; see also "
            "/proc/sys/kernel/yama/ptrace_scope)");
    }

    void check_readable() override
    {
        char byte = 0;
        if (!read(mappings_.front().start, &byte, 1) && (error_ == EPERM || error_ == ESRCH))
            unreadable();
    }

    bool is_32_bit() const override
    {
        std::ifstream program(folder_of(pid_) + "/exe", std::ios::binary);
        unsigned char ident[EI_NIDENT] = {};
        program.read(reinterpret_cast<char*>(ident), sizeof ident);
        return program && std::memcmp(ident, ELFMAG, SELFMAG) == 0 && ident[EI_CLASS] == ELFCLASS32;
    }

    [[noreturn]] void unreadable() const override
    {
        if (error_ == EPERM)
            refused();
        if (error_ == ESRCH || access(folder_of(pid_).c_str(), F_OK) != 0)
            throw process_gone(name_ + " has ended");
        throw failure("the heap of " + name_ + " could not be read: " + std::strerror(error_) +
                      " (does it run another program by now?)");
    }

    bool read(std::uintptr_t from, void* to, std::size_t size) override
    {
        const iovec here{to, size};
        const iovec there{reinterpret_cast<void*>(from), size};
        const ssize_t n = process_vm_readv(reader_, &here, 1, &there, 1, 0);
        if (n >= 0 && static_cast<std::size_t>(n) == size)
            return true;
        error_ = n < 0 ? errno : EFAULT; // the rest of it is not there
        return false;
    }

    int error_ = 0;  ///< of the last read that failed
    int reader_ = 0; ///< the thread by whose number the memory is read
};

} // namespace

std::unique_ptr<target> target::process(const std::string& who)
{
    return std::make_unique<live_process>(find_process(who));
}

} // namespace bsl::tool
