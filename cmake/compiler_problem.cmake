# Why the compiler cannot be used, in task-worker_compiler_problem; empty: it can. Also for who builds against the
# installed package: the headers are full of coroutines.

set(task-worker_compiler_problem "")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
    string(CONCAT task-worker_compiler_problem
        "GCC ${CMAKE_CXX_COMPILER_VERSION} miscompiles co_await expressions: it destroys temporaries twice, without a "
        "warning, so the program would corrupt its memory. Use GCC 14 or later, or clang 19: on Debian 12 "
        "apt-get install clang-19, then configure a new build folder with -DCMAKE_CXX_COMPILER=clang++-19.")
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 16)
    string(CONCAT task-worker_compiler_problem
        "Clang ${CMAKE_CXX_COMPILER_VERSION} is too old. Use clang 19: apt-get install clang-19, then configure a new "
        "build folder with -DCMAKE_CXX_COMPILER=clang++-19.")
endif()
