#include "slab/debug.hpp"

#include "base/format.hpp"
#include "config/params.hpp"
#include "host/console.hpp"

namespace bsl
{

constinit bitmap<256> checked_classes{};

namespace
{

void report_wrong(std::string_view what)
{
    format<256> line;
    line.text("BUDDYSLAB: slab_debug=").text(param.slab_debug).text(": ").text(what);
    host::print_line(line.view());
}

bool check_cache(std::string_view name)
{
    for (unsigned c = 1; c < nr_classes; ++c) {
        if (kmalloc_cache(c).name() == name) {
            checked_classes.set(c);
            return true;
        }
    }
    return false;
}

} // namespace

void set_up_slab_debug()
{
    std::string_view rest(param.slab_debug);
    if (rest.empty())
        return;
    const std::size_t comma = rest.find(',');
    if (rest.substr(0, comma) != "F") {
        report_wrong("expected F[,cache…]");
        return;
    }
    if (comma == std::string_view::npos) {
        checked_classes.set(1, nr_classes - 1);
        return;
    }
    rest.remove_prefix(comma);
    while (!rest.empty()) {
        rest.remove_prefix(1);
        const std::string_view name = rest.substr(0, rest.find(','));
        if (!check_cache(name)) {
            format<128> what;
            report_wrong(what.text("no cache '").text(name).text("'").view());
        }
        rest.remove_prefix(name.size());
    }
}

} // namespace bsl
