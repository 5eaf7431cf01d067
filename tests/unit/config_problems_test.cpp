#include "tests/support/config_given.hpp"
#include "worker/config.hpp"

using namespace worker;
using namespace tests;

TEST_CASE("load_config reports each wrong thing with its place and the way out", "[worker][config]") {
    struct Row {
        Given given;
        std::string says;
    };
    const Row rows[] = {
        {{.yaml = "a: [1"}, "config.yml:1: is not YAML: "},
        {{.yaml = "just text"}, "config.yml:1: takes keys: environment, migrate_on_start"},
        {{.yaml = "---\n{}\n---\n{}\n"}, "config.yml: holds several YAML documents"},
        {{.yaml = ",p: 1"}, "config.yml: holds several YAML documents, or text outside of one"},
        {{.yaml = "log: {}\nlog: {}"}, "config.yml:2: log is given twice, first on line 1"},
        {{.yaml = "databse:\n  url: x"}, "config.yml:1: databse: unknown key; did you mean database?"},
        {{.yaml = "database:\n\n  pol_size: 5"}, "config.yml:3: database.pol_size: unknown key; did you mean pool_size?"
        },
        {{.yaml = "max_overflow: 5"}, "config.yml:1: max_overflow: unknown key; did you mean database.max_overflow?"},
        {{.yaml = "http: {zzz: 1}"}, "config.yml:1: http.zzz: unknown key; known here: listen"},
        {{.yaml = "database: 5"}, "config.yml:1: database: takes keys: url, url_file"},
        {{.yaml = "database: {pool_size: 0}"}, "database.pool_size: \"0\" is not a whole number from 1 to 10000"},
        {{.yaml = "database: {pool_size: [1]}"}, "database.pool_size: takes one value, a whole number"},
        {{.yaml = "database: {echo: maybe}"}, "database.echo: \"maybe\" is not true or false"},
        {{.yaml = "database: {pooler: session}"}, "\"session\" is not one of none, transaction"},
        {{.yaml = "database: {pool_recycle: 1500ms}"}, "\"1500ms\" is not a duration of whole seconds, such as 30s"},
        {{.yaml = "worker: {poll: 0}"}, "\"0\" is not a duration of at least 1ms, such as 500ms, 30s"},
        {{.yaml = "worker: {poll: 5 minutes}"}, "worker.poll: \"5 minutes\" is not a duration"},
        {{.yaml = "worker: {heartbeat: 11s}"},
         "worker.lease_timeout: 30s is less than three times worker.heartbeat (11s)"},
        {{.yaml = "worker: {queues: [defualt]}"}, "\"defualt\" is not declared under queues; did you mean default?"},
        {{.yaml = "limits: {args: 64KB}"}, "limits.args: \"64KB\" is not a size from 8KiB to 256MiB"},
        {{.yaml = "http: {listen: 8090}"}, "http.listen: \"8090\" is not an IP address with a port"},
        {{.yaml = "http: {listen: 'db:8090'}"}, "http.listen: \"db:8090\" is not an IP address with a port"},
        {{.yaml = "http: {listen: '127.0.0.1:65536'}"}, "is not an IP address with a port"},
        {{.yaml = "allow: [everything]"}, "allow: \"everything\" is not one of echo, plain_password, sslmode"},
        {{.yaml = "environment: staging\ndatabase: {url: host=/t}"}, "environment: \"staging\" is not one of dev, test"
        },
        {{.yaml = "queues: [a]"}, "config.yml:1: queues: takes names, each with its keys"},
        {{.yaml = "queues: {'a b': {}}"}, "queues: \"a b\" is not a name"},
        {{.yaml = "queues: {mail: {pause: true}}"}, "queues.mail.pause: unknown key; did you mean paused?"},
        {{.yaml = "handlers: {x: {exec: sh run.sh}}"}, "handlers.x.exec: is one text; write a list"},
        {{.yaml = "handlers: {x: {exec: []}}"}, "handlers.x.exec: takes a list with a program"},
        {{.yaml = "handlers: {x: {exec: [[a]]}}"}, "handlers.x.exec: takes plain values, nothing nested"},
        {{.yaml = "handlers: {x: {timeout: 5}}"}, "config.yml:1: handlers.x: needs exec: [program, argument, ...]"},
        {{.yaml = "handlers: {x: }"}, "handlers.x: needs exec"},
        {{.yaml = "handlers: {x: {http: {url: u}}}"}, "handlers.x.http: takes one value, the URL to call"},
        {{.yaml = "handlers: {x: {http: localhost}}"},
         "config.yml:1: handlers.x.http: \"localhost\" is not a URL; write"},
        {{.yaml = "handlers: {x: {http: 'ftp://h/'}}"}, "handlers.x.http: \"ftp://h/\" is not a URL; write http://HOST"
        },
        {{.yaml = "handlers: {x: {http: 'http:///a'}}"}, "handlers.x.http: \"http:///a\" has no host"},
        {{.yaml = "handlers: {x: {http: 'http://h:0/'}}"},
         "handlers.x.http: \"http://h:0/\" has no port from 1 to 65535"},
        {{.yaml = "handlers: {x: {http: 'http://h/a b'}}"}, "handlers.x.http: \"http://h/a b\" has blanks or other"},
        {{.yaml = "handlers: {x: {http: 'http://u:hunter2@h/'}}"}, "handlers.x.http: has a user or a password"},
        {{.yaml = "handlers: {x: {http: 'http://h/', exec: [a]}}"},
         "handlers.x: has exec and http; a kind has one handler"},
        {{.yaml = "handlers: {x: {http: 'http://h/', limits: {cpu: 1s}}}"},
         "handlers.x.limits.cpu: belongs to exec handlers"},
        {{.yaml = "handlers: {x: {exec: [a], ca_file: f}}"},
         "config.yml:1: handlers.x.ca_file: belongs to http handlers"},
        {{.yaml = "handlers: {x: {http: 'http://h/', ca_file: f}}"}, "handlers.x.ca_file: \"f\" cannot be read"},
        {{.yaml = "handlers: {x: {http: 'http://h/', secret_file: f}}"},
         "handlers.x.secret_file: \"f\" cannot be read; make one with: openssl rand -base64 32 >f"},
        {{.yaml = "handlers: {x: {http: 'http://h/', secret_file: config.yml}}"},
         "handlers.x.secret_file: \"config.yml\", line 1 is not a secret: give base64 of 24 to 64 random bytes"},
        {{.yaml = "handlers: {x: {exec: [a], mode: steam}}"}, "handlers.x.mode: \"steam\" is not one of process, stream"
        },
        {{.yaml = "handlers: {x: {exec: [a], backoff: {frist: 1}}}"}, "backoff.frist: unknown key; did you mean first?"
        },
        {{.yaml = "handlers: {x: {exec: [a], backoff: {first: 2h}}}"}, "backoff.cap: 1h is less than backoff.first, 2h"
        },
        {{.yaml = "handlers: {x: {exec: [a], backoff: {policy: linear}}}"},
         "handlers.x.backoff.policy: \"linear\" is not one of exponential, polynomial, fixed, list"},
        {{.yaml = "handlers: {x: {exec: [a], backoff: {policy: list}}}"},
         "config.yml:1: handlers.x.backoff.delays: is missing; policy list needs delays: [1s, 30s, 5m]"},
        {{.yaml = "handlers: {x: {exec: [a], backoff: {delays: [1s]}}}"},
         "handlers.x.backoff.delays: needs policy: list"},
        {{.yaml = "handlers: {x: {exec: [a], backoff: {policy: list, delays: [soon, 1s]}}}"},
         "handlers.x.backoff.delays: \"soon\" is not a duration"},
        {{.yaml = "handlers: {x: {exec: [a], env: [A]}}"}, "handlers.x.env: "},
        {{.yaml = "database: {url: 'mysql://u:hunter2@db/j'}"}, "config.yml:1: database.url: the scheme mysql://"},
        {{.environment = {{"DB_POOL_SIZE", "many"}}}, "environment variable DB_POOL_SIZE: database.pool_size: \"many\""
        },
        {{.environment = {{"TASK_WORKER_WORKER_THREDS", "2"}}},
         "environment variable TASK_WORKER_WORKER_THREDS: unknown variable; did you mean TASK_WORKER_WORKER_THREADS?"},
        {{.flags = {{"database.pool_sise", "2"}}},
         "command line: database.pool_sise: unknown key; did you mean database.pool_size?"},
        {{.environment = {{"DATABASE_URL_FILE", "/nowhere/url"}}}, "database.url_file: \"/nowhere/url\" cannot be read"
        },
        {{.environment = {{"ENVIRONMENT", "test"}}}, "database.url: is missing; only dev has an embedded database"},
    };
    for (const Row& row : rows) {
        const auto problems = problems_of(row.given);
        INFO(row.says);
        REQUIRE(problems.size() == 1);
        CHECK_THAT(problems[0], Catch::Contains(row.says));
        CHECK(problems[0].find("hunter2") == std::string::npos);
    }
}

TEST_CASE("load_config reports all problems at once, those of every source", "[worker][config]") {
    const auto problems = problems_of(
        {.yaml = "database: {pool_size: x, nonsense: 1}\nhandlers: {a: {}, b: {exec: x}}\n",
         .environment = {{"DB_ECHO", "perhaps"}},
         .flags = {{"log.level", "loud"}}}
    );
    CHECK(problems.size() == 6);
}

TEST_CASE("load_config survives an anchor that contains itself", "[worker][config]") {
    const auto problems = problems_of({.yaml = "queues: &a {x: *a, y: *a}"});
    REQUIRE_FALSE(problems.empty());
    CHECK(problems[0] == "config.yml:1: the document is too deep or too large");
}
