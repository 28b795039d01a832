# What the folders of tests use to register theirs.

# GCC 12's thread sanitizer does not start where the kernel spreads addresses widely
# (vm.mmap_rnd_bits=32); some containers, though, do not let us ask it for less.
set(buddyslab_run_test)
if(BUDDYSLAB_SANITIZE MATCHES thread)
    execute_process(COMMAND setarch -R true RESULT_VARIABLE refused OUTPUT_QUIET ERROR_QUIET)
    if(refused EQUAL 0)
        set(buddyslab_run_test setarch -R)
    endif()
endif()

# The folders of these that are there.
function(buddyslab_add_folders)
    foreach(folder ${ARGN})
        if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt)
            add_subdirectory(${folder})
        endif()
    endforeach()
endfunction()

# bsl_unit_test(ROOM FILE...): an executable of Catch2 test cases, each of which becomes a test
# PRESET.unit.ROOM.CASE.
function(bsl_unit_test room)
    find_package(Catch2 2 REQUIRED)
    include(${Catch2_DIR}/Catch.cmake) # its directory is in the module path once only
    if(NOT TARGET buddyslab_test_main)
        # Catch2's own code: neither measured nor optimised, it takes long enough to compile.
        add_library(buddyslab_test_main OBJECT ${PROJECT_SOURCE_DIR}/tests/unit/main.cpp)
        target_compile_features(buddyslab_test_main PRIVATE cxx_std_20)
        target_compile_options(buddyslab_test_main PRIVATE -w -O0)
        target_link_libraries(buddyslab_test_main PUBLIC Catch2::Catch2)
    endif()
    set(target unit_${room})
    add_executable(${target} ${ARGN})
    buddyslab_compile_test(${target})
    target_link_libraries(${target} PRIVATE buddyslab_objects buddyslab_test_main)
    # Catch2's header takes longer than most tests that include it: it is compiled once for all rooms.
    get_property(owner GLOBAL PROPERTY buddyslab_catch_owner)
    if(owner)
        target_precompile_headers(${target} REUSE_FROM ${owner})
    else()
        target_precompile_headers(${target} PRIVATE
            $<$<COMPILE_LANGUAGE:CXX>:<catch2/catch.hpp$<ANGLE-R>>)
        set_property(GLOBAL PROPERTY buddyslab_catch_owner ${target})
    endif()
    catch_discover_tests(${target}
        TEST_PREFIX ${preset}.unit.${room}.
        PROPERTIES LABELS unit TIMEOUT 300)
endfunction()

function(buddyslab_compile_test target)
    target_compile_features(${target} PRIVATE cxx_std_20)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_compile_definitions(${target} PRIVATE BUDDYSLAB_CHECK_LEVEL=${BUDDYSLAB_CHECK_LEVEL})
    target_compile_options(${target} PRIVATE -Wall -Wextra -Werror ${BUDDYSLAB_SANITIZE_OPTIONS})
    target_link_options(${target} PRIVATE ${BUDDYSLAB_SANITIZE_OPTIONS})
    set_target_properties(${target} PROPERTIES CROSSCOMPILING_EMULATOR "${buddyslab_run_test}")
endfunction()

# bsl_program_test(NAME COMMAND [ARG...] [LABELS LABEL...]): a test PRESET.NAME that passes when the
# command succeeds.  A command with a path is taken relative to the folder.  It finds the path of
# the shared library in BUDDYSLAB_LIB.  Its labels are LABELS, or else the folder's name.
function(bsl_program_test name command)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "" LABELS)
    cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
    if(NOT arg_LABELS)
        set(arg_LABELS ${folder})
    endif()
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${command})
        set(command ${CMAKE_CURRENT_SOURCE_DIR}/${command})
    endif()
    add_test(NAME ${preset}.${name} COMMAND ${command} ${arg_UNPARSED_ARGUMENTS})
    set_tests_properties(${preset}.${name} PROPERTIES
        LABELS "${arg_LABELS}"
        ENVIRONMENT BUDDYSLAB_LIB=$<TARGET_FILE:buddyslab>
        TIMEOUT 300)
endfunction()
