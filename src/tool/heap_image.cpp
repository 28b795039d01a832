#include "tool/heap_image.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace bsl::tool
{

namespace
{

constexpr std::size_t huge_page = 2 * mib;
constexpr unsigned huge_order = 9;

// --- huge pages --------------------------------------------------------------------------------

/// The kernel's PAGEMAP_SCAN (Linux 6.7), which headers of today's distributions do not know yet.
struct page_region
{
    std::uint64_t start;
    std::uint64_t end;
    std::uint64_t categories;
};

struct pagemap_scan
{
    std::uint64_t size;
    std::uint64_t flags;
    std::uint64_t start;
    std::uint64_t end;
    std::uint64_t walk_end;
    std::uint64_t vec;
    std::uint64_t vec_len;
    std::uint64_t max_pages;
    std::uint64_t category_inverted;
    std::uint64_t category_mask;
    std::uint64_t category_anyof_mask;
    std::uint64_t return_mask;
};

constexpr unsigned long pagemap_scan_request = _IOWR('f', 16, pagemap_scan);
constexpr std::uint64_t page_is_huge = 1 << 6;

class huge_pages
{
public:
    explicit huge_pages(int pid)
        : fd_(pid == 0 ? -1
                       : open(("/proc/" + std::to_string(pid) + "/pagemap").c_str(),
                              O_RDONLY | O_CLOEXEC))
    {}
    ~huge_pages()
    {
        if (fd_ >= 0)
            close(fd_);
    }
    huge_pages(const huge_pages&) = delete;
    huge_pages& operator=(const huge_pages&) = delete;

    /// Calls fn(start, size) for the stretches of huge pages in a range.  False if the kernel does not tell.
    template <typename Fn>
    bool for_each(std::uintptr_t start, std::size_t size, Fn fn) const
    {
        page_region found[64] = {};
        pagemap_scan scan{};
        scan.size = sizeof scan;
        scan.start = start;
        scan.end = start + size;
        scan.vec = address_of(found);
        scan.vec_len = std::size(found);
        scan.category_mask = page_is_huge;
        scan.return_mask = page_is_huge;
        while (scan.start < scan.end) {
            const int n = fd_ < 0 ? -1 : ioctl(fd_, pagemap_scan_request, &scan);
            if (n < 0)
                return false;
            for (int i = 0; i < n; ++i)
                fn(found[i].start, found[i].end - found[i].start);
            if (scan.walk_end <= scan.start)
                break;
            scan.start = scan.walk_end;
        }
        return true;
    }

private:
    int fd_;
};

void find_huge_pages(const target& of, heap_image& to)
{
    const huge_pages kernel(of.pid());
    to.knows_huge_pages = of.pid() != 0;
    for (block_image& block : to.blocks) {
        const auto note = [&](std::uintptr_t start, std::size_t size) {
            to.huge_bytes += size;
            for (std::size_t half = 0; half < 2; ++half) {
                const std::uintptr_t at = block.start + half * huge_page;
                block.is_huge[half] |= start <= at && at + huge_page <= start + size;
            }
        };
        to.knows_huge_pages =
            to.knows_huge_pages && kernel.for_each(block.start, pageblock_size, note);
    }
    for (const window_image& w : to.windows) {
        const auto note = [&](std::uintptr_t, std::size_t size) { to.huge_bytes += size; };
        to.knows_huge_pages = to.knows_huge_pages && kernel.for_each(w.start, w.committed, note);
    }
}

// --- pages -------------------------------------------------------------------------------------

struct range
{
    std::uintptr_t start;
    std::size_t size;
};

/// What is found on the way, and put into the blocks at the end.
struct gathering
{
    heap_image& to;
    std::vector<range> listed;
    std::vector<range> lent;
};

look_of look_of_page(page_role use)
{
    switch (use) {
    case page_role::free_clean:
    case page_role::untouched:
        return look_of::free_clean;
    case page_role::free_resident:
        return look_of::free_resident;
    case page_role::slab:
        return look_of::slab;
    case page_role::own_slab:
        return look_of::own;
    case page_role::single:
        return look_of::single;
    case page_role::run:
        return look_of::run;
    case page_role::reserve:
        return look_of::reserve;
    case page_role::elsewhere:
        break;
    }
    return look_of::moving;
}

void add_block(gathering& all, const pageblock& block, const page_note* notes, const page* pages)
{
    all.to.blocks.emplace_back();
    block_image& image = all.to.blocks.back();
    image.start = address_of(block.start);
    image.zone = block.zone < nr_zones_max ? block.zone : malloc_zone;
    image.type = block.type;
    image.nr_free = 0;
    const unsigned orders = block.orders_free[0] | block.orders_free[1];
    image.largest_free_order = orders == 0 ? -1 : static_cast<int>(ilog2(orders));
    for (std::size_t i = 0; i < pages_per_pageblock; ++i) {
        const page_note& n = notes[i];
        image.pages[i] = {look_of_page(n.use),
                          static_cast<std::uint8_t>((n.fill * fill_steps + 254) / 255), n.cache};
        image.nr_free += n.use == page_role::free_clean || n.use == page_role::free_resident;
        const page& p = pages[i];
        if (n.use == page_role::elsewhere && p.start == block.start + (i << page_shift) &&
            p.lru.next != nullptr)
            all.lent.push_back({address_of(p.start), p.nr_run_pages << page_shift});
    }
}

void add_window(gathering& all, const vm_area& area)
{
    all.to.windows.push_back({address_of(area.start), area.size, area.committed, area.reserved,
                              area.lent_end, area.state == vm_area_state::live});
    if (area.run != nullptr)
        all.lent.push_back({address_of(area.run), area.run_size});
}

/// Says of pages that were on their way where they are.
void mark(std::vector<block_image>& blocks, const std::vector<range>& ranges, look_of as)
{
    for (const range& r : ranges) {
        auto block =
            std::upper_bound(blocks.begin(), blocks.end(), r.start,
                             [](std::uintptr_t at, const block_image& b) { return at < b.start; });
        if (block == blocks.begin())
            continue;
        --block;
        const std::size_t first = (r.start - block->start) >> page_shift;
        const std::size_t end = std::min(pages_per_pageblock,
                                         first + std::min(r.size, pageblock_size) / bytes_per_page);
        for (std::size_t i = first; i < end; ++i) {
            if (block->pages[i].look == look_of::moving)
                block->pages[i].look = as;
        }
    }
}

} // namespace

void take_image(target& of, heap_image& to)
{
    to.blocks.clear();
    to.windows.clear();
    to.huge_bytes = 0;
    gathering all{to, {}, {}};
    visitor v{};
    v.context = &all;
    v.block = [](void* context, const pageblock& copy, const page_note* notes, const page* pages) {
        add_block(*static_cast<gathering*>(context), copy, notes, pages);
    };
    v.window = [](void* context, std::uintptr_t, const vm_area& copy) {
        add_window(*static_cast<gathering*>(context), copy);
    };
    v.listed = [](void* context, std::uintptr_t block, unsigned order, std::uintptr_t) {
        static_cast<gathering*>(context)->listed.push_back({block, nr_pages(order) << page_shift});
    };
    to.heap = of.walk_once(v);
    std::sort(to.blocks.begin(), to.blocks.end(),
              [](const block_image& a, const block_image& b) { return a.start < b.start; });
    mark(to.blocks, all.listed, look_of::listed);
    mark(to.blocks, all.lent, look_of::lent);
    find_huge_pages(of, to);
}

unsigned heap_image::fragmentation() const
{
    std::size_t small = 0;
    std::size_t free = 0;
    for (unsigned order = 0; order < nr_page_orders; ++order) {
        const std::size_t pages = heap.all.nr_free_blocks(order) << order;
        free += pages;
        small += order < huge_order ? pages : 0;
    }
    return free == 0 ? 0 : static_cast<unsigned>(100 * small / free);
}

} // namespace bsl::tool
