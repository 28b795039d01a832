#pragma once

/// What a fuzz target is: libFuzzer calls it with inputs it thinks of, replay.cpp with a corpus.

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
