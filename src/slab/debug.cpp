#include "slab/debug.hpp"

#include "base/format.hpp"
#include "base/init.hpp"
#include "base/text.hpp"
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

BSL_INIT void set_up_slab_debug()
{
    std::string_view rest(param.slab_debug);
    if (rest.empty())
        return;
    const std::string_view letters = text_until(rest, ",");
    if (letters != "F") {
        report_wrong("expected F[,cache…]");
        return;
    }
    rest.remove_prefix(letters.size());
    if (rest.empty()) {
        checked_classes.set(0, nr_classes);
        return;
    }
    while (!rest.empty()) {
        rest.remove_prefix(1);
        const std::string_view name = text_until(rest, ",");
        if (!check_cache(name)) {
            format<128> what;
            report_wrong(what.text("no cache '").text(name).text("'").view());
        }
        rest.remove_prefix(name.size());
    }
}

} // namespace bsl
