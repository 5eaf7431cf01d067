#pragma once

// Signatures as Standard Webhooks define them (https://www.standardwebhooks.com). Pure.

#include <boost/system/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jobs {

struct KeyProblem {
    std::string text;
};

// The keys of a secret's file: base64 of 24 to 64 bytes a line, `whsec_` before it or not. Several while they change
// over: each of them signs. Blank lines and lines with # are left out.
boost::system::result<std::vector<std::string>, KeyProblem> read_signing_keys(std::string_view text);

// The value of webhook-signature: "v1,BASE64" for each key, blanks between. Over "ID.TIMESTAMP.BODY", HMAC-SHA256.
// Empty without keys.
std::string sign_webhook(
    const std::vector<std::string>& keys, std::string_view id, std::int64_t timestamp, std::string_view body
);

}  // namespace jobs
