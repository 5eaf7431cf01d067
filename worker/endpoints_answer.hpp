#pragma once

// The inside of worker/endpoints: which request gets which answer. Pure but for the callbacks.

#include "worker/endpoints.hpp"

#include <string>
#include <string_view>

namespace worker {

struct Answer {
    unsigned status = 200;
    std::string_view content_type = "text/plain; charset=utf-8";
    std::string body{};
    std::string_view allow{};  // methods, with 405
};

// `target` as the request line has it; what stands behind a ? is ignored.
Answer answer(const EndpointCallbacks& callbacks, std::string_view method, std::string_view target);

}  // namespace worker
