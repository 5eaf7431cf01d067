# The language, the warnings and the sanitizers of every target, as one interface library: project_options.

include(cmake/compiler_problem.cmake)
if(task-worker_compiler_problem)
    message(FATAL_ERROR "${task-worker_compiler_problem}")
endif()
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

add_library(project_options INTERFACE)
target_compile_features(project_options INTERFACE cxx_std_20)
target_compile_options(project_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Wnon-virtual-dtor -Wnull-dereference
    $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
    $<$<BOOL:${TASK_WORKER_WARNINGS_AS_ERRORS}>:-Werror>)

# Functions that nobody calls are left out, so that a waiting worker has them not in memory.
target_compile_options(project_options INTERFACE $<$<CONFIG:Release>:-ffunction-sections$<SEMICOLON>-fdata-sections>)
target_link_options(project_options INTERFACE $<$<CONFIG:Release>:LINKER:--gc-sections>)

if(TASK_WORKER_SANITIZE)
    target_compile_options(project_options INTERFACE
        -fsanitize=${TASK_WORKER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(project_options INTERFACE -fsanitize=${TASK_WORKER_SANITIZE})
    if(TASK_WORKER_SANITIZE MATCHES thread)
        # Asio's own reference counts order the last release by a fence, which the thread sanitizer does not know: it
        # reports the deletion of an executor that two threads held. Boost's, taken instead, need no fence.
        target_compile_definitions(project_options INTERFACE BOOST_ASIO_DISABLE_STD_ATOMIC)
    endif()
endif()

if(TASK_WORKER_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "The fuzz targets need clang: libFuzzer comes with it.")
    endif()
    target_compile_options(project_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# mold links in 0.1 s what the default linker needs half a second for; used when present.
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
    target_link_options(project_options INTERFACE -fuse-ld=mold $<$<CONFIG:Release>:LINKER:--icf=safe>)
endif()
