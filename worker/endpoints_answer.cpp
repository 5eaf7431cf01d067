#include "worker/endpoints_answer.hpp"

#include "worker/logging.hpp"
#include "worker/page.hpp"

#include <array>
#include <exception>

namespace worker {

namespace {

Answer page(const EndpointCallbacks&) {
    return {.content_type = "text/html; charset=utf-8", .body = std::string(page_html)};
}

Answer style(const EndpointCallbacks&) {
    return {.content_type = "text/css; charset=utf-8", .body = std::string(page_css)};
}

Answer script(const EndpointCallbacks&) {
    return {.content_type = "text/javascript; charset=utf-8", .body = std::string(page_js)};
}

Answer metrics(const EndpointCallbacks& callbacks) {
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = callbacks.metrics()};
}

Answer healthz(const EndpointCallbacks&) {
    return {.body = "ok\n"};
}

Answer readyz(const EndpointCallbacks& callbacks) {
    const Readiness readiness = callbacks.readiness();
    if (readiness.ready) return {.body = "ready\n"};
    return {.status = 503, .body = "not ready: " + readiness.reason + "\n"};
}

Answer status(const EndpointCallbacks& callbacks) {
    return {.content_type = "application/json", .body = callbacks.status()};
}

struct Route {
    std::string_view path;
    Answer (*answer)(const EndpointCallbacks&);
};
constexpr std::array<Route, 7> routes{
    {{"/", page},
     {"/page.css", style},
     {"/page.js", script},
     {"/metrics", metrics},
     {"/healthz", healthz},
     {"/readyz", readyz},
     {"/status", status}}
};

}  // namespace

Answer answer(const EndpointCallbacks& callbacks, std::string_view method, std::string_view target) {
    const std::string_view path = target.substr(0, target.find('?'));
    for (const Route& route : routes) {
        if (route.path != path) continue;
        if (method != "GET" && method != "HEAD") {
            return {.status = 405, .body = "only GET and HEAD are answered here\n", .allow = "GET, HEAD"};
        }
        try {
            return route.answer(callbacks);
        } catch (const std::exception& error) {
            const Fields fields{{"path", path}, {"error", error.what()}};
            log_limited(Component::endpoints, LogLevel::error, "an endpoint failed", fields, std::string(path));
            return {.status = 500, .body = "the answer could not be made; the log says why\n"};
        }
    }
    return {.status = 404, .body = "nothing here; / lists what there is\n"};
}

}  // namespace worker
