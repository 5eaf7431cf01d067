#pragma once

// What of a failed attempt may stand in the log. Pure.

#include <string_view>

namespace worker {

// The beginning of an error text that the worker itself has written, without anything that a handler or its job has
// said: "exit code 3", "killed by SIGKILL", "timed out after 10 s", "HTTP 503", "no answer". Empty for all else.
std::string_view failure_cause(std::string_view error);

// The trace id of a W3C traceparent, 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01; empty for anything else.
std::string_view trace_id(std::string_view traceparent);

}  // namespace worker
