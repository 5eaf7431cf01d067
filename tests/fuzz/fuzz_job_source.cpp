// Whatever a file of JSON lines holds, each line becomes a job's args or is named as a bad one. The first byte chooses
// between refusing the file and leaving bad lines out.
#include "queue/json_text.hpp"
#include "tests/fuzz/input.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/job_source.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <string>

using namespace worker::cli;

namespace {

constexpr std::size_t longest = 200;

void read_all(const std::string& file, bool skip_invalid) {
    JobSource source = open_source({.file = file, .skip_invalid = skip_invalid, .longest = longest});
    std::int64_t jobs = 0;
    for (std::string args; source.next(args); ++jobs) {
        tests::expect(args.size() <= longest);
        tests::expect(!queue::find_json_problem(args));
    }
    const SourceCounts counts = source.counts();
    tests::expect(counts.jobs == jobs);
    tests::expect(counts.bytes == counts.size);
    tests::expect((counts.skipped == 0) == source.skipped().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    static const int file = ::memfd_create("jobs.ndjson", 0);
    static const std::string path = "/proc/self/fd/" + std::to_string(file);
    tests::expect(::ftruncate(file, 0) == 0);
    tests::expect(::pwrite(file, data + 1, size - 1, 0) == static_cast<ssize_t>(size - 1));
    const bool skip_invalid = data[0] % 2 == 0;
    try {
        read_all(path, skip_invalid);
    } catch (const Failure& failure) {
        tests::expect(!skip_invalid);
        tests::expect(failure.code() == worker::exit_usage);
    }
    return 0;
}
