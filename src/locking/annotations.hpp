#pragma once

/// Clang's thread-safety analysis: the lock a function needs stands in its signature.

#if defined(__clang__)
#define BSL_TSA(attribute) __attribute__((attribute))
#else
#define BSL_TSA(attribute)
#endif
