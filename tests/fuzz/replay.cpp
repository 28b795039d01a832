/*
 * Runs a fuzz target on files, or on all files of folders: what the fuzzer once found stays tested,
 * also where there is no fuzzer.
 */
#include "fuzz/target.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace
{

using std::filesystem::path;

void run(const path& file)
{
    std::ifstream from(file, std::ios::binary);
    const std::vector<char> bytes(std::istreambuf_iterator<char>(from), {});
    std::printf("%s\n", file.c_str());
    std::fflush(stdout); // the last line names the culprit
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

} // namespace

int main(int argc, char** argv)
{
    int n = 0;
    for (int i = 1; i < argc; ++i) {
        if (!std::filesystem::is_directory(argv[i])) {
            run(argv[i]);
            ++n;
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
            run(entry.path());
            ++n;
        }
    }
    std::printf("%d inputs\n", n);
    return n == 0 ? 1 : 0;
}
