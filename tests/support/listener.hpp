#pragma once

// Waits for a notification, on a blocking connection of its own.

#include <chrono>
#include <memory>
#include <string>

struct pg_conn;

namespace tests {

class Listener {
public:
    // Listens when it returns. Throws: std::runtime_error with the server's message.
    Listener(const std::string& url, const std::string& channel);

    // Waits for a notification with this payload; others are forgotten.
    // Throws: std::runtime_error when the connection ends or it takes longer.
    void await(const std::string& payload, std::chrono::seconds limit);

private:
    std::unique_ptr<pg_conn, void (*)(pg_conn*)> connection_;
};

}  // namespace tests
