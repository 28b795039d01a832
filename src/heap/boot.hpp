#pragma once

/// The library's start.  Before it the heap works, straight from the slabs; boot adds what needs the
/// process to be set up: parameters, hooks for fork and thread exit, heaps for threads.

namespace bsl
{

/// Has boot run?  (It runs from a constructor of the library.)
bool has_booted();

} // namespace bsl
