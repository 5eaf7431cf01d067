#pragma once

// The verbs of bench-client. Each prints one line of JSON to standard output and throws on failure.

#include <charconv>
#include <map>
#include <stdexcept>
#include <string>

namespace bench {

// What stands behind the verb as --name value.
class Arguments {
public:
    Arguments(int count, const char* const* words) {
        for (int i = 0; i + 1 < count; i += 2) {
            const std::string name = words[i];
            if (!name.starts_with("--")) throw std::runtime_error("--name value expected, not " + name);
            values_[name.substr(2)] = words[i + 1];
        }
        if (count % 2 != 0) throw std::runtime_error("a value is missing");
    }
    const std::string& text(const std::string& name) const {
        const auto found = values_.find(name);
        if (found == values_.end()) throw std::runtime_error("--" + name + " is missing");
        return found->second;
    }
    int number(const std::string& name) const {
        const std::string& digits = text(name);
        int value = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc() || end != digits.data() + digits.size()) {
            throw std::runtime_error("--" + name + " needs a whole number, not " + digits);
        }
        return value;
    }

private:
    std::map<std::string, std::string> values_;
};

// They say "ready" once prepared, and wait for a line before they start.
void drain_floor(const Arguments& arguments);    // --url --rows (of a round) --connections: until the table is empty
void enqueue(const Arguments& arguments);        // --url --jobs --call (jobs of one)
void enqueue_floor(const Arguments& arguments);  // --url --jobs --call --bundle (jobs of a row) --how insert|copy
void steady_floor(const Arguments& arguments);   // --url --jobs --call --bundle --rows
void plain_floor(const Arguments& arguments);    // --url --rows --backlog --seconds --window (seconds)
void spawn_floor(const Arguments& arguments);    // --program --jobs --concurrency
void http_floor(const Arguments& arguments);     // --port --jobs --concurrency
void offer(const Arguments& arguments);          // --url --sql --rate (a second) --seconds --producers --times (a file)

}  // namespace bench
