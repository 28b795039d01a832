#pragma once

/// Page frames on loan: from the zone to a window, and home again.
///
///     home   |  block, taken from the zone  |              window
///            |##############################|  -- lend -->  |#####…   frames
///            |   still mapped, empty        |  <- return -  |
///
/// mremap moves whole page tables: 4 MiB in 8 µs, where faulting them in takes 1650 µs.  With
/// MREMAP_DONTUNMAP the home stays part of its arena's VMA; frames that come back to their exact home
/// merge with it again, while any other place would stay a VMA of its own for ever.  (Also in a process
/// that has forked meanwhile; not in its child, where what was lent at the fork stays apart.)
///
/// While its frames are away, a home is nobody's: whoever touched it would get new frames.  Its struct
/// page, otherwise unused, is the record of the loan: `lru` links it in the window's list, `start` and
/// `nr_run_pages` say which memory.
///
/// When mremap fails, older kernels may have unmapped the target first, and another thread may have
/// mapped something there since.  Therefore a target of a failed move is no longer ours: no one touches
/// or unmaps it.  That costs a few MiB of addresses each time; lending stops for good after some.

#include "vmalloc/vm_area.hpp"

namespace bsl
{

/// Can this system lend frames (Linux 5.7), and has it not refused too often?
bool can_lend();

/// Moves frames to `to` in a window, the source stays mapped.  False: `to` is no longer the window's.
bool move_to_window(char* from, char* to, std::size_t size);

/// After a failed move to [offset, offset + size): unmaps what lies behind.  The window ends at `offset` and has no slots
/// of the section table; it can only be destroyed.
void cut_off(vm_area& area, std::size_t offset, std::size_t size);

/// Bytes of free memory that could be lent, roughly.
std::size_t lendable_bytes();

/// Fills [area.lent_end, size) of a window with resident blocks of the zone as far as there are any,
/// at most `max_blocks` of them.  False: the addresses behind lent_end are lost; area.reserved is cut
/// down accordingly, the rest has been unmapped, the window can only be destroyed.
bool lend_blocks(vm_area& area, std::size_t size, std::size_t max_blocks);

/// Makes a home accessible that frames could not be moved to.  False: it is not ours any more.
bool mend_home(char* home, std::size_t size);

/// Sends the frames of [0, run_size) home and frees their pages.  The stretch stays mapped, empty.
void return_run(vm_area& area);

/// Sends all frames of a window home and frees their blocks.  [0, lent_end) is unmapped afterwards.
void return_blocks(vm_area& area);

} // namespace bsl
