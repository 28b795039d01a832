#include "proc/report.hpp"

namespace bsl
{

namespace
{

struct named_report
{
    std::string_view name;
    bool (*print)(stream& to, const report_input& input);
};

constexpr named_report reports[] = {
    {"text", print_text},
    {"json", print_json},
    {"prometheus", print_prometheus},
    {"slabinfo", print_slabinfo},
    {"buddyinfo", print_buddyinfo},
    {"pagetypeinfo", print_pagetypeinfo},
    {"vmallocinfo", print_vmallocinfo},
    {"zoneinfo", print_zoneinfo},
    {"meminfo", print_meminfo},
};

} // namespace

bool is_report(std::string_view name)
{
    for (const named_report& r : reports) {
        if (r.name == name)
            return true;
    }
    return false;
}

bool print_report(stream& to, std::string_view name, const report_input& input)
{
    for (const named_report& r : reports) {
        if (r.name == name)
            return r.print(to, input);
    }
    return false;
}

} // namespace bsl
