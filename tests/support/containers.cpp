#include "tests/support/containers.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

namespace fs = std::filesystem;

namespace tests {

namespace {

const std::string image_script = TASK_WORKER_SOURCE_DIR "/tests/deploy/image";
const std::string podman_program = "/usr/bin/podman";

Finished run_to_end(std::vector<std::string> words, const Process::Environment& environment = {}) {
    Finished done =
        run_command({.words = std::move(words), .environment = environment, .limit = std::chrono::seconds(300)});
    if (done.code != 0) throw std::runtime_error(done.output + done.errors);
    return done;
}

}  // namespace

std::string why_no_containers() {
    const Finished check = run_command({.words = {image_script, "--check"}});
    if (check.code != 0) return check.output + check.errors;
    for (const std::string& program : {podman_program, std::string("/usr/sbin/runc")}) {
        if (!fs::exists(program)) return "no " + program + " here: deploy/dependencies deploy";
    }
    return why_no_compose();
}

Containers::Containers() {
    try {
        run_to_end({image_script, store()});
    } catch (...) {
        remove();
        throw;
    }
}

Containers::~Containers() {
    podman({"rm", "--all", "--force", "--time", "0"});
    remove();
}

void Containers::remove() const {
    const Finished removed = run_command({.words = {image_script, "--remove", store()}});
    if (removed.code != 0) std::fputs(removed.errors.c_str(), stderr);
}

void Containers::build(const Compose& compose, const std::string& service) const {
    const YAML::Node told = compose.services()[service];
    run_to_end(
        {"/usr/bin/buildah",
         "bud",
         "--quiet",
         "--isolation=chroot",
         "--pull-never",
         "--format=docker",
         "--target=" + told["build"]["target"].as<std::string>(),
         "--tag=" + told["image"].as<std::string>(),
         told["build"]["context"].as<std::string>()},
        environment()
    );
}

std::unique_ptr<Process> Containers::start(
    const Compose& compose, const std::string& service, const Process::Environment& variables
) const {
    const YAML::Node told = compose.services()[service];
    // Limits, since who may not raise its own could not give it the usual ones; no health check, for which podman asks
    // systemd.
    std::vector<std::string> words{
        "--runtime=runc",
        "run",
        "--rm",
        "--pull=never",
        "--network=host",
        "--no-healthcheck",
        "--ulimit=nofile=1024:1024",
        "--ulimit=nproc=4096:4096",
        "--name=" + service
    };
    for (const Compose::File& file : compose.files(service)) {
        words.push_back(fmt::format("--volume={}:{}:ro", file.here, file.there));
    }
    Process::Environment all = variables;
    all.merge(compose.environment(service));
    for (const auto& [name, value] : all) words.push_back(fmt::format("--env={}={}", name, value));
    if (told["read_only"] && told["read_only"].as<bool>()) words.emplace_back("--read-only");
    for (const auto& option : {"cap_drop", "security_opt", "tmpfs"}) {
        std::string name = std::string("--") + option;
        if (const auto line = name.find('_'); line != std::string::npos) name[line] = '-';
        for (const auto& value : told[option]) words.push_back(name + "=" + value.as<std::string>());
    }
    words.push_back("localhost/" + told["image"].as<std::string>());
    for (const std::string& word : compose.command(service)) words.push_back(word);
    return std::make_unique<Process>(podman_program, words, environment());
}

Finished Containers::podman(std::vector<std::string> words) const {
    words.insert(words.begin(), {podman_program, "--runtime=runc"});
    return run_command({.words = std::move(words), .environment = environment()});
}

Process::Environment Containers::environment() const {
    return {{"CONTAINERS_STORAGE_CONF", store() + "/storage.conf"}};
}

}  // namespace tests
