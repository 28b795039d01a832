# Programs that run with the library under LD_PRELOAD: for tests/preload, misuse and stress.
find_package(Threads REQUIRED)
set(PRELOAD_FOLDER ${CMAKE_CURRENT_LIST_DIR})

# Targets are named FOLDER_NAME, so that a short name of a file is free elsewhere.
function(preload_target name result)
    cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
    set(${result} ${folder}_${name} PARENT_SCOPE)
endfunction()

# Ordinary programs, except that the compiler must not know what malloc and new mean: it would
# remove the calls that are the test, or answer them itself.
function(preload_compile target name)
    target_include_directories(${target} PRIVATE ${PRELOAD_FOLDER})
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_compile_features(${target} PRIVATE cxx_std_20)
    target_compile_options(${target} PRIVATE -O1 -Wall -Wextra -Werror -fno-builtin
        -Wno-deprecated-declarations # mallinfo
        $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-allocation-dce>)
    target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${name} INTERPROCEDURAL_OPTIMIZATION OFF)
endfunction()

# preload_program(NAME FILE...): an executable.
function(preload_program name)
    preload_target(${name} target)
    add_executable(${target} ${ARGN})
    preload_compile(${target} ${name})
endfunction()

# preload_library(NAME FILE...): a shared library that a program loads, or that is preloaded.
function(preload_library name)
    preload_target(${name} target)
    add_library(${target} SHARED ${ARGN})
    preload_compile(${target} ${name})
endfunction()

# preload_test(NAME COMMAND [ARG...] [TIMEOUT SECONDS] [SERIAL] [WITHOUT_PRELOAD]
#              [BEFORE FILE] [AFTER FILE] [ENV VAR=VALUE...])
# A test PRESET.FOLDER.NAME that runs the command with the library preloaded; BEFORE and AFTER
# preload one more file on that side of it.  WITHOUT_PRELOAD is for commands that set LD_PRELOAD
# themselves, from BUDDYSLAB_LIB.  A command may be the name of a preload_program().
function(preload_test name command)
    cmake_parse_arguments(PARSE_ARGV 2 arg "SERIAL;WITHOUT_PRELOAD" "TIMEOUT;BEFORE;AFTER" "ENV")
    cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
    set(test ${folder}.${name})
    if(TARGET ${folder}_${command})
        set(command ${folder}_${command})
    endif()
    bsl_program_test(${test} ${command} ${arg_UNPARSED_ARGUMENTS})
    if(NOT arg_WITHOUT_PRELOAD)
        set(files ${arg_BEFORE} $<TARGET_FILE:buddyslab> ${arg_AFTER})
        list(JOIN files ":" files)
        list(APPEND arg_ENV LD_PRELOAD=${files})
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 60)
    endif()
    set_property(TEST ${preset}.${test} APPEND PROPERTY ENVIRONMENT ${arg_ENV})
    set_tests_properties(${preset}.${test} PROPERTIES
        TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77 RUN_SERIAL ${arg_SERIAL})
endfunction()
