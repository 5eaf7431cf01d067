// docs/reference/sql.md from the catalogue.

#include "tests/support/psql.hpp"
#include "tests/support/reference.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <string_view>

namespace tests {

namespace {

// In the order in which a producer meets them.
constexpr std::string_view functions[] = {
    "enqueue",
    "enqueue_many",
    "create_batch",
    "seal_batch",
    "batch_status",
    "job",
    "report_progress",
    "cancel",
    "cancel_batch"
};

// An argument a line; of those that it answers likewise.
constexpr std::string_view describe = R"sql(
    select (row_number() over (order by p.oid) = 1)::text, d.description,
        (
            select coalesce(string_agg(
                format(
                    '    %s %s%s', a.name, format_type(a.type, null),
                    case
                        when a.n > p.pronargs - p.pronargdefaults
                        then ' default ' || regexp_replace(pg_get_function_arg_default(p.oid, a.n::integer), '::[a-z ]+$', '')
                        else ''
                    end
                ), E',\n' order by a.n
            ), '')
            from unnest(p.proargnames, coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality a(name, type, n)
            where coalesce(p.proargmodes[a.n::integer], 'i') = 'i'
        ),
        case when p.proargmodes is null then pg_get_function_result(p.oid) else '' end,
        (
            select coalesce(string_agg(format('| `%s` | %s |', a.name, format_type(a.type, null)), E'\n' order by a.n), '')
            from unnest(p.proargnames, p.proallargtypes, p.proargmodes) with ordinality a(name, type, mode, n)
            where a.mode = 'o'
        )
    from pg_proc p
    left join pg_description d on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass and d.objsubid = 0
    where p.pronamespace = 'task_queue'::regnamespace and p.proname = '{}'
    order by p.oid
)sql";

constexpr std::string_view describe_jobs = R"sql(
    select obj_description('task_queue.jobs'::regclass),
        string_agg(format('| `%s` | %s |', attname, format_type(atttypid, atttypmod)), E'\n' order by attnum)
    from pg_attribute
    where attrelid = 'task_queue.jobs'::regclass and attnum > 0
)sql";

constexpr std::string_view columns_head = "\n| column | type |\n|---|---|\n";

}  // namespace

std::string sql_reference(const std::string& url) {
    std::string text = reference_page(
        "SQL functions",
        "What producers and readers call, all in the schema `task_queue`; how, with examples: "
        "[producers.md](../producers.md).\n"
        "What is not named here is the workers' own, and may change with any version. NULL for an optional argument "
        "means its\n"
        "default."
    );
    for (const std::string_view name : functions) {
        const TextRows forms = psql(url, fmt::format(fmt::runtime(describe), name));
        if (forms.empty()) throw std::runtime_error(fmt::format("there is no function {}", name));
        text += fmt::format("\n## {}\n", name);
        for (const auto& form : forms) {
            if (form[1].empty()) throw std::runtime_error(fmt::format("the function {} has no comment", name));
            text += fmt::format("\n{}\n\n```text\ntask_queue.{}(\n{}\n)", form[1], name, form[2]);
            text += form[3].empty() ? "\n```\n" : " returns " + form[3] + "\n```\n";
            if (!form[4].empty()) text += std::string(columns_head) + form[4] + "\n";
        }
    }
    const TextRows jobs = psql(url, std::string(describe_jobs));
    return text + "\n## The view jobs\n\n" + jobs.at(0).at(0) + "\n" + std::string(columns_head) + jobs.at(0).at(1) +
           "\n";
}

}  // namespace tests
