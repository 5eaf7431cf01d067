// Floors and load generators of the benchmarks: bench-client VERB --name value ...

#include "tests/bench/client/verbs.hpp"

#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <string>

int main(int count, char** words) {
    using namespace bench;
    const std::map<std::string, std::function<void(const Arguments&)>> verbs{
        {"drain-floor", drain_floor},
        {"enqueue", enqueue},
        {"enqueue-floor", enqueue_floor},
        {"http-floor", http_floor},
        {"offer", offer},
        {"plain-floor", plain_floor},
        {"spawn-floor", spawn_floor},
        {"steady-floor", steady_floor},
    };
    const auto verb = count > 1 ? verbs.find(words[1]) : verbs.end();
    if (verb == verbs.end()) {
        std::fputs("usage: bench-client VERB --name value ...\nverbs:", stderr);
        for (const auto& [name, function] : verbs) std::fprintf(stderr, " %s", name.c_str());
        std::fputs("\n", stderr);
        return 2;
    }
    try {
        verb->second(Arguments(count - 2, words + 2));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench-client %s: %s\n", words[1], error.what());
        return 1;
    }
}
