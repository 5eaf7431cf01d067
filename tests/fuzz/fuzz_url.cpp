// Whatever is given as a database URL is understood or refused, and no message shows its password.
#include "db/url.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const db::UrlResult first = db::parse_url(text);
    if (!first) return 0;
    const db::UrlResult again = db::parse_url(first->text);  // what it makes, it understands
    if (!again || again->text != first->text) std::abort();
    return 0;
}
