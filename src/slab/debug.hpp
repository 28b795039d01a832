#pragma once

/// slab_debug: checks that are compiled in and off, switched per cache by letters.
///
///     F     every free is checked at once: objects of the cache bypass the sheaves
///
/// Read once at start, before other threads exist.

#include "slab/kmem_cache.hpp"

namespace bsl
{

extern constinit bitmap<256> checked_classes;

/// Is every free of this class checked at once?  Class 0 stands for the caches that the program makes.
inline bool is_checked(unsigned size_class)
{
    return checked_classes.test(size_class);
}

/// Takes param.slab_debug over; reports what it does not understand, once.
void set_up_slab_debug();

} // namespace bsl
