/*
 * A core dump.  It has the memory that the process wrote to.  What it only read, code and constants, is
 * mostly left out: that comes from the files that the dump says were mapped.
 */
#include "tool/target.hpp"

#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <map>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bsl::tool
{

namespace
{

class mapped_file
{
public:
    explicit mapped_file(const std::string& name)
    {
        const int fd = open(name.c_str(), O_RDONLY | O_CLOEXEC);
        struct stat facts
        {};
        if (fd >= 0 && fstat(fd, &facts) == 0) {
            size_ = static_cast<std::size_t>(facts.st_size);
            void* at = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0); // EINVAL if it is empty
            bytes_ = at == MAP_FAILED ? nullptr : static_cast<const char*>(at);
        }
        error_ = bytes_ != nullptr ? 0 : errno;
        if (fd >= 0)
            close(fd);
    }
    ~mapped_file()
    {
        if (bytes_ != nullptr)
            munmap(const_cast<char*>(bytes_), size_);
    }
    mapped_file(const mapped_file&) = delete;
    mapped_file& operator=(const mapped_file&) = delete;

    /// Why it cannot be read; 0 if it can.
    int error() const { return error_; }
    bool is_empty() const { return error_ == EINVAL && size_ == 0; }

    bool copy(std::uint64_t offset, void* to, std::size_t n) const
    {
        if (bytes_ == nullptr || offset > size_ || n > size_ - offset)
            return false;
        std::memcpy(to, bytes_ + offset, n);
        return true;
    }

private:
    const char* bytes_ = nullptr;
    std::size_t size_ = 0;
    int error_ = 0;
};

struct segment
{
    std::uintptr_t start;
    std::size_t size;
    std::uint64_t offset; ///< in the dump
};

class core_dump : public target
{
public:
    core_dump(const std::string& file, const std::string& program) : dump_(file), program_(program)
    {
        name_ = "core dump " + file;
        if (dump_.is_empty())
            throw failure(file + " is empty");
        if (dump_.error() != 0)
            throw failure("cannot read " + file + ": " + std::strerror(dump_.error()));
        Elf64_Ehdr head{};
        if (!dump_.copy(0, &head, sizeof head) || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
            head.e_type != ET_CORE)
            throw failure(file + " is no core dump");
        if (head.e_ident[EI_CLASS] != ELFCLASS64)
            throw failure(name_ + " is of a 32-bit process: libbuddyslab is for 64 bits");
        for (unsigned i = 0; i < head.e_phnum; ++i) {
            Elf64_Phdr part{};
            if (!dump_.copy(head.e_phoff + i * sizeof part, &part, sizeof part))
                throw failure(file + " is cut off");
            if (part.p_type == PT_LOAD && part.p_filesz != 0)
                segments_.push_back({part.p_vaddr, part.p_filesz, part.p_offset});
            if (part.p_type == PT_NOTE)
                read_notes(part);
        }
        find_root();
    }

private:
    void read_notes(const Elf64_Phdr& part)
    {
        std::uint64_t at = part.p_offset;
        const std::uint64_t end = part.p_offset + part.p_filesz;
        Elf64_Nhdr note{};
        while (at + sizeof note <= end && dump_.copy(at, &note, sizeof note)) {
            const std::uint64_t data = at + sizeof note + round_up(note.n_namesz, 4);
            if (note.n_type == NT_FILE && data + note.n_descsz <= end)
                read_files(data, note.n_descsz);
            at = data + round_up(note.n_descsz, 4);
        }
    }

    /// The list of mapped files: count, size of a page, (start, end, page) each, then the names.
    void read_files(std::uint64_t data, std::size_t size)
    {
        std::string bytes(size, '\0');
        std::uint64_t header[2] = {};
        if (!dump_.copy(data, bytes.data(), size) || size < sizeof header)
            return;
        std::memcpy(header, bytes.data(), sizeof header);
        const std::uint64_t count = header[0];
        if (count > size / (3 * sizeof(std::uint64_t)))
            return;
        std::size_t name = sizeof header + count * 3 * sizeof(std::uint64_t);
        for (std::uint64_t i = 0; i < count && name < size; ++i) {
            std::uint64_t range[3] = {};
            std::memcpy(range, bytes.data() + sizeof header + i * sizeof range, sizeof range);
            const std::string file = bytes.c_str() + name;
            name += file.size() + 1;
            mappings_.push_back({range[0], range[1], range[2] * header[1], file});
        }
    }

    const mapped_file& file_of(const mapping& m)
    {
        std::unique_ptr<mapped_file>& file = files_[m.file];
        if (file == nullptr) {
            const bool is_program =
                !program_.empty() &&
                m.file.substr(m.file.rfind('/') + 1) == program_.substr(program_.rfind('/') + 1);
            file = std::make_unique<mapped_file>(is_program ? program_ : m.file);
        }
        return *file;
    }

    /// The part of [from, from + size) that one place has; 0 if none has its start.
    std::size_t read_part(std::uintptr_t from, void* to, std::size_t size)
    {
        for (const segment& s : segments_) {
            if (from < s.start || from - s.start >= s.size)
                continue;
            const std::size_t offset = from - s.start;
            const std::size_t n = size < s.size - offset ? size : s.size - offset;
            return dump_.copy(s.offset + offset, to, n) ? n : 0;
        }
        for (const mapping& m : mappings_) {
            if (from < m.start || from >= m.end)
                continue;
            const std::size_t n = size < m.end - from ? size : m.end - from;
            return file_of(m).copy(m.offset + (from - m.start), to, n) ? n : 0;
        }
        return 0;
    }

    bool read(std::uintptr_t from, void* to, std::size_t size) override
    {
        auto* at = static_cast<char*>(to);
        while (size != 0) {
            const std::size_t n = read_part(from, at, size);
            if (n == 0)
                return false;
            from += n;
            at += n;
            size -= n;
        }
        return true;
    }

    [[noreturn]] void unreadable() const override
    {
        throw failure(
            "the heap in " + name_ +
            " could not be read: the dump lacks a part of it, or the library's file is not "
            "where it was");
    }

    mapped_file dump_;
    std::string program_;
    std::vector<segment> segments_;
    std::map<std::string, std::unique_ptr<mapped_file>> files_;
};

} // namespace

std::unique_ptr<target> target::core(const std::string& file, const std::string& program)
{
    return std::make_unique<core_dump>(file, program);
}

} // namespace bsl::tool
