# What `cmake --install` installs: the program with its link, its manual pages and completions; and headers, libraries
# and a CMake package for programs with handlers of their own: find_package(task-worker), target task-worker::worker.
# Each room is a component, which needs those before it and their packages alone: find_package(task-worker COMPONENTS db)
# for the connection pool.
include(CMakePackageConfigHelpers)

install(TARGETS task-worker RUNTIME)
install(CODE "
    execute_process(COMMAND \${CMAKE_COMMAND} -E create_symlink task-worker
        \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/enqueue\")")
# The program writes both itself, of what its --help says.
install(CODE "set(program \"$<TARGET_FILE:task-worker>\")")
install(SCRIPT cmake/install_pages.cmake)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/task-worker)
install(TARGETS asio EXPORT task-worker-db)
foreach(room db queue jobs worker)
    install(TARGETS ${room} EXPORT task-worker-${room} ARCHIVE)
    install(EXPORT task-worker-${room} NAMESPACE task-worker:: DESTINATION ${package})
    install(DIRECTORY ${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/task-worker FILES_MATCHING PATTERN "*.hpp")
endforeach()

configure_package_config_file(cmake/task-worker-config.cmake.in task-worker-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(task-worker-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/task-worker-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/task-worker-config-version.cmake
    cmake/compiler_problem.cmake
    DESTINATION ${package})

install(FILES config.yml DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR})
