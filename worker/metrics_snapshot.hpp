#pragma once

// The inside of worker/metrics: families made of one snapshot at each scrape.

#include "worker/metrics.hpp"

#include <prometheus/metric_family.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace worker {

double seconds(std::chrono::nanoseconds duration);
std::string family_name(std::string_view name);  // with the prefix that all families share

void append_pool(std::vector<prometheus::MetricFamily>& families, const db::PoolStats& stats);
void append_engine(std::vector<prometheus::MetricFamily>& families, const EngineSnapshot& engine);
void append_handlers(std::vector<prometheus::MetricFamily>& families, const std::vector<HandlerSnapshot>& handlers);
void append_queues(std::vector<prometheus::MetricFamily>& families, const std::vector<QueueDepth>& queues);
void append_batches(std::vector<prometheus::MetricFamily>& families, const std::vector<BatchGauge>& batches);
void append_budget(std::vector<prometheus::MetricFamily>& families, const db::Budget& budget);

}  // namespace worker
