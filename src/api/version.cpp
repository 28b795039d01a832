#include <buddyslab/version.h>

#define BSL_DOTTED_OF(a, b, c) #a "." #b "." #c
#define BSL_DOTTED(a, b, c) BSL_DOTTED_OF(a, b, c)

const char* bsl_version(void) noexcept
{
    return BSL_DOTTED(BSL_VERSION_MAJOR, BSL_VERSION_MINOR, BSL_VERSION_PATCH);
}
