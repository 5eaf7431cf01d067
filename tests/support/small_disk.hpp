#pragma once

// A file system of a test's own that can be full: a tmpfs, for which it takes the right to mount.

#include "tests/support/temporary_folder.hpp"

#include <filesystem>
#include <string>

namespace tests {

class SmallDisk {
public:
    // `size` as mount(8) has it: "200m".
    explicit SmallDisk(std::string size);
    ~SmallDisk();
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    // Empty: it is there. Else folder() is on the disk of all.
    const std::string& why_not() const { return why_not_; }
    std::filesystem::path folder() const { return folder_.path(); }

    // No byte more fits, until clear(). Throws: std::runtime_error.
    void fill() const;
    void clear() const;

private:
    bool resize(const std::string& size) const;

    TemporaryFolder folder_;
    std::string size_;
    std::string why_not_;
};

}  // namespace tests
