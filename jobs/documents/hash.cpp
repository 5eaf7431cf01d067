#include "jobs/documents/hash.hpp"

#include <fmt/format.h>

#include <array>
#include <openssl/evp.h>
#include <span>
#include <stdexcept>

namespace jobs::documents {

std::string sha256(std::string_view bytes) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) {
        throw std::runtime_error("OpenSSL has no SHA-256");
    }
    std::string text;
    for (const unsigned char byte : std::span(digest).first(length)) text += fmt::format("{:02x}", byte);
    return text;
}

}  // namespace jobs::documents
