#pragma once

// A database with the witness table of tests/workers/ledger_worker.cpp, that worker on it, and the files that its
// handlers wait for.

#include "tests/support/database.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

#include <string>

namespace tests {

extern const char* const create_witness;  // SQL; rows can be added to that table, and nothing else
std::string ledger_worker_path();

// "" or what witnesses and completed jobs of the kind `ledger` say against each other.
std::string witness_trouble(const std::string& url);

class LedgerBed {
public:
    LedgerBed();

    // One more job; `rest` goes on after the args: ", batch_id => '...'". Answers its id.
    std::string enqueue(const std::string& args, const std::string& rest = "", const std::string& kind = "ledger")
        const;
    std::string value(const std::string& query) const { return database_.value(query); }
    void sql(const std::string& text) const { database_.psql(text); }
    // Waits until a query answers `wanted`: what is awaited is a commit of another process.
    void await(const std::string& query, const std::string& wanted) const;
    void await_state(const std::string& job, const std::string& state) const;
    std::string trouble() const { return witness_trouble(database_.url()); }

    std::string file(const std::string& name) const { return folder_.path() + "/" + name; }
    void await_reached(const std::string& name) const;  // a handler waits for the file
    void create(const std::string& name) const { folder_.write(name, ""); }

    const TestDatabase& database() const { return database_; }
    // Time limits that make a test short, over those of WorkerProcess.
    static Process::Environment environment(Process::Environment more = {});

private:
    TestDatabase database_;
    TemporaryFolder folder_;
};

}  // namespace tests
