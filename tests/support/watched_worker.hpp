#pragma once

// A worker with a handler of each sort, under load, and a Prometheus that scrapes it.

#include "tests/support/process.hpp"
#include "tests/support/prometheus.hpp"
#include "tests/support/shop.hpp"

#include <string>

namespace tests {

class WatchedWorker {
public:
    // Returns when the worker leads, has run jobs of every sort between two scrapes and is seen to have done so: then
    // each of its series has data. A job was discarded, an http handler got no answer, a batch is open.
    WatchedWorker()
        : shop_(":", more_handlers),
          worker_(shop_.database.url(), {}, shop_.arguments()),
          prometheus_(worker_.http_port()) {
        prometheus_.await("task_worker_jobs_finished_total{kind=\"echo\"}");
        shop_.database.psql("select task_queue.create_batch(name => 'photos')");
        shop_.enqueue("work", 20);
        shop_.enqueue("stays", 20);
        shop_.enqueue("calls", 5);
        shop_.enqueue("echo", 1'000, "'{}'", ", queue => 'mail'");
        shop_.enqueue("echo", 1, R"('{"sleep_ms": "long"}')");
        shop_.enqueue("nobody", 5);
        for (const std::string kind : {"work", "stays", "echo"}) {
            prometheus_.await(
                "rate(task_worker_jobs_finished_total{kind=\"" + kind + "\",outcome=\"completed\"}[1m]) > 0"
            );
        }
        prometheus_.await("rate(task_worker_jobs_finished_total{kind=\"echo\",outcome=\"discarded\"}[1m]) > 0");
        prometheus_.await("rate(task_worker_handler_http_answers_total{kind=\"calls\",status=\"none\"}[1m]) > 0");
        prometheus_.await("rate(task_worker_statement_duration_seconds_count{statement=\"read_depth\"}[1m]) > 0");
        prometheus_.await("task_worker_batches{state=\"open\"} == 1");
        prometheus_.await("task_worker_budget_limit_connections");
    }

    const Prometheus& prometheus() const { return prometheus_; }
    WorkerProcess& worker() { return worker_; }

private:
    static constexpr const char* more_handlers = R"yaml(
  stays:
    exec:
      - python3
      - -uc
      - |
        import json, sys
        for line in sys.stdin:
            print(json.dumps({"id": json.loads(line)["id"], "done": True}))
    mode: stream
  calls:
    http: http://127.0.0.1:1/
    backoff: {first: 100ms}
queues:
  mail: {}
)yaml";

    Shop shop_;
    WorkerProcess worker_;
    Prometheus prometheus_;
};

}  // namespace tests
