#pragma once

// Putting dead letters back, as `dead redrive` and `batch redrive` do.

#include "db/session.hpp"
#include "queue/dead.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/options.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace worker::cli {

struct Redriven {
    std::vector<queue::JobId> jobs;
    std::int64_t left = 0;  // found dead, and left so
};

// All that match and are dead now, each once, in one transaction: a batch has one more round, not several. With dry_run
// nothing is changed, and `left` counts them. Shows its progress on a terminal.
//
// Throws: db::Error, and then nothing was redriven.
boost::asio::awaitable<Redriven> redrive_all(
    db::Session& session, const Global& global, queue::DeadFilter filter, bool dry_run
);

// Why some were left, behind what was done: "; 2 left dead: ..", or nothing.
std::string left_text(const Redriven& redriven);

// {redriven: [job], left, dry_run}, into an object that may have more.
JsonObject redriven_json(const Redriven& redriven, bool dry_run, JsonObject object = {});

}  // namespace worker::cli
