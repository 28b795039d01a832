#pragma once

/// Facts about the machine and the process's limits.

#include <cstddef>

namespace bsl::host
{

/// Processors this process may run on when it asked first; at least 1.
unsigned nr_cpus();

/// RLIMIT_AS in bytes; SIZE_MAX without a limit.
std::size_t address_space_limit();

/// Is there a limit on this process's addresses or on its data (RLIMIT_AS, RLIMIT_DATA)?
bool is_memory_limited();

/// Reads a short file of the kernel's, from its start; terminated, cut off at `size` - 1 bytes.  False,
/// and `text` is empty, where it cannot be read.
bool read_file(const char* path, char* text, std::size_t size);

/// The kernel's number of this process.
int process_id();

/// Does the process run with more rights than its caller (setuid and the like)?
bool is_secure_execution();

} // namespace bsl::host
