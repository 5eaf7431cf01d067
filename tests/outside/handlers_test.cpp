// The handlers without a worker and without a database.
#include "jobs/testing.hpp"
#include "jobs/typed.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "count_lines.hpp"
#include "send_email.hpp"

namespace {

class Memory : public Outbox {
public:
    void send(const std::string& to, const std::string& subject) override { mails.push_back(to + ": " + subject); }
    std::vector<std::string> mails;
};

void expect(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "not true: %s\n", what);
    std::exit(1);
}

void test_send_email() {
    Memory outbox;
    const jobs::Handler handler = jobs::typed_handler<Mail>(SendEmail(outbox));

    jobs::TestContext two({{"to", {"a@b.c", "d@e.f"}}, {"subject", "News"}});
    const jobs::Outcome outcome = two.run(handler);
    expect(std::get<jobs::Complete>(outcome).result->at("sent") == 2, "both mails are sent");
    expect(outbox.mails == std::vector<std::string>{"a@b.c: News", "d@e.f: News"}, "in order");
    expect(two.progress.back().done == 2 && two.progress.back().total == 2, "progress is reported");

    jobs::TestContext bad({{"to", "a@b.c"}});
    const auto discarded = std::get<jobs::Discard>(bad.run(handler));
    expect(discarded.error.find("/to: expected an array") != std::string::npos, "bad args are named");

    jobs::TestContext cancelled({{"to", {"a@b.c", "d@e.f"}}, {"subject", "News"}});
    cancelled.on_progress = [&](const jobs::Progress&) { cancelled.stop(jobs::StopReason::cancelled); };
    expect(std::holds_alternative<jobs::Cancel>(cancelled.run(handler)), "it stops between two mails");
    expect(outbox.mails.size() == 3, "after the first");
}

void test_count_lines(const std::string& path) {
    jobs::BlockingThreads threads(1);
    const jobs::Handler handler = jobs::blocking_handler<CountLines>(threads, count_lines);
    std::ofstream(path) << "one\ntwo\n";
    jobs::TestContext test({{"path", path}});
    expect(std::get<jobs::Complete>(test.run(handler)).result->as_int64() == 2, "lines are counted");
    std::remove(path.c_str());
}

}  // namespace

int main() {
    test_send_email();
    test_count_lines("lines.txt");
}
