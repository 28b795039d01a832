#pragma once

/// Starting programs on an allocator.

#include <string>
#include <vector>

namespace bsl::tool
{

/// Our library: where it is installed, or in the build tree.  Throws if it is not there.
std::string own_library();

/// LD_PRELOAD with `library` before what is there already.
void preload(const std::string& library);

/// The file that execvp() would run; empty if there is none.
std::string program_file(const std::string& name);

/// Is it an ELF program that no library can be preloaded into?
bool is_static(const std::string& file);

/// argv of execvp().
std::vector<char*> arguments_of(const std::vector<std::string>& words);

} // namespace bsl::tool
