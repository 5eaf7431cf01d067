#include "tests/support/browser.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/detail/base64.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/json.hpp>

#include <filesystem>
#include <fstream>
#include <regex>
#include <stdexcept>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace json = boost::json;

namespace tests {

namespace {

const std::string program = "/usr/bin/chromium";

std::string quoted(const std::string& text) {
    return json::serialize(json::value(text));
}

std::string decoded(std::string_view base64) {
    std::string bytes(beast::detail::base64::decoded_size(base64.size()), '\0');
    bytes.resize(beast::detail::base64::decode(bytes.data(), base64.data(), base64.size()).first);
    return bytes;
}

// What an event complains of; empty: nothing.
std::string complaint_of(const json::object& message) {
    const auto method = message.find("method");
    if (method == message.end()) return {};
    const json::object& parameters = message.at("params").as_object();
    if (method->value() == "Runtime.exceptionThrown") return json::serialize(parameters.at("exceptionDetails"));
    if (method->value() == "Log.entryAdded") {
        const json::object& entry = parameters.at("entry").as_object();
        if (entry.at("level") == "error") return std::string(entry.at("text").as_string());
    }
    return {};
}

}  // namespace

struct Browser::Wire {
    asio::io_context context{};
    beast::websocket::stream<asio::ip::tcp::socket> socket{context};
    std::int64_t last_call = 0;
    std::string session{};  // of the page
};

bool Browser::is_installed() {
    return std::filesystem::exists(program);
}

Browser::Browser(int width, int height)
    : process_(
          program,
          {"--headless",
           "--no-sandbox",
           "--disable-gpu",
           "--hide-scrollbars",
           "--remote-debugging-port=0",
           "--user-data-dir=" + folder_.path(),
           "about:blank"}
      ),
      wire_(std::make_unique<Wire>()) {
    const std::string line = process_.wait_for_line("DevTools listening on ");
    std::smatch url;
    if (!std::regex_search(line, url, std::regex("ws://127\\.0\\.0\\.1:([0-9]+)(/[^ ]+)"))) {
        throw std::runtime_error("no address in: " + line);
    }
    const auto port = static_cast<asio::ip::port_type>(std::stoi(url[1]));
    wire_->socket.next_layer().connect({asio::ip::address_v4::loopback(), port});
    wire_->socket.read_message_max(0);
    wire_->socket.handshake("127.0.0.1", url[2].str());
    const json::value target = call("Target.createTarget", {{"url", "about:blank"}});
    const json::value attached =
        call("Target.attachToTarget", {{"targetId", target.at("targetId")}, {"flatten", true}});
    wire_->session = attached.at("sessionId").as_string();
    for (const char* domain : {"Page.enable", "Runtime.enable", "Log.enable"}) call(domain);
    resize(width, height);
}

Browser::~Browser() = default;

json::value Browser::call(std::string_view method, json::object parameters) {
    json::object request{{"id", ++wire_->last_call}, {"method", method}, {"params", std::move(parameters)}};
    if (!wire_->session.empty()) request["sessionId"] = wire_->session;
    wire_->socket.write(asio::buffer(json::serialize(request)));
    for (;;) {
        beast::flat_buffer buffer;
        wire_->socket.read(buffer);
        const json::value message = json::parse(beast::buffers_to_string(buffer.data()));
        const json::object& object = message.as_object();
        if (std::string complaint = complaint_of(object); !complaint.empty())
            complaints_.push_back(std::move(complaint));
        const auto id = object.find("id");
        if (id == object.end() || id->value().as_int64() != wire_->last_call) continue;
        if (object.contains("error")) throw std::runtime_error(json::serialize(object.at("error")));
        return object.at("result");
    }
}

void Browser::open(const std::string& url) {
    const json::value answer = call("Page.navigate", {{"url", url}});
    if (answer.as_object().contains("errorText")) throw std::runtime_error(json::serialize(answer));
}

void Browser::resize(int width, int height) {
    call(
        "Emulation.setDeviceMetricsOverride",
        {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", width < 600}}
    );
}

void Browser::prefer_dark(bool dark) {
    const json::object feature{{"name", "prefers-color-scheme"}, {"value", dark ? "dark" : "light"}};
    call("Emulation.setEmulatedMedia", {{"features", json::array{feature}}});
}

json::value Browser::evaluate(const std::string& expression) {
    const json::value answer =
        call("Runtime.evaluate", {{"expression", expression}, {"awaitPromise", true}, {"returnByValue", true}});
    if (const auto* thrown = answer.as_object().if_contains("exceptionDetails")) {
        const json::value* said = thrown->as_object().at("exception").as_object().if_contains("description");
        throw std::runtime_error(said == nullptr ? json::serialize(*thrown) : std::string(said->as_string()));
    }
    const auto* value = answer.at("result").as_object().if_contains("value");
    return value == nullptr ? json::value() : *value;
}

void Browser::await(const std::string& expression) {
    evaluate(
        "new Promise((resolve, reject) => {"
        "const holds = () => { try { return (" +
        expression +
        "); } catch { return false; } };"
        "if (holds()) return resolve(true);"
        "const observer = new MutationObserver(() => { if (holds()) { observer.disconnect(); resolve(true); } });"
        "observer.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});"
        "setTimeout(() => reject(new Error('never: ' + " +
        quoted(expression) + " + '; the page says: ' + document.body.innerText)), 30000); })"
    );
}

void Browser::await_text(const std::string& text) {
    await("document.body.innerText.includes(" + quoted(text) + ")");
}

std::string Browser::text() {
    return std::string(evaluate("document.body.innerText").as_string());
}

std::vector<std::string> Browser::complaints() {
    evaluate("0");  // what was said before has come by then
    return complaints_;
}

void Browser::save_picture(const std::string& path) {
    const json::value picture = call("Page.captureScreenshot", {{"captureBeyondViewport", true}});
    std::ofstream(path, std::ios::binary) << decoded(picture.at("data").as_string());
}

}  // namespace tests
