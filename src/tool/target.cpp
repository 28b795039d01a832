#include "tool/target.hpp"

#include "base/format.hpp"

#include <cstring>
#include <elf.h>

namespace bsl::tool
{

namespace
{

/// More than any library has; a header that says more is none.
constexpr std::size_t notes_bytes_max = 1 << 20;
constexpr std::size_t program_headers_max = 128;

std::size_t padded(std::size_t n)
{
    return round_up(n, 4);
}

std::string hexadecimal(std::uint64_t value)
{
    format<24> text;
    return text.pointer(value).c_str();
}

} // namespace

std::string printable(std::string text)
{
    for (char& c : text) {
        const auto code = static_cast<unsigned char>(c);
        c = code < 0x20 || code == 0x7f ? '?' : c;
    }
    return text;
}

target::target()
    : memory_{this,
              [](void* context, std::uintptr_t from, void* to, std::size_t size) {
                  return static_cast<target*>(context)->read(from, to, size);
              }},
      space_(new workspace), last_(new snapshot)
{}

bool target::take_root(std::uintptr_t note_data)
{
    std::int64_t distance = 0;
    constexpr std::size_t fixed = offsetof(heap_root_table, arenas);
    if (!memory_.read_object(note_data, distance))
        return false;
    const std::uintptr_t at = note_data + static_cast<std::uintptr_t>(distance);
    if (!memory_.read(memory_.context, at, &root_, fixed) ||
        std::memcmp(root_.magic, root_magic, sizeof root_magic) != 0)
        return false;
    if (root_.version != root_version || root_.layout != layout_number() ||
        root_.size != sizeof root_) {
        root_.library_version[sizeof root_.library_version - 1] = '\0';
        other_library_ =
            name_ + " has another libbuddyslab: version " + printable(root_.library_version) +
            " (layout " + std::to_string(root_.version) + ", " + hexadecimal(root_.layout) +
            "); this command reads layout " + std::to_string(root_version) + ", " +
            hexadecimal(layout_number()) + ".  Use the buddyslab that was installed with it";
        return false;
    }
    return memory_.read_object(at, root_);
}

/// Looks for our note in the notes of the ELF file that is mapped here, if one is.
bool target::search_notes(const mapping& in)
{
    Elf64_Ehdr head{};
    if (!memory_.read_object(in.start, head) || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
        return false;
    if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(Elf64_Phdr) ||
        head.e_phnum > program_headers_max)
        return false;
    std::vector<Elf64_Phdr> parts(head.e_phnum);
    if (!memory_.read(memory_.context, in.start + head.e_phoff, parts.data(),
                      parts.size() * sizeof parts[0]))
        return false;
    std::uintptr_t bias = in.start;
    for (const Elf64_Phdr& part : parts) {
        if (part.p_type == PT_LOAD && part.p_offset == 0)
            bias = in.start - part.p_vaddr;
    }
    for (const Elf64_Phdr& part : parts) {
        if (part.p_type != PT_NOTE || part.p_filesz > notes_bytes_max)
            continue;
        std::vector<char> notes(part.p_filesz);
        if (!memory_.read(memory_.context, bias + part.p_vaddr, notes.data(), notes.size()))
            continue;
        Elf64_Nhdr note{};
        for (std::size_t at = 0; at + sizeof note <= notes.size();) {
            std::memcpy(&note, notes.data() + at, sizeof note);
            const std::size_t name = at + sizeof note;
            const std::size_t data = name + padded(note.n_namesz);
            if (note.n_type == root_note_type && note.n_namesz == sizeof root_note_name &&
                data <= notes.size() &&
                std::memcmp(notes.data() + name, root_note_name, sizeof root_note_name) == 0 &&
                take_root(bias + part.p_vaddr + data))
                return true;
            at = data + padded(note.n_descsz);
        }
    }
    return false;
}

/// A program may have two: one it is linked with, and one that is preloaded.  The one in use is meant.
void target::find_root()
{
    bool any = false;
    heap_root_table first{};
    for (const mapping& m : mappings_) {
        if (m.offset != 0 || !search_notes(m))
            continue;
        if (!any)
            first = root_;
        any = true;
        arena_state arenas{};
        const arena* newest = nullptr;
        if (memory_.read_object(reinterpret_cast<std::uintptr_t>(root_.arenas), arenas) &&
            memory_.read_object(reinterpret_cast<std::uintptr_t>(arenas.newest), newest) &&
            newest != nullptr)
            return;
    }
    if (any) {
        root_ = first;
        return;
    }
    if (!other_library_.empty())
        throw failure(other_library_);
    check_readable(); // nothing was found, perhaps, because it has ended meanwhile
    if (is_32_bit())
        throw failure(name_ + " is a 32-bit process: libbuddyslab is for 64 bits");
    throw failure(name_ + " does not have libbuddyslab");
}

const snapshot& target::look()
{
    if (!take_snapshot(memory_, root_, *space_, *last_))
        unreadable();
    return *last_;
}

const snapshot& target::walk_once(const visitor& seen)
{
    if (!walk(memory_, root_, *space_, *last_, seen))
        unreadable();
    return *last_;
}

} // namespace bsl::tool
