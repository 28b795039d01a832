# The static library, and what `cmake --install` puts where.
#
#   component   what                                              Debian package
#   library     the shared library                                libbuddyslab0
#   dev         what is in lib for whoever compiles programs      libbuddyslab-dev
#   dev_any     headers, manual pages of the functions            libbuddyslab-dev
#   command     the command, its manual pages, the gdb script     buddyslab
#
# Debian has a lib for each architecture: debian_library and debian_dev put there what library and dev
# put into lib.  They are for scripts/package, and installed only where they are asked for by name.

include(CMakePackageConfigHelpers)

# The bsl_* names only: a program that links it keeps its own malloc.  It is compiled on its own,
# without link-time optimisation, so that any version of any compiler can link it.
add_library(buddyslab_static STATIC ${BUDDYSLAB_SOURCES})
add_library(buddyslab::buddyslab_static ALIAS buddyslab_static)
buddyslab_compile(buddyslab_static)
set_target_properties(buddyslab_static PROPERTIES
    OUTPUT_NAME buddyslab
    INTERPROCEDURAL_OPTIMIZATION OFF)
target_include_directories(buddyslab_static INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)


# --- lib: in prefix/LIBDIR, as components PREFIXlibrary and PREFIXdev; further options of install() -------

function(buddyslab_install_lib libdir prefix)
    install(TARGETS buddyslab LIBRARY DESTINATION ${libdir}
        COMPONENT ${prefix}library NAMELINK_SKIP ${ARGN})
    install(TARGETS buddyslab LIBRARY DESTINATION ${libdir}
        COMPONENT ${prefix}dev NAMELINK_ONLY ${ARGN})
    install(TARGETS buddyslab_static ARCHIVE DESTINATION ${libdir} COMPONENT ${prefix}dev ${ARGN})

    # Both descriptions find the rest of the package from where they lie themselves, so that the
    # installed tree may be moved.
    set(CMAKE_INSTALL_LIBDIR ${libdir})
    set(described ${PROJECT_BINARY_DIR}/${prefix}description)
    set(package_dir ${libdir}/cmake/buddyslab)
    configure_package_config_file(scripts/cmake/buddyslabConfig.cmake.in
        ${described}/buddyslabConfig.cmake
        INSTALL_DESTINATION ${package_dir}
        PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
    write_basic_package_version_file(${described}/buddyslabConfigVersion.cmake
        COMPATIBILITY SameMinorVersion) # while 0.x, each minor version may break something
    install(FILES ${described}/buddyslabConfig.cmake ${described}/buddyslabConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT ${prefix}dev ${ARGN})

    set(pc_dir ${libdir}/pkgconfig)
    file(RELATIVE_PATH pc_to_prefix /${pc_dir} /)
    string(REGEX REPLACE "/$" "" pc_to_prefix "${pc_to_prefix}")
    configure_file(scripts/cmake/buddyslab.pc.in ${described}/buddyslab.pc @ONLY)
    install(FILES ${described}/buddyslab.pc
        DESTINATION ${pc_dir} COMPONENT ${prefix}dev ${ARGN})
endfunction()

buddyslab_install_lib(${CMAKE_INSTALL_LIBDIR} "")
buddyslab_install_lib(lib/${CMAKE_LIBRARY_ARCHITECTURE} debian_ EXCLUDE_FROM_ALL)

# --- the same everywhere -----------------------------------------------------------------------

install(DIRECTORY include/buddyslab DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev_any)
install(TARGETS buddyslab_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT command)
install(FILES scripts/gdb/buddyslab.py
    DESTINATION ${CMAKE_INSTALL_DATADIR}/buddyslab COMPONENT command)

# --- manual pages ------------------------------------------------------------------------------

# A page answers to every name of its section NAME: for each but its own there is a page that refers to
# it, as manual pages do.
function(buddyslab_install_man page component)
    cmake_path(GET page FILENAME file)
    cmake_path(GET page EXTENSION LAST_ONLY section)
    string(SUBSTRING ${section} 1 -1 section)
    set(man_dir ${CMAKE_INSTALL_MANDIR}/man${section})
    install(FILES ${page} DESTINATION ${man_dir} COMPONENT ${component})

    file(READ ${page} text)
    string(REGEX MATCH "\n\\.SH NAME\n([^\\]*) \\\\-" names "${text}")
    string(REGEX REPLACE "[ ,\n]+" ";" names "${CMAKE_MATCH_1}")
    foreach(name IN LISTS names)
        if(NOT file STREQUAL "${name}.${section}")
            set(alias ${PROJECT_BINARY_DIR}/man/${name}.${section})
            file(CONFIGURE OUTPUT ${alias} CONTENT ".so man${section}/${file}\n")
            install(FILES ${alias} DESTINATION ${man_dir} COMPONENT ${component})
        endif()
    endforeach()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page})
endfunction()

file(GLOB pages CONFIGURE_DEPENDS docs/man/*.3)
foreach(page IN LISTS pages)
    buddyslab_install_man(${page} dev_any)
endforeach()
foreach(page docs/man/buddyslab.1 docs/man/buddyslab.7)
    buddyslab_install_man(${PROJECT_SOURCE_DIR}/${page} command)
endforeach()
