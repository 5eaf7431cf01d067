// The floor of a drain: the least that a queue of rows in PostgreSQL can do, without anything around it.

#include "tests/bench/client/postgres.hpp"
#include "tests/bench/client/verbs.hpp"

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

namespace bench {

namespace {

// A claim and the delete of what the claim before brought travel together: one round trip, one transaction.
constexpr const char* claim_sql = R"sql(
    update floor_bundles set state = 2
    where ctid = any (array(
        select ctid from floor_bundles where state = 1 and id > $1::bigint order by id limit $2::bigint
        for update skip locked
    ))
    returning id, jobs, args
)sql";
constexpr const char* finish_sql = "delete from floor_bundles where id = any ($1::bigint[])";

struct Claimed {
    std::vector<std::int64_t> rows;
    std::int64_t jobs = 0;
    std::int64_t bytes = 0;
};

Claimed read_claim(const PGresult* result) {
    Claimed claimed;
    for (int row = 0; row < PQntuples(result); ++row) {
        claimed.rows.push_back(bigint_at(result, row, 0));
        claimed.jobs += bigint_at(result, row, 1);
        claimed.bytes += PQgetlength(result, row, 2);
    }
    return claimed;
}

}  // namespace

void drain_floor(const Arguments& arguments) {
    const Connection connection = connect(arguments.text("url"));
    PGconn* const session = connection.get();
    const std::string limit = arguments.text("rows");
    // Prepared on an empty table, statistics would choose a full scan.
    execute(session, "set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off");
    prepare(session, "claim", claim_sql);
    prepare(session, "finish", finish_sql);
    if (PQenterPipelineMode(session) != 1) throw std::runtime_error("no pipeline mode");

    std::cout << "ready" << std::endl;
    std::cin.get();
    const auto start = std::chrono::steady_clock::now();
    std::int64_t jobs = 0;
    std::int64_t bytes = 0;
    std::int64_t cursor = 0;
    Claimed last;
    do {
        const std::string rows = binary_array(last.rows);
        const std::string after = std::to_string(cursor);
        if (!last.rows.empty()) send_prepared(session, "finish", {{rows, true}});
        send_prepared(session, "claim", {{after}, {limit}});
        send_sync(session);
        if (!last.rows.empty()) take_result(session);
        last = read_claim(take_result(session).get());
        take_sync(session);
        jobs += last.jobs;
        bytes += last.bytes;
        for (const std::int64_t row : last.rows) cursor = std::max(cursor, row);
    } while (!last.rows.empty());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::cout << "{\"seconds\": " << took.count() << ", \"jobs\": " << jobs << ", \"bytes\": " << bytes << "}\n";
}

}  // namespace bench
