#pragma once

// deploy/compose, as docker-compose understands it, with its services where the test has put them: what they are given
// is what stands there, but for hosts, ports and the places of files.

#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

#include <yaml-cpp/yaml.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tests {

// Why there is no docker-compose here; empty: there is.
std::string why_no_compose();

class Compose {
public:
    // Throws: std::runtime_error with what docker-compose says of the file.
    Compose();

    const YAML::Node& services() const { return services_; }
    // From now on the text stands for another wherever it is found: "postgres:5432", say.
    void place(const std::string& text, const std::string& here);

    struct File {
        std::string here;   // a copy, everything placed
        std::string there;  // where the service sees it
    };
    std::vector<File> files(const std::string& service) const;
    Process::Environment environment(const std::string& service) const;
    std::vector<std::string> command(const std::string& service) const;

    // Starts a service as a process of this machine, which finds its files where the copies are: the program (an
    // absolute path), what stands before the service's command, and the command but for as many of its words.
    std::unique_ptr<Process> start(
        const std::string& service, std::vector<std::string> program, std::size_t without = 0
    ) const;

private:
    std::string placed(std::string text) const;

    TemporaryFolder folder_;
    YAML::Node services_;
    std::vector<std::pair<std::string, std::string>> places_;
};

}  // namespace tests
