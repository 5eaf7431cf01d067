# Every library comes from the system's packages; deploy/dependencies installs them on Debian. What is found here,
# cmake/task-worker-config.cmake.in finds again for programs that link the installed libraries.
find_package(Threads REQUIRED)
find_package(PostgreSQL 14 REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS json)
find_package(CURL 7.85 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(ZLIB REQUIRED)
find_package(spdlog REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
if(NOT TARGET yaml-cpp::yaml-cpp)  # yaml-cpp before 0.8 has only the bare name
    add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()

# Boost.Asio compiled once instead of in every file; db/asio_impl.cpp holds the one copy.
add_library(asio INTERFACE)
target_link_libraries(asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(asio INTERFACE
    BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_ARRAY
    BOOST_ASIO_DISABLE_BOOST_REGEX)
