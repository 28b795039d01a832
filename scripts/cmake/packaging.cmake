# The static library, and what `cmake --install` puts where: components runtime and dev.

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

install(TARGETS buddyslab buddyslab_static
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(TARGETS buddyslab_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
install(FILES docs/man/buddyslab.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime)
install(FILES scripts/gdb/buddyslab.py DESTINATION ${CMAKE_INSTALL_DATADIR}/buddyslab COMPONENT runtime)
install(DIRECTORY include/buddyslab DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)

# Both descriptions find the rest of the package from where they lie themselves, so that the
# installed tree may be moved.
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/buddyslab)
configure_package_config_file(scripts/cmake/buddyslabConfig.cmake.in
    ${PROJECT_BINARY_DIR}/buddyslabConfig.cmake
    INSTALL_DESTINATION ${package_dir}
    PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/buddyslabConfigVersion.cmake
    COMPATIBILITY SameMinorVersion) # while 0.x, each minor version may break something
install(FILES
    ${PROJECT_BINARY_DIR}/buddyslabConfig.cmake
    ${PROJECT_BINARY_DIR}/buddyslabConfigVersion.cmake
    DESTINATION ${package_dir} COMPONENT dev)

set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_to_prefix /${pc_dir} /)
string(REGEX REPLACE "/$" "" pc_to_prefix "${pc_to_prefix}")
configure_file(scripts/cmake/buddyslab.pc.in ${PROJECT_BINARY_DIR}/buddyslab.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/buddyslab.pc DESTINATION ${pc_dir} COMPONENT dev)
