#include "db/migrations.hpp"

#include "db/error.hpp"
#include "db/lock_wait.hpp"
#include "db/transaction.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <map>

namespace asio = boost::asio;

namespace db {

namespace {

// Migrators of every version agree on this number; the lock ends with the transaction, so it works behind a pooler.
const Statement lock_migrations_sql{"lock_migrations", R"sql(
    select pg_advisory_xact_lock(7105131202611211)
)sql"};

// Until the end of the transaction, so that what a member of the owner's role creates is the owner's: where that role
// exists (deploy/roles.sql), may create here, and the schema is not another's already.
const Statement become_owner_sql{"become_owner", R"sql(
    select set_config('role', rolname, true)
    from pg_roles r
    where rolname = 'task_worker_owner'
        and pg_has_role(r.oid, 'member')
        and has_database_privilege(r.oid, current_database(), 'create')
        and not exists (select from pg_namespace where nspname = 'task_queue' and nspowner <> r.oid)
)sql"};

const Statement create_ledger_sql{"create_ledger", R"sql(
    create table if not exists task_queue.migrations (
        version integer not null,
        name text not null,
        checksum text not null,
        applied_at timestamptz not null default now(),
        oldest_program integer,  -- whose programs work with it; null: only those that know it
        constraint pk_migrations primary key (version)
    )
)sql"};

// Ledgers of before have no such column.
const Statement lacks_oldest_sql{"lacks_oldest", R"sql(
    select not exists (
        select from pg_attribute
        where attrelid = to_regclass('task_queue.migrations') and attname = 'oldest_program' and not attisdropped
    )
)sql"};

const Statement add_oldest_sql{"add_oldest", R"sql(
    alter table task_queue.migrations add column oldest_program integer
)sql"};

// After the wait for another migrator, which holds up nobody.
const Statement limit_lock_waits_sql{"limit_lock_waits", R"sql(
    select set_config('lock_timeout', $1::text, true)
)sql"};

const Statement create_schema_sql{"create_schema", R"sql(
    create schema if not exists task_queue
)sql"};

const Statement has_ledger_sql{"has_ledger", R"sql(
    select to_regclass('task_queue.migrations') is not null
)sql"};

const Statement read_ledger_sql{"read_ledger", R"sql(
    select version, name, checksum, applied_at,
        coalesce((to_jsonb(m) ->> 'oldest_program')::integer, version) as oldest_program
    from task_queue.migrations m
    order by version
)sql"};

const Statement write_ledger_sql{"write_ledger", R"sql(
    insert into task_queue.migrations (version, name, checksum, oldest_program)
    values ($1::integer, $2::text, $3::text, $4::integer)
)sql"};

const Statement erase_ledger_sql{"erase_ledger", R"sql(
    delete from task_queue.migrations
    where version = $1::integer
)sql"};

struct Applied {
    std::string name;
    std::string checksum;
    TimePoint at;
    int oldest_program = 0;
};

// FNV-1a, 64 bits: enough to notice an edited file (http://www.isthe.com/chongo/tech/comp/fnv/).
std::string checksum(std::string_view text) {
    std::uint64_t hash = 14'695'981'039'346'656'037ULL;
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 1'099'511'628'211ULL;
    }
    std::string digits;
    for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[(hash >> shift) & 15];
    return digits;
}

asio::awaitable<std::map<int, Applied>> read_ledger(Session& session) {
    std::map<int, Applied> ledger;
    const Rows exists = co_await session.execute(has_ledger_sql);
    if (!exists.front().get<bool>(0)) co_return ledger;
    const Rows rows = co_await session.execute(read_ledger_sql);
    for (const Row row : rows) {
        ledger.emplace(
            row.get<int>(0),
            Applied{row.get<std::string>(1), row.get<std::string>(2), row.get<TimePoint>(3), row.get<int>(4)}
        );
    }
    co_return ledger;
}

// One step in a transaction of its own, under the lock. Answers false when there is nothing left to do.
asio::awaitable<bool> step_up(Session& session, int to, std::chrono::milliseconds a_try, const OnStep& on_step) {
    co_await session.execute(lock_migrations_sql);
    co_await session.execute(limit_lock_waits_sql, std::to_string(a_try.count()));
    co_await session.execute(become_owner_sql);
    const std::map<int, Applied> ledger = co_await read_ledger(session);
    if (ledger.empty()) {
        co_await session.execute(create_schema_sql);
        co_await session.execute(create_ledger_sql);
    } else if ((co_await session.execute(lacks_oldest_sql)).front().get<bool>(0)) {
        co_await session.execute(add_oldest_sql);
    }
    for (const Migration& migration : embedded_migrations()) {
        if (migration.version > to || ledger.contains(migration.version)) continue;
        if (on_step) on_step(migration);
        co_await session.run_script(migration.up, {});
        co_await session.execute(
            write_ledger_sql,
            std::int32_t{migration.version},
            migration.name,
            checksum(migration.up),
            std::int32_t{oldest_program(migration)}
        );
        co_return true;
    }
    co_return false;
}

asio::awaitable<bool> step_down(Session& session, std::optional<int> to, const OnStep& on_step) {
    co_await session.execute(lock_migrations_sql);
    co_await session.execute(become_owner_sql);
    const std::map<int, Applied> ledger = co_await read_ledger(session);
    if (ledger.empty() || ledger.rbegin()->first <= to.value_or(0)) co_return false;
    const int version = ledger.rbegin()->first;
    const auto known = std::ranges::find(embedded_migrations(), version, &Migration::version);
    if (known == embedded_migrations().end()) {
        throw Error(
            ErrorKind::usage,
            "migration " + ledger.rbegin()->second.name + " is of a newer task-worker: use that one to take it back"
        );
    }
    if (on_step) on_step(*known);
    co_await session.run_script(known->down, {});
    co_await session.execute(erase_ledger_sql, std::int32_t{version});
    co_return true;
}

}  // namespace

