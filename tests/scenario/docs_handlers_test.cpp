// docs/handlers.md does what it says: its files are written out and run; excerpts are those of the real files, here and
// in docs/pool.md.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/markdown.hpp"
#include "tests/support/process.hpp"
#include "tests/support/shop.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <regex>
#include <string>

using namespace tests;

namespace {

int free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(socket, plain, size) == 0);
    REQUIRE(::getsockname(socket, plain, &size) == 0);
    ::close(socket);
    return ntohs(address.sin_port);
}

// Until somebody listens there.
void await_listener(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < limit) {
        const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
        const int result = ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address);
        ::close(socket);
        if (result == 0) return;
    }
    FAIL("nobody listens");
}

}  // namespace

TEST_CASE("the files of docs/handlers.md run as they stand", "[scenario][docs]") {
    const Shop shop("");
    const std::string port = std::to_string(free_port());
    const auto files = snippets_of(read_page("docs/handlers.md"), "file");
    REQUIRE(files.size() == 5);
    for (const Snippet& file : files) {
        shop.folder.write(file.name, std::regex_replace(file.text, std::regex(":8000/"), ":" + port + "/"));
    }
    const Finished secret = run_command({.words = {"/usr/bin/openssl", "rand", "-base64", "32"}});
    REQUIRE(secret.code == 0);
    shop.folder.write("webhook.secret", secret.output);
    const Process api("/usr/bin/env", {"-C", shop.folder.path(), "PORT=" + port, "python3", "api.py"});
    await_listener(std::stoi(port));
    shop.enqueue("slugify", 2, R"('{"title": "Hello, World!"}')");
    shop.enqueue("slugify-stream", 2, R"('{"title": "Hello, World!"}')");
    shop.enqueue("slugify-http", 2, R"('{"title": "Hello, World!"}')");
    WorkerProcess worker(shop.database.url(), {}, shop.arguments());
    shop.await_finished(6);
    CHECK(
        shop.database.value("select count(*) from task_queue.finished_bundles where result ->> 'slug' = 'hello-world'"
        ) == "6"
    );
    CHECK(worker.output().find("working on Hello, World!") != std::string::npos);
    const Finished greeted = run_command(
        {.words = {"/bin/sh", "greet.sh"}, .environment = {{"ARG_NAME", "Ada"}}, .folder = shop.folder.path()}
    );
    CHECK(greeted.output == "{\"result\":\"hello Ada\"}\n");
}

TEST_CASE("the excerpts in docs/ are those of the files they name", "[scenario][docs]") {
    const std::string page = GENERATE("docs/handlers.md", "docs/pool.md");
    const auto excerpts = snippets_of(read_page(page), "from");
    REQUIRE(excerpts.size() >= 4);
    for (const Snippet& excerpt : excerpts) {
        INFO(excerpt.name << "\n" << excerpt.text);
        CHECK(read_page(excerpt.name).find(excerpt.text) != std::string::npos);
    }
}
