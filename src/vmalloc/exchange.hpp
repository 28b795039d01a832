#pragma once

/// Calling frames home that are under windows in use.
///
/// What the window holds must stay where it is, and the program may be writing to it: nothing can be
/// copied.  But frames are all alike.  What is called for is memory at certain addresses, and what a
/// window needs is some home for its frames to go to one day:
///
///     before   home H: empty      window: frame h        N, free: frame n
///     after    home H: frame n    window: frame h        home N: empty
///
/// One mremap moves the frame of a free block N to H; from now on N is the home of what the window
/// has.  No byte is copied, no address changes, and no frame is asked of the system.  Where N holds no
/// memory, H gets fresh frames: the kernel's migration, too, needs a free frame for each it moves.

#include <cstddef>

namespace bsl
{

/// Makes all frames come home that belong to [start, start + size) and are in cached or live windows;
/// their pages are free then.  True: some came.  False: none did, because none are away, because a window
/// is just being made or taken down, or for lack of memory.  No lock may be held.
bool call_home(const char* start, std::size_t size);

} // namespace bsl
