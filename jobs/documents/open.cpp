#include "jobs/documents/open.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace jobs::documents {

namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

// Whether the file itself is at fault.
bool is_lasting(int error) {
    static constexpr std::array<int, 8> lasting{ENOENT, ENOTDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG, EISDIR, ENXIO};
    return std::ranges::find(lasting, error) != lasting.end();
}

}  // namespace

std::optional<std::string> path_below(const std::string& root, const std::string& path) {
    namespace fs = std::filesystem;
    if (path.find('\0') != std::string::npos) return {};
    const fs::path whole = fs::path(path).is_absolute() ? fs::path(path) : fs::path(root) / path;
    std::string below = whole.lexically_normal().lexically_relative(root).string();
    if (below.empty() || below == "." || below == ".." || below.starts_with("../")) return {};
    if (below.ends_with('/')) below.pop_back();
    return below;
}

boost::system::result<UniqueFd, Refusal> open_below(const std::string& root, const std::string& below) {
    const UniqueFd folder(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder) fail("documents.root " + root);
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;  // without waiting for the other end of a pipe
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    UniqueFd file(static_cast<int>(::syscall(SYS_openat2, folder.get(), below.c_str(), &how, sizeof(how))));
    if (!file && errno == EXDEV) return Refusal{"leads out of documents.root by a link"};
    if (!file && is_lasting(errno)) return Refusal{std::strerror(errno)};
    if (!file) fail(below);
    struct stat facts{};
    if (::fstat(file.get(), &facts) != 0) fail(below);
    if (!S_ISREG(facts.st_mode)) return Refusal{"is no regular file"};
    return file;
}

}  // namespace jobs::documents
