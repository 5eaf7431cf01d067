#include "tests/support/prometheus.hpp"

#include "tests/support/markdown.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <regex>
#include <stdexcept>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace json = boost::json;

namespace tests {

namespace {

const std::string program = "/usr/bin/prometheus";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    if (at == std::string::npos) throw std::runtime_error("prometheus.yml has no " + from);
    return text.replace(at, from.size(), to);
}

std::string looks_often(const std::string& configuration) {
    const std::string text = replaced(configuration, "scrape_interval: 15s", "scrape_interval: 1s");
    return replaced(text, "evaluation_interval: 15s", "evaluation_interval: 1s");
}

std::vector<std::string> arguments(const TemporaryFolder& folder, const std::string& configuration) {
    if (!std::filesystem::exists(program)) {
        throw std::runtime_error("no prometheus is installed: run deploy/dependencies test");
    }
    folder.write("prometheus.yml", looks_often(configuration));
    folder.write("alerts.yml", read_page("deploy/prometheus/alerts.yml"));
    return {
        "--config.file=" + folder.path() + "/prometheus.yml",
        "--storage.tsdb.path=" + folder.path() + "/data",
        "--web.listen-address=127.0.0.1:0",
    };
}

std::string percent_encoded(const std::string& text) {
    std::string encoded;
    for (const char c : text) encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return encoded;
}

}  // namespace

Prometheus::Prometheus(int port)
    : Prometheus(
          replaced(read_page("deploy/prometheus/prometheus.yml"), "127.0.0.1:8090", "127.0.0.1:" + std::to_string(port))
      ) {}

Prometheus::Prometheus(const std::string& configuration) : process_(program, arguments(folder_, configuration)) {
    const std::string line = process_.wait_for_line("msg=\"Listening on\"");
    std::smatch listens;
    if (!std::regex_search(line, listens, std::regex("address=127\\.0\\.0\\.1:([0-9]+)"))) {
        throw std::runtime_error("no port in: " + line);
    }
    port_ = std::stoi(listens[1]);
    process_.wait_for_line("Server is ready to receive web requests");
}

json::value Prometheus::ask(const std::string& path) const {
    asio::io_context context;
    beast::tcp_stream stream(context);
    stream.connect({asio::ip::address_v4::loopback(), static_cast<asio::ip::port_type>(port_)});
    http::request<http::empty_body> request(http::verb::get, path, 11);
    request.set(http::field::host, "localhost");
    http::write(stream, request);
    beast::flat_buffer buffer;
    http::response<http::string_body> response;
    http::read(stream, buffer, response);
    json::object answer = json::parse(response.body()).as_object();
    if (answer["status"] != "success") throw std::runtime_error(response.body());
    return answer["data"];
}

json::value Prometheus::query(const std::string& expression) const {
    return ask("/api/v1/query?query=" + percent_encoded(expression));
}

std::size_t Prometheus::count(const std::string& expression) const {
    const json::value data = query(expression);
    const json::value& result = data.at("result");
    if (data.at("resultType") == "scalar") return 1;
    return static_cast<std::size_t>(std::ranges::count_if(result.as_array(), [](const json::value& series) {
        return series.at("value").at(1) != "NaN";
    }));
}

void Prometheus::await(const std::string& expression) const {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (count(expression) == 0) {
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("no series: " + expression);
    }
}

json::value Prometheus::rules() const {
    return ask("/api/v1/rules");
}

}  // namespace tests
