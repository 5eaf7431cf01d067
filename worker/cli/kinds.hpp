#pragma once

// Is a kind known to anybody who could run it?

#include "db/session.hpp"
#include "worker/config.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <vector>

namespace worker::cli {

// Throws: Failure (usage), with the nearest name, for the first kind that neither this configuration nor a live worker
//         knows.
boost::asio::awaitable<void> check_kinds(db::Session& session, const Config& config, std::vector<std::string> kinds);

}  // namespace worker::cli
