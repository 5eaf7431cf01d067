#include "tests/support/ledger_bed.hpp"

#include "tests/support/psql.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;

namespace tests {

namespace {

constexpr auto patience = 60s;

template <class Condition>
void await_condition(Condition is_true, const std::string& what) {
    const auto limit = std::chrono::steady_clock::now() + patience;
    while (!is_true()) {
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("never came true: " + what);
        std::this_thread::yield();
    }
}

}  // namespace

// A witness that could be changed or taken back would prove nothing.
const char* const create_witness = R"sql(
    create table public.witness (job_id bigint not null, attempt integer not null, pid integer not null);
    create function public.keep_witnesses() returns trigger language plpgsql as $$
    begin
        raise exception 'witnesses are only added: no %', tg_op;
    end
    $$;
    create trigger keep_witnesses before update or delete or truncate on public.witness
    for each statement execute function public.keep_witnesses()
)sql";

std::string ledger_worker_path() {
    return std::filesystem::path(TASK_WORKER_BINARY).parent_path() / "tests/ledger-worker";
}

std::string witness_trouble(const std::string& url) {
    return psql(url, R"sql(
        select coalesce(string_agg(format('job %s has %s witnesses and is %s', id, witnesses, state), e'\n'), '')
        from (
            select id, coalesce(w.witnesses, 0) as witnesses, coalesce(j.state, 'not there') as state
            from (select id, state from task_queue.jobs where kind = 'ledger') j
            full join (select job_id as id, count(*) as witnesses from public.witness group by job_id) w using (id)
        ) found
        where witnesses <> (state = 'completed')::integer
    )sql")
        .at(0)
        .at(0);
}

LedgerBed::LedgerBed() {
    database_.psql(create_witness);
}

std::string LedgerBed::enqueue(const std::string& args, const std::string& rest, const std::string& kind) const {
    return value(fmt::format("select task_queue.enqueue('{}', '{}'{})", kind, args, rest));
}

void LedgerBed::await(const std::string& query, const std::string& wanted) const {
    database_.await(query, wanted);
}

void LedgerBed::await_state(const std::string& job, const std::string& state) const {
    await("select state from task_queue.job(" + job + ")", state);
}

void LedgerBed::await_reached(const std::string& name) const {
    await_condition([&] { return std::filesystem::exists(file(name) + ".reached"); }, "a handler waits for " + name);
}

Process::Environment LedgerBed::environment(Process::Environment more) {
    more.insert({{"DB_STATEMENT_TIMEOUT", "2s"}, {"DB_POOL_TIMEOUT", "2s"}});
    return more;
}

}  // namespace tests
