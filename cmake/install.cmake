# What `cmake --install` installs: the program with its link, its manual pages and completions; and headers, libraries
# and a CMake package for programs with handlers of their own: find_package(task-worker), target task-worker::worker.
# Each room is a component, which needs those before it and their packages alone: find_package(task-worker COMPONENTS db)
# for the connection pool. `--component program` leaves out what only a compiler wants.
include(CMakePackageConfigHelpers)

install(TARGETS task-worker RUNTIME COMPONENT program)
install(CODE "
    execute_process(COMMAND \${CMAKE_COMMAND} -E create_symlink task-worker
        \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/enqueue\")"
    COMPONENT program)
# The program writes both itself, of what its --help says.
install(CODE "set(task_worker_program \"$<TARGET_FILE:task-worker>\")" COMPONENT program)
install(SCRIPT cmake/install_pages.cmake COMPONENT program)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/task-worker)
install(TARGETS asio EXPORT task-worker-db COMPONENT development)
foreach(room db queue jobs worker)
    install(TARGETS ${room} EXPORT task-worker-${room} ARCHIVE COMPONENT development)
    install(EXPORT task-worker-${room} NAMESPACE task-worker:: DESTINATION ${package} COMPONENT development)
    install(DIRECTORY ${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/task-worker COMPONENT development
        FILES_MATCHING PATTERN "*.hpp")
endforeach()

configure_package_config_file(cmake/task-worker-config.cmake.in task-worker-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(task-worker-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/task-worker-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/task-worker-config-version.cmake
    cmake/compiler_problem.cmake
    DESTINATION ${package} COMPONENT development)

install(FILES config.yml deploy/roles.sql deploy/after_restore.sql DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
