#include "tests/support/certificates.hpp"

#include "tests/support/command.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>
#include <vector>

namespace tests {

namespace {

void openssl(const std::string& folder, std::vector<std::string> words) {
    words.insert(words.begin(), "/usr/bin/openssl");
    const Finished finished = run_command({.words = std::move(words), .folder = folder});
    if (finished.code != 0) throw std::runtime_error("openssl failed: " + finished.errors);
}

// The words of a new key and of what is asked of openssl about it.
std::vector<std::string> new_key(const std::string& name, const std::string& subject) {
    return {
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        subject,
        "-keyout",
        name + ".key",
        "-out",
        name + ".crt"
    };
}

std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Authority::Authority() {
    std::vector<std::string> words = new_key("authority", "/CN=test authority");
    words.insert(words.end(), {"-x509", "-days", "2"});
    openssl(folder_.path(), std::move(words));
}

Authority::Certificate Authority::issue(const std::string& host, int days) const {
    folder_.write("names", "subjectAltName=DNS:" + host + "\n");
    openssl(folder_.path(), new_key("server", "/CN=" + host));
    openssl(
        folder_.path(),
        {"x509",
         "-req",
         "-in",
         "server.crt",
         "-CA",
         "authority.crt",
         "-CAkey",
         "authority.key",
         "-CAcreateserial",
         "-extfile",
         "names",
         "-days",
         fmt::format("{}", days),
         "-out",
         "signed.crt"}
    );
    return {.certificate = content(folder_.path() + "/signed.crt"), .key = content(folder_.path() + "/server.key")};
}

}  // namespace tests
