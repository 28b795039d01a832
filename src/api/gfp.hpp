#pragma once

/// What GFP flags ask for.

#include <buddyslab/gfp.h>

#include <cerrno>
#include <cstring>

namespace bsl::api
{

/// Flags that ask for nothing but memory: a hit need not look at them.
inline constexpr bsl_gfp_t plain_flags = BSL_GFP_KERNEL | BSL_GFP_NOWARN | BSL_GFP_RETRY_MAYFAIL |
                                         BSL___GFP_ACCOUNT | BSL___GFP_NORETRY | BSL___GFP_MOVABLE;

inline bool is_plain(bsl_gfp_t gfp)
{
    return (gfp & ~plain_flags) == 0 && (gfp & BSL___GFP_RECLAIM) != 0;
}

/// Are all bits known, and is it memory that this zone has?
inline bool is_valid(bsl_gfp_t gfp)
{
    return (gfp & ~(plain_flags | BSL___GFP_HIGH | BSL_GFP_ZERO | BSL_GFP_NOFAIL)) == 0;
}

inline bool may_wait(bsl_gfp_t gfp)
{
    return (gfp & BSL___GFP_RECLAIM) != 0;
}

inline void* fail(int error)
{
    errno = error;
    return nullptr;
}

} // namespace bsl::api
