/* The parameters that the library runs with: BUDDYSLAB="name=value …", see docs/tuning.md. */
#ifndef BUDDYSLAB_PARAMS_H
#define BUDDYSLAB_PARAMS_H

#include <buddyslab/export.h>
#include <stddef.h>

BSL_BEGIN_DECLS

/*
 * Writes the value of a parameter to `buffer` as text, terminated, and cut off where it does not fit;
 * sizes are in bytes.  Returns the length of the text, -ENOENT if there is no such parameter, -ENOSPC
 * if it was cut off, -EINVAL if size is 0.  May be called from any thread at any time.
 */
BSL_API BSL_NONNULL(1, 2) int bsl_param_get(const char* name, char* buffer,
                                            size_t size) BSL_NOEXCEPT;

BSL_END_DECLS

#endif