asio::awaitable<std::vector<MigrationStatus>> read_migrations(Session& session) {
    const std::map<int, Applied> ledger = co_await read_ledger(session);
    std::vector<MigrationStatus> statuses;
    for (const Migration& migration : embedded_migrations()) {
        MigrationStatus status{migration.version, std::string(migration.name), {}};
        status.oldest_program = oldest_program(migration);
        if (const auto applied = ledger.find(migration.version); applied != ledger.end()) {
            status.applied_at = applied->second.at;
            status.changed = applied->second.checksum != checksum(migration.up);
        }
        statuses.push_back(std::move(status));
    }
    for (const auto& [version, applied] : ledger) {
        if (std::ranges::find(embedded_migrations(), version, &Migration::version) == embedded_migrations().end()) {
            statuses.push_back({version, applied.name, applied.at, false, false, applied.oldest_program});
        }
    }
    std::ranges::sort(statuses, {}, &MigrationStatus::version);
    co_return statuses;
}

int oldest_program(const Migration& migration) {
    constexpr std::string_view mark = "-- works with programs from ";
    const std::size_t at = migration.up.find(mark);
    int oldest = migration.version;
    if (at == std::string_view::npos) return oldest;
    const std::string_view number = migration.up.substr(at + mark.size());
    std::from_chars(number.data(), number.data() + number.size(), oldest);
    return oldest;
}

asio::awaitable<int> migrate_up(Session& session, std::optional<int> to, OnStep on_step, LockPatience patience) {
    const int last = to.value_or(embedded_migrations().empty() ? 0 : embedded_migrations().back().version);
    int applied = 0;
    LockWait wait(patience);
    for (;;) {
        bool more = false;
        std::optional<Error> failure;
        try {
            const OnStep once = [&](const Migration& migration) {
                if (wait.begins(migration) && on_step) on_step(migration);
            };
            more = co_await transact(session, [&](Session& inside) {
                return step_up(inside, last, patience.a_try, once);
            });
        } catch (const Error& error) {
            failure = error;
        }
        if (failure) {
            co_await wait.after(*failure);
            continue;
        }
        if (!more) co_return applied;
        ++applied;
    }
}

asio::awaitable<std::optional<std::string>> set_foreign_schema_aside(Session& session) {
    const std::vector<MigrationStatus> migrations = co_await read_migrations(session);
    if (std::ranges::none_of(migrations, &MigrationStatus::changed)) co_return std::nullopt;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    std::string name = "task_queue_" + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count());
    co_await session.run_script("alter schema task_queue rename to " + name, {});
    co_return name;
}

asio::awaitable<int> migrate_down(Session& session, std::optional<int> to, OnStep on_step) {
    for (int taken_back = 0;; ++taken_back) {
        const bool more = co_await transact(session, [&](Session& inside) { return step_down(inside, to, on_step); });
        if (!more) co_return taken_back;
        if (!to) co_return taken_back + 1;
    }
}

std::string migrations_as_sql() {
    std::string script = std::string(create_schema_sql.sql) + ";\n" + std::string(create_ledger_sql.sql) + ";\n";
    for (const Migration& migration : embedded_migrations()) {
        script += "\n-- " + std::string(migration.name) + "\nbegin;\n" + std::string(migration.up);
        script += "\ninsert into task_queue.migrations (version, name, checksum, oldest_program) values (" +
                  std::to_string(migration.version) + ", '" + std::string(migration.name) + "', '" +
                  checksum(migration.up) + "', " + std::to_string(oldest_program(migration)) + ");\ncommit;\n";
    }
    return script;
}

asio::awaitable<SchemaState> read_schema_state(Session& session) {
    const std::vector<MigrationStatus> statuses = co_await read_migrations(session);
    bool any = false;
    bool pending = false;
    bool unknown = false;
    bool works = true;
    const int newest = embedded_migrations().empty() ? 0 : embedded_migrations().back().version;
    for (const MigrationStatus& status : statuses) {
        any = any || status.applied_at;
        pending = pending || !status.applied_at;
        unknown = unknown || !status.known;
        works = works && (status.known || status.oldest_program <= newest);
    }
    if (unknown) co_return works && !pending ? SchemaState::ahead : SchemaState::newer;
    co_return !any ? SchemaState::missing : pending ? SchemaState::older : SchemaState::current;
}

}  // namespace db
