/* The version of the headers, and of the library that is running. */
#ifndef BUDDYSLAB_VERSION_H
#define BUDDYSLAB_VERSION_H

#include <buddyslab/export.h>

/* The build system reads the version here: this is the only place that states it. */
#define BSL_VERSION_MAJOR 0
#define BSL_VERSION_MINOR 1
#define BSL_VERSION_PATCH 0

/* The version of these headers as one number that grows: 0.1.0 is 100, 1.2.3 is 10203. */
#define BSL_VERSION_NUMBER (BSL_VERSION_MAJOR * 10000 + BSL_VERSION_MINOR * 100 + BSL_VERSION_PATCH)

BSL_BEGIN_DECLS

/*
 * The version of the library in use, such as "0.1.0".  It is a constant: never NULL, never freed.
 * May be called from any thread at any time, signal handlers included.
 */
BSL_API const char* bsl_version(void) BSL_NOEXCEPT;

BSL_END_DECLS

#endif
