#include <buddyslab/params.h>

#include "api/start.hpp"
#include "base/format.hpp"
#include "config/params.hpp"

#include <cerrno>

int bsl_param_get(const char* name, char* buffer, size_t size) noexcept
{
    if (size == 0)
        return -EINVAL;
    bsl::format<bsl::param_text_size> value;
    if (!bsl::format_param(name, value))
        return -ENOENT;
    bsl::format_sink(buffer, size).text(value.view());
    const size_t length = value.view().size();
    return length < size ? static_cast<int>(length) : -ENOSPC;
}
