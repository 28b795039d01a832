# How the library is compiled and linked.

set(BUDDYSLAB_WARNINGS
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wundef -Wold-style-cast
    -Wmissing-declarations
    $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
    $<$<BOOL:${BUDDYSLAB_DEVELOPER_MODE}>:-Werror>)

set(BUDDYSLAB_CODE_GENERATION
    # Only BSL_API is seen from outside, and no other library can stand in for our own functions.
    -fvisibility=hidden -fvisibility-inlines-hidden -fPIC -fno-plt -fno-semantic-interposition
    # A malloc must not need the C++ runtime.
    -fno-exceptions -fno-rtti -fno-threadsafe-statics
    # The compiler would make our calloc, which is malloc and memset, into a call of calloc.
    -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
    # The library is there from the start, so that a thread's data is one load away.
    -ftls-model=initial-exec
    # Each page of the file that is touched counts in RSS.
    -ffunction-sections -fdata-sections -fno-stack-protector)

if(BUDDYSLAB_SANITIZE)
    set(BUDDYSLAB_SANITIZE_OPTIONS -fsanitize=${BUDDYSLAB_SANITIZE} -fno-sanitize-recover=all
        -fno-omit-frame-pointer
        -w) # GCC warns of what its instrumentation adds; the other trees warn of what we wrote
endif()

# Compiles a target as the library is compiled.
function(buddyslab_compile target)
    target_compile_features(${target} PUBLIC cxx_std_20)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
    target_compile_definitions(${target} PRIVATE BUDDYSLAB_CHECK_LEVEL=${BUDDYSLAB_CHECK_LEVEL})
    target_compile_options(${target} PRIVATE
        ${BUDDYSLAB_WARNINGS} ${BUDDYSLAB_CODE_GENERATION} ${BUDDYSLAB_SANITIZE_OPTIONS})
endfunction()

# Lays the functions of sources behind those of all others: they are not aligned, and the linker sorts by
# alignment.  Link-time optimization would align them again.  Reports are compiled for size, too.
function(buddyslab_lay_behind)
    if(CMAKE_BUILD_TYPE STREQUAL Debug)
        return()
    endif()
    foreach(source IN LISTS ARGN)
        set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS
            "-fno-lto;-fno-align-functions;-fno-align-loops;-fno-align-jumps;-fno-align-labels")
        if(source MATCHES "/proc/")
            set_property(SOURCE ${source} APPEND PROPERTY COMPILE_OPTIONS -Os)
        endif()
    endforeach()
endfunction()

# Links a shared library that needs libc and nothing else.
function(buddyslab_link target)
    set(map "${PROJECT_SOURCE_DIR}/src/libbuddyslab.map")
    set_target_properties(${target} PROPERTIES
        LINKER_LANGUAGE C # the C++ driver would add libstdc++
        LINK_DEPENDS "${map}"
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR})
    target_link_options(${target} PRIVATE
        "LINKER:--version-script=${map}"
        LINKER:-Bsymbolic-functions,--exclude-libs,ALL,--gc-sections,-O1,--hash-style=gnu
        LINKER:-z,defs,-z,now,-z,relro,-z,nodelete
        # The C runtime's _fini does nothing but to lie behind all other functions: to call it at each exit would
        # map the last pages of the file.
        LINKER:-fini=none
        # Small variables side by side, and functions as buddyslab_lay_behind() wants it: each page that is touched
        # is a page fault, and counts in RSS.  (Sections here, too: with link-time optimization it is now that
        # code is generated.)
        -ffunction-sections -fdata-sections LINKER:--sort-section=alignment)
endfunction()

# Compiles and links the command `buddyslab`: ordinary C++, with exceptions and its own runtime.
function(buddyslab_compile_command target)
    find_package(Curses REQUIRED) # for `buddyslab top`
    target_include_directories(${target} SYSTEM PRIVATE ${CURSES_INCLUDE_DIRS})
    target_link_libraries(${target} PRIVATE ${CURSES_LIBRARIES})
    target_compile_features(${target} PRIVATE cxx_std_20)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF
        OUTPUT_NAME buddyslab
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin) # Ninja takes a file for the target's name
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
    target_compile_definitions(${target} PRIVATE BUDDYSLAB_CHECK_LEVEL=${BUDDYSLAB_CHECK_LEVEL})
    # where the library is when both are installed, by cmake --install or from Debian's packages
    file(RELATIVE_PATH libdir /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
    file(RELATIVE_PATH debian_libdir /${CMAKE_INSTALL_BINDIR} /lib/${CMAKE_LIBRARY_ARCHITECTURE})
    target_compile_definitions(${target} PRIVATE
        BUDDYSLAB_LIBRARY="libbuddyslab.so.${PROJECT_VERSION_MAJOR}"
        BUDDYSLAB_LIBDIR_FROM_HERE="${libdir}"
        BUDDYSLAB_DEBIAN_LIBDIR_FROM_HERE="${debian_libdir}")
    target_compile_options(${target} PRIVATE ${BUDDYSLAB_WARNINGS})
endfunction()

# CMake itself adds libstdc++ when the C driver links C++ objects; see LINKER_LANGUAGE above.  (The
# tests are linked by the C++ driver, which needs no such help.)
set(CMAKE_CXX_IMPLICIT_LINK_LIBRARIES "")
