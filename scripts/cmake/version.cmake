# Sets BUDDYSLAB_VERSION from the header that states it, and whether this is the top-level project.

set(version_parts)
foreach(part MAJOR MINOR PATCH)
    file(STRINGS "${CMAKE_CURRENT_SOURCE_DIR}/include/buddyslab/version.h" line
        REGEX "^#define BSL_VERSION_${part} [0-9]+$")
    string(REGEX REPLACE "^.* " "" number "${line}")
    list(APPEND version_parts "${number}")
endforeach()
list(JOIN version_parts . BUDDYSLAB_VERSION)

if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
    set(BUDDYSLAB_TOP_LEVEL ON)
else()
    set(BUDDYSLAB_TOP_LEVEL OFF)
endif()
