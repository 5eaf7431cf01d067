#include "tests/support/fake_clock.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

namespace fs = std::filesystem;

namespace tests {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif
#else
constexpr bool sanitized = false;
#endif

// The dynamic linker puts the machine's architecture in place of $LIB.
constexpr const char* library = "/usr/$LIB/faketime/libfaketimeMT.so.1";

}  // namespace

FakeClock::FakeClock() {
    fs::permissions(folder_.path(), fs::perms(0755));  // a server of another user reads it
    set(std::chrono::seconds(0));
}

bool FakeClock::is_installed() {
    for (const auto& folder : fs::directory_iterator("/usr/lib")) {
        std::error_code missing;
        if (fs::exists(folder.path() / "faketime/libfaketimeMT.so.1", missing)) return true;
    }
    return false;
}

bool FakeClock::fits_this_build() {
    return is_installed() && !sanitized;
}

std::map<std::string, std::string> FakeClock::environment() const {
    return {
        {"LD_PRELOAD", library},
        {"FAKETIME_TIMESTAMP_FILE", folder_.path() + "/clock"},
        {"FAKETIME_NO_CACHE", "1"},
        {"FAKETIME_DONT_FAKE_MONOTONIC", "1"},
        {"NO_FAKE_STAT", "1"},
    };
}

void FakeClock::set(std::chrono::seconds ahead) {
    folder_.write("new", fmt::format("{:+}", ahead.count()));
    fs::permissions(folder_.path() + "/new", fs::perms(0644));
    fs::rename(folder_.path() + "/new", folder_.path() + "/clock");  // nobody reads half of it
}

void FakeClock::clear(pid_t process) {
    std::error_code ignored;
    fs::remove(fmt::format("/dev/shm/faketime_shm_{}", process), ignored);
    fs::remove(fmt::format("/dev/shm/sem.faketime_sem_{}", process), ignored);
}

}  // namespace tests
