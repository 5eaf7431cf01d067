#pragma once

// Where an http handler's requests go: its URL taken apart once. Pure.

#include <string>

namespace jobs {

struct HttpTarget {
    std::string url;
    std::string origin;   // http://api:8000: what a connection is to
    std::string host;     // as the header Host names it
    std::string path;     // with the query
    std::string ca_file;  // see HttpSpec
};

// Throws: std::invalid_argument for what is no http or https URL.
HttpTarget parse_target(std::string url, std::string ca_file);

}  // namespace jobs
