// Name servers that do not answer.
#include "tests/support/catch.hpp"
#include "tests/support/process.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temporary_folder.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string>

using namespace tests;
using Catch::Contains;

namespace {

// A door of this machine's at which questions are left lying.
class SilentNameServer {
public:
    SilentNameServer() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = inet_addr("127.0.0.1");
        address.sin_port = htons(53);
        is_open_ = ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    ~SilentNameServer() { ::close(socket_); }
    SilentNameServer(const SilentNameServer&) = delete;
    SilentNameServer& operator=(const SilentNameServer&) = delete;

    bool is_open() const { return is_open_; }

private:
    int socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_open_ = false;
};

}  // namespace

TEST_CASE("a name server that does not answer is told, and keeps no worker from stopping", "[scenario][faults]") {
    const SilentNameServer server;
    if (!server.is_open() || ::geteuid() != 0) {
        skip("only root can give a process a name server of its own");
        return;
    }
    const TemporaryFolder folder;
    folder.write("resolv.conf", "nameserver 127.0.0.1\n");
    Process worker(
        "/usr/bin/unshare",
        {"--mount",
         "sh",
         "-c",
         "mount --bind " + folder.path() + "/resolv.conf /etc/resolv.conf && exec " + TASK_WORKER_BINARY + " run"},
        {{"DATABASE_URL", "postgresql://nobody@database.nowhere/nothing?connect_timeout=1"},
         {"TASK_WORKER_HTTP_LISTEN", "127.0.0.1:0"},
         {"TASK_WORKER_LOG_FORMAT", "json"}}
    );
    CHECK_THAT(
        worker.wait_for_line("waiting for the database"), Contains("no name server answers for host database.nowhere")
    );
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
}
