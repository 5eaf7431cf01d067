#pragma once

// What an http handler calls, as plain data: worker/config reads it, the http handler obeys it.

#include <cstddef>
#include <string>
#include <vector>

namespace jobs {

struct HttpSpec {
    std::string url;  // http or https, without user and password
    std::vector<std::string>
        keys;             // of the signature, as bytes: the one in use and others while they change; may be empty
    std::string ca_file;  // PEM: whom to trust instead of the system's authorities; empty: those
    std::size_t result_limit = std::size_t{64} * 1024;  // bytes of the result's JSON
};

}  // namespace jobs
