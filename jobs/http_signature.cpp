#include "jobs/http_signature.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <optional>

namespace jobs {

namespace {

constexpr std::string_view prefix = "whsec_";
constexpr std::size_t shortest = 24;
constexpr std::size_t longest = 64;

std::string to_base64(const unsigned char* bytes, std::size_t size) {
    std::string text(4 * ((size + 2) / 3) + 1, '\0');  // the library ends it with a NUL
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the library's bytes
    text.resize(static_cast<std::size_t>(
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(size))
    ));
    return text;
}

// Empty: not base64.
std::optional<std::string> from_base64(std::string text) {
    text.append((4 - text.size() % 4) % 4, '=');  // many leave the end out
    const auto padding = static_cast<std::size_t>(text.size() - 1 - text.find_last_not_of('='));
    std::string bytes(3 * (text.size() / 4), '\0');
    // NOLINTBEGIN(cppcoreguidelines-pro-type-reinterpret-cast): the library's bytes
    const int size = EVP_DecodeBlock(
        reinterpret_cast<unsigned char*>(bytes.data()),
        reinterpret_cast<const unsigned char*>(text.data()),
        static_cast<int>(text.size())
    );
    // NOLINTEND(cppcoreguidelines-pro-type-reinterpret-cast)
    if (size < 0 || padding > 2) return {};
    bytes.resize(static_cast<std::size_t>(size) - padding);
    return bytes;
}

std::string_view trimmed(std::string_view line) {
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

boost::system::result<std::vector<std::string>, KeyProblem> read_signing_keys(std::string_view text) {
    std::vector<std::string> keys;
    int number = 0;
    while (!text.empty()) {
        ++number;
        const std::string_view line = trimmed(text.substr(0, text.find('\n')));
        text.remove_prefix(std::min(text.size(), text.find('\n')) + (text.find('\n') < text.size() ? 1 : 0));
        if (line.empty() || line.starts_with('#')) continue;
        const std::string_view encoded = line.starts_with(prefix) ? line.substr(prefix.size()) : line;
        const std::optional<std::string> key = from_base64(std::string(encoded));
        if (!key || key->size() < shortest || key->size() > longest) {
            return KeyProblem{fmt::format(
                "line {} is not a secret: give base64 of {} to {} random bytes, such as: openssl rand -base64 32",
                number,
                shortest,
                longest
            )};
        }
        keys.push_back(*key);
    }
    if (keys.empty()) return KeyProblem{"no secret in it; make one with: openssl rand -base64 32"};
    return keys;
}

std::string sign_webhook(
    const std::vector<std::string>& keys, std::string_view id, std::int64_t timestamp, std::string_view body
) {
    const std::string content = fmt::format("{}.{}.{}", id, timestamp, body);
    std::string signatures;
    for (const std::string& key : keys) {
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned size = 0;
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the library's bytes
        const auto* bytes = reinterpret_cast<const unsigned char*>(content.data());
        HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, content.size(), digest.data(), &size);
        signatures += (signatures.empty() ? "v1," : " v1,") + to_base64(digest.data(), size);
    }
    return signatures;
}

}  // namespace jobs
