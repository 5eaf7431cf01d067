#pragma once

// A certificate authority of a test's own, made with openssl.

#include "tests/support/temporary_folder.hpp"

#include <string>

namespace tests {

class Authority {
public:
    Authority();

    struct Certificate {
        std::string certificate;  // PEM, both
        std::string key;
    };
    // For a server with this name, valid for so many days from now; -1: it expired yesterday.
    Certificate issue(const std::string& host, int days = 2) const;

    // The authority's own certificate, for sslrootcert.
    std::string file() const { return folder_.path() + "/authority.crt"; }

private:
    TemporaryFolder folder_;
};

}  // namespace tests
