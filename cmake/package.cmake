# `cpack --config build/release/CPackConfig.cmake` makes a package for Debian: the component `program`, and beside it
# the service with its configuration, which `cmake --install` leaves to who installs. What runs when it is installed
# and removed stands in deploy/debian.
set(TASK_WORKER_MAINTAINER "The authors of task-worker <task-worker@localhost.localdomain>" CACHE STRING
    "Name and address of who makes the package")

# As in the sources, but for what it names.
file(READ config.yml configuration)
string(REPLACE "jobs/examples/count_words.sh" "/usr/share/task-worker/count_words.sh" configuration "${configuration}")
string(REPLACE "docs/config.schema.json" "/usr/share/doc/task-worker/config.schema.json"
    configuration "${configuration}")
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/package/config.yml "${configuration}")
string(TIMESTAMP package_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(deploy/debian/changelog.in package/changelog @ONLY)

set(service COMPONENT service EXCLUDE_FROM_ALL)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/package/config.yml DESTINATION /etc/task-worker ${service})
install(FILES deploy/systemd/task-worker.service DESTINATION lib/systemd/system ${service})
install(PROGRAMS jobs/examples/count_words.sh DESTINATION share/task-worker ${service})
install(FILES deploy/debian/copyright ${CMAKE_CURRENT_BINARY_DIR}/package/changelog DESTINATION share/doc/task-worker
    ${service})

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)  # for what lies in /etc
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/cmake/package_pages.cmake)
set(CPACK_COMPONENTS_ALL program service)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGE_NAME task-worker)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Runs background jobs from a queue in PostgreSQL")
set(CPACK_DEBIAN_PACKAGE_NAME task-worker)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${TASK_WORKER_MAINTAINER})
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "A daemon that claims jobs which APIs have enqueued in their own transactions,
and runs them as programs or as calls of an API, with retries, batches and
Prometheus metrics.")
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS postgresql)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
foreach(file postinst prerm postrm conffiles)
    list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_SOURCE_DIR}/deploy/debian/${file})
endforeach()
include(CPack)
