#include "tests/support/small_disk.hpp"

#include <sys/mount.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace tests {

SmallDisk::SmallDisk(std::string size) : size_(std::move(size)) {
    if (mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, ("size=" + size_).c_str()) != 0)
        why_not_ = std::strerror(errno);
}

SmallDisk::~SmallDisk() {
    if (why_not_.empty()) umount2(folder_.path().c_str(), MNT_DETACH);
}

bool SmallDisk::resize(const std::string& size) const {
    return mount("tmpfs", folder_.path().c_str(), "tmpfs", MS_REMOUNT, ("size=" + size).c_str()) == 0;
}

// It shrinks to what is in use. Others write meanwhile: then it is tried again.
void SmallDisk::fill() const {
    for (int tries = 1000; tries > 0; --tries) {
        struct statvfs facts{};
        if (statvfs(folder_.path().c_str(), &facts) != 0) break;
        if (resize(std::to_string((facts.f_blocks - facts.f_bfree) * facts.f_frsize))) return;
    }
    throw std::runtime_error(std::string("cannot fill a small disk: ") + std::strerror(errno));
}

void SmallDisk::clear() const {
    if (!resize(size_)) throw std::runtime_error(std::string("cannot clear a small disk: ") + std::strerror(errno));
}

}  // namespace tests
