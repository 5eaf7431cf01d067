#pragma once

// Images of deploy/, built with buildah in a store of the test's own, and containers of them, by podman. Both as root,
// without a registry.

#include "tests/support/command.hpp"
#include "tests/support/compose.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

#include <memory>
#include <string>
#include <vector>

namespace tests {

// Why this machine cannot; empty: it can.
std::string why_no_containers();

class Containers {
public:
    // Builds the image of deploy/Dockerfile, with the program of build/release. Throws: std::runtime_error.
    Containers();
    ~Containers();  // ends its containers
    Containers(const Containers&) = delete;
    Containers& operator=(const Containers&) = delete;

    // Builds the image of a service of deploy/compose that has a Dockerfile of its own.
    void build(const Compose& compose, const std::string& service) const;
    // Starts a service's container, as it is told in deploy/compose, in this machine's network: so what is placed holds
    // for it. Its output is the process'; variables are added to its own.
    std::unique_ptr<Process> start(
        const Compose& compose, const std::string& service, const Process::Environment& variables = {}
    ) const;
    // Runs a command of podman's to its end.
    Finished podman(std::vector<std::string> words) const;
    const std::string& store() const { return store_.path(); }

private:
    void remove() const;
    Process::Environment environment() const;

    TemporaryFolder store_;
};

}  // namespace tests
