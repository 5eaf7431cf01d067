# What `cmake --install` installs: the program with its link, and headers, libraries and a CMake package for programs
# with handlers of their own: find_package(task-worker), target task-worker::worker.
include(CMakePackageConfigHelpers)

install(TARGETS task-worker RUNTIME)
install(CODE "
    execute_process(COMMAND \${CMAKE_COMMAND} -E create_symlink task-worker
        \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/enqueue\")")

install(TARGETS db queue jobs worker asio EXPORT task-worker ARCHIVE)
foreach(room db queue jobs worker)
    install(DIRECTORY ${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/task-worker FILES_MATCHING PATTERN "*.hpp")
endforeach()

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/task-worker)
install(EXPORT task-worker NAMESPACE task-worker:: FILE task-worker-targets.cmake DESTINATION ${package})
configure_package_config_file(cmake/task-worker-config.cmake.in task-worker-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(task-worker-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/task-worker-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/task-worker-config-version.cmake
    DESTINATION ${package})

install(FILES config.yml DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR})
