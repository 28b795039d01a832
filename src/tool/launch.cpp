#include "tool/launch.hpp"

#include "tool/target.hpp"

#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace bsl::tool
{

std::string own_library()
{
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    const std::string self(path, n > 0 ? static_cast<std::size_t>(n) : 0);
    const std::string folder = self.substr(0, self.rfind('/'));
    for (const std::string& candidate :
         {folder + "/" BUDDYSLAB_LIBDIR_FROM_HERE "/" BUDDYSLAB_LIBRARY,
          folder + "/" BUDDYSLAB_DEBIAN_LIBDIR_FROM_HERE "/" BUDDYSLAB_LIBRARY,
          folder + "/../libbuddyslab.so"}) {
        if (access(candidate.c_str(), R_OK) != 0)
            continue;
        // The name stays: it is the folder that must not be relative.
        char* place = realpath(candidate.substr(0, candidate.rfind('/')).c_str(), nullptr);
        const std::string found =
            place == nullptr ? candidate : place + candidate.substr(candidate.rfind('/'));
        std::free(place);
        if (found.find_first_of(" :") != std::string::npos)
            throw failure("LD_PRELOAD cannot name a path with a space or a colon: " + found);
        return found;
    }
    throw failure(BUDDYSLAB_LIBRARY " is not where " + self +
                  " looks for it: " BUDDYSLAB_LIBDIR_FROM_HERE " from there");
}

void preload(const std::string& library)
{
    const char* others = std::getenv("LD_PRELOAD");
    const std::string all = others == nullptr || *others == '\0' ? library : library + ":" + others;
    setenv("LD_PRELOAD", all.c_str(), 1);
}

std::string program_file(const std::string& name)
{
    if (name.find('/') != std::string::npos)
        return access(name.c_str(), X_OK) == 0 ? name : "";
    const char* path = std::getenv("PATH");
    std::istringstream folders(path == nullptr ? "/usr/bin:/bin" : path);
    for (std::string folder; std::getline(folders, folder, ':');) {
        const std::string file = (folder.empty() ? "." : folder) + "/" + name;
        if (access(file.c_str(), X_OK) == 0)
            return file;
    }
    return "";
}

bool is_static(const std::string& file)
{
    std::ifstream in(file, std::ios::binary);
    Elf64_Ehdr head{};
    in.read(reinterpret_cast<char*>(&head), sizeof head);
    if (!in || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != ELFCLASS64)
        return false;
    for (unsigned i = 0; i < head.e_phnum; ++i) {
        Elf64_Phdr part{};
        in.seekg(static_cast<std::streamoff>(head.e_phoff + i * sizeof part));
        in.read(reinterpret_cast<char*>(&part), sizeof part);
        if (!in || part.p_type == PT_INTERP)
            return false;
    }
    return true;
}

std::vector<char*> arguments_of(const std::vector<std::string>& words)
{
    std::vector<char*> all;
    for (const std::string& word : words)
        all.push_back(const_cast<char*>(word.c_str()));
    all.push_back(nullptr);
    return all;
}

} // namespace bsl::tool
