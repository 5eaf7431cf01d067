#include "worker/embedded_postgres.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <stdexcept>

namespace worker {

namespace fs = std::filesystem;

namespace {

bool has_server(const fs::path& folder) {
    return access((folder / "postgres").c_str(), X_OK) == 0 && access((folder / "initdb").c_str(), X_OK) == 0;
}

// What a short command prints, without the line's end; empty when it fails.
std::string output_of(const std::string& command) {
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "re"), pclose);
    std::array<char, 4096> text{};
    if (!pipe || std::fgets(text.data(), static_cast<int>(text.size()), pipe.get()) == nullptr) return {};
    std::string line(text.data());
    while (line.ends_with('\n')) line.pop_back();
    return line;
}

// "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)" answers "15".
std::string major_version_of(const fs::path& folder) {
    std::istringstream words(output_of(fmt::format("'{}' --version", (folder / "postgres").string())));
    std::string program;
    std::string product;
    std::string version;
    words >> program >> product >> version;
    return version.substr(0, version.find_first_not_of("0123456789"));
}

}  // namespace

fs::path find_postgres_binaries(std::string_view major_version) {
    // Debian keeps every major version in a folder of its own, outside PATH.
    const fs::path debian = "/usr/lib/postgresql";
    fs::path newest;
    int newest_version = 0;
    std::error_code not_debian;
    for (const fs::directory_entry& entry : fs::directory_iterator(debian, not_debian)) {
        const std::string name = entry.path().filename();
        int version = 0;
        std::from_chars(name.data(), name.data() + name.size(), version);
        if (!major_version.empty() && name != major_version) continue;
        if (version > newest_version && has_server(entry.path() / "bin")) {
            newest = entry.path() / "bin";
            newest_version = version;
        }
    }
    if (!newest.empty()) return newest;

    std::vector<fs::path> others;
    const char* path = std::getenv("PATH");
    std::istringstream folders(path == nullptr ? "" : path);
    for (std::string folder; std::getline(folders, folder, ':');) others.emplace_back(folder);
    others.emplace_back(output_of("pg_config --bindir 2>/dev/null"));
    for (const fs::path& folder : others) {
        if (!folder.empty() && has_server(folder) &&
            (major_version.empty() || major_version_of(folder) == major_version)) {
            return folder;
        }
    }
    if (major_version.empty()) {
        throw std::runtime_error(
            "no PostgreSQL server is installed (looked in /usr/lib/postgresql, PATH and pg_config --bindir); "
            "install it with: apt-get install postgresql-15 (no cluster needs to be set up), "
            "or use your own server with DATABASE_URL"
        );
    }
    throw std::runtime_error(fmt::format(
        "the data was made by PostgreSQL {0}, which is not installed: apt-get install postgresql-{0}, "
        "or choose another data folder",
        major_version
    ));
}

}  // namespace worker
