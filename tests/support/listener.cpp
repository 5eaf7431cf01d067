#include "tests/support/listener.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <stdexcept>

namespace tests {

Listener::Listener(const std::string& url, const std::string& channel)
    : connection_(PQconnectdb(url.c_str()), PQfinish) {
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(
        PQexec(connection_.get(), ("listen " + channel).c_str()), PQclear
    );
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
}

void Listener::await(const std::string& payload, std::chrono::seconds limit) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + limit;
    for (;;) {
        while (const std::unique_ptr<PGnotify, decltype(&PQfreemem)> heard{PQnotifies(connection_.get()), PQfreemem}) {
            if (payload == heard->extra) return;
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
        pollfd waiting{PQsocket(connection_.get()), POLLIN, 0};
        if (left.count() <= 0 || poll(&waiting, 1, static_cast<int>(left.count())) == 0)
            throw std::runtime_error("not notified in time: " + payload);
        if (PQconsumeInput(connection_.get()) == 0) throw std::runtime_error(PQerrorMessage(connection_.get()));
    }
}

}  // namespace tests
