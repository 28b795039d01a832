// Prints the version of the library it found, on memory from operator new.
#include <buddyslab/buddyslab.h>

#include <cstdio>
#include <string>

int main()
{
    const std::string version = std::string(64, ' ') + bsl_version();
    return std::puts(version.c_str() + 64) < 0;
}
