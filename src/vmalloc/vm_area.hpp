#pragma once

/// A window: what malloc hands out above the largest block.
///
///     start                                        start + reserved
///     |== frames with a home ==|== fresh ==|. . . ahead . . .|- - inaccessible - -|
///     0                    lent_end       size           committed            reserved
///
///     frames with a home   page frames that were moved here by mremap: first the run of a large
///                          object that grew, then free resident blocks of the zone (lending.hpp)
///     fresh                memory that the system gave to this window, or to one that was cached and gave it away
///     ahead                writable, but not in use
///     inaccessible         addresses to grow into, no memory
///
/// Invariants of every window:
///     size <= committed <= reserved and lent_end <= committed
///     start and reserved are multiples of a pageblock: no slot of the section table is shared
///     [size, committed) reads as zeros, but for [size, stale_end)
///     pages at home of [0, lent_end) are nobody's: taken from the zone, not resident
///
/// The kernel merges two neighbouring VMAs only if their pages follow each other in the order they
/// were first touched at.  So each block with a home is a VMA, and a window that was moved has a seam
/// where its new part begins, one that waits for another object (empty_run()) where the stretch of the last
/// one's frames ends, one that was given frames (take_frames()) before and behind them.  The stretches between are called pieces; mremap takes one at a time.

#include "arena/page.hpp"

#include <cstddef>
#include <cstdint>

namespace bsl
{

enum class vm_area_state : std::uint8_t
{
    unused, ///< no window: in the store of descriptors by `link`; no other field means anything
    busy,   ///< one thread makes, changes or takes it down and owns every field but `link`
    live,   ///< handed out; in the list of live windows
    moving, ///< live, but the holder of moving_lock exchanges homes of its frames and owns `lent`
    cached, ///< freed, frames in place; in the cache.  Whatever [0, size) held is still there
};

/// Each move at least doubles the window (where addresses allow): half of them are enough for every address there
/// is.  Where objects of ever smaller sizes have left more, the window does not wait for another one.
inline constexpr unsigned nr_seams_max = 64;

/// A window takes frames of others as long as it has fewer seams, and gets two at most each time.
inline constexpr unsigned nr_joined_max = nr_seams_max / 2;

/// Fields change only while the state is busy, and `size` of a live window by the thread whose window
/// it is.  The state, `link`, and what others may read of a listed window: vmalloc_lock.
struct vm_area
{
    list_head link;
    char* start;
    std::size_t reserved;
    std::size_t committed;
    std::size_t size; ///< usable bytes
    /// Of a live window: what another one before it has left lies below, where that is more than size.
    std::size_t stale_end;

    char* run; ///< home of [0, run_size), nullptr without
    std::size_t run_size;
    list_head lent; ///< struct pages of the blocks whose frames fill [run_size, lent_end)
    std::size_t lent_end;
    unsigned nr_lent;

    unsigned nr_seams;
    std::size_t seams[nr_seams_max]; ///< ascending offsets in [lent_end, committed)

    vm_area_state state;
    bool wants_huge_pages; ///< of its fresh part
    bool is_divided;       ///< by the program: a piece is several VMAs
    bool has_guard;        ///< the last page of [0, size) is inaccessible (heap/windows.hpp)

    /// Number of the private heap that a live window belongs to, and its link there; 0: none.  Lock: that
    /// heap's.
    std::uint32_t heap;
    list_head heap_link;
};

/// Most VMAs that the kernel may need for it.
inline std::size_t nr_vmas(const vm_area& area)
{
    constexpr std::size_t fresh_and_inaccessible = 2;
    return fresh_and_inaccessible + (area.run != nullptr ? 1 : 0) + area.nr_lent + area.nr_seams;
}

/// What a new window is to be.
struct vm_area_request
{
    std::size_t size;
    std::size_t alignment;  ///< at least a pageblock
    std::size_t max_blocks; ///< resident blocks of the zone that may be lent to it
    bool is_dense;          ///< most of it will be touched
};

/// All functions: no lock is held, and the window is the caller's: new, or busy.

/// Builds a window; nullptr when the system refuses.
vm_area* make_vm_area(const vm_area_request& request);

/// Builds a window around the frames of [run, run + old_size), whose home they leave.  nullptr: they
/// are where they were.
vm_area* make_vm_area_from(char* run, std::size_t old_size, std::size_t size);

/// The same in a window without lent frames, of which `size` bytes are committed; it need not be empty.  False: the
/// window is gone, the frames are where they were.
bool refill_vm_area_from(vm_area& area, char* run, std::size_t old_size, std::size_t size);

/// Sends the frames of its run home, and frees their pages; the window stays, without lent frames.  False: it has others,
/// and is as it was.
bool empty_run(vm_area& area);

/// Makes the window larger, elsewhere if need be, without copying.  False: it is as before.
bool grow_vm_area(vm_area& area, std::size_t size);

/// Is it worth the while to take frames of other windows for [filled, size)?
bool can_take_frames(const vm_area& area, std::size_t filled);

/// Moves the frames at the end of `from`, one piece of it at most, into [filled, to.size), and says how far that is
/// filled then.  What `from` has lost reads as zeros, and lies behind its size; a piece that is too small is
/// given to the system, and one that the program has divided stays.  False: `to` can only be destroyed.
bool take_frames(vm_area& to, std::size_t& filled, vm_area& from);

/// Gives the memory behind `size` to the system, and addresses if they are many.
void shrink_vm_area(vm_area& area, std::size_t size);

/// Sends frames home and gives everything else to the system.  The descriptor is unused afterwards.
void destroy_vm_area(vm_area& area);

/// Aborts if an invariant does not hold.
void validate(const vm_area& area);

} // namespace bsl
