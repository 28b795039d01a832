/*
 * Fuzz target: bytes are operations on the heap (model/operation.hpp), which the model checks.
 *
 * All inputs run in one process on one heap, but each begins and ends with an empty one.
 */
#include "fuzz/target.hpp"

#include "model/books.hpp"
#include "model/model.hpp"

namespace
{

/// More would be slow, and harder to understand when it fails.
constexpr std::size_t operations_max = 2000;

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    test::model of_heap;
    std::size_t n = 0;
    for (const test::operation& op : test::decode(data, size)) {
        of_heap.apply(op);
        if (++n % 400 == 0)
            test::validate_everything();
        if (n == operations_max)
            break;
    }
    of_heap.finish();
    return 0;
}
