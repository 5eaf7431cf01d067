#pragma once

// The live page: worker/page/*, compiled in (cmake/embed.cmake).

#include <string_view>

namespace worker {

extern const std::string_view page_html;
extern const std::string_view page_css;
extern const std::string_view page_js;

}  // namespace worker
