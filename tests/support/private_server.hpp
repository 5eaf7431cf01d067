#pragma once

// The private PostgreSQL of a test process, owned by a process apart, the keeper: so it is no child of the tests, may
// be started from any thread, and goes away with its folder however the tests end, by SIGKILL too. With a PgBouncer in
// front of it, where the tests ask for one.

#include <sys/types.h>

#include <string>
#include <string_view>

namespace tests {

class PrivateServer {
public:
    explicit PrivateServer(bool pooler);  // blocks until the server accepts connections; throws std::runtime_error
    ~PrivateServer();                     // blocks until server and folder are gone
    PrivateServer(const PrivateServer&) = delete;
    PrivateServer& operator=(const PrivateServer&) = delete;

    std::string url(std::string_view database) const;
    std::string pooler_url(std::string_view database) const;  // through PgBouncer

private:
    std::string before_name_;  // the URL of a database, around its name
    std::string after_name_;
    std::string pooler_;    // the folder of PgBouncer; empty without
    pid_t owner_;           // a fork of the tests must not stop their server
    int alive_ = -1;        // the keeper reads its end: end of file means that the tests have ended
    int from_keeper_ = -1;  // we read: a line with the URL or an error; end of file means that the keeper has ended
};

}  // namespace tests
