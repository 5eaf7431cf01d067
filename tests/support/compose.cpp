#include "tests/support/compose.hpp"

#include "tests/support/command.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace fs = std::filesystem;

namespace tests {

namespace {

const std::string docker_compose = "/usr/bin/docker-compose";

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
        text.replace(at, from.size(), to);
    }
}

std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string why_no_compose() {
    return fs::exists(docker_compose) ? "" : "no docker-compose here: deploy/dependencies deploy";
}

Compose::Compose() {
    const std::string file = TASK_WORKER_SOURCE_DIR "/deploy/compose/compose.yml";
    const Finished config = run_command({.words = {docker_compose, "--file", file, "config"}});
    if (config.code != 0) throw std::runtime_error(config.errors);
    services_ = YAML::Load(config.output)["services"];
    fs::permissions(folder_.path(), fs::perms(0755));  // other users' services read their files there
}

void Compose::place(const std::string& text, const std::string& here) {
    places_.emplace_back(text, here);
}

std::string Compose::placed(std::string text) const {
    for (const auto& [from, to] : places_) replace_all(text, from, to);
    return text;
}

std::vector<Compose::File> Compose::files(const std::string& service) const {
    std::vector<File> files;
    for (const auto& volume : services_[service]["volumes"]) {
        const auto text = volume.as<std::string>();
        const fs::path source = text.substr(0, text.find(':'));
        if (!fs::is_regular_file(source)) continue;
        const std::string there = text.substr(source.string().size() + 1, text.rfind(':') - source.string().size() - 1);
        const std::string name = service + "-" + source.filename().string();
        folder_.write(name, placed(read(source)));
        files.push_back({.here = folder_.path() + "/" + name, .there = there});
    }
    return files;
}

Process::Environment Compose::environment(const std::string& service) const {
    Process::Environment environment;
    for (const auto& variable : services_[service]["environment"]) {
        environment[variable.first.as<std::string>()] = placed(variable.second.as<std::string>());
    }
    return environment;
}

std::vector<std::string> Compose::command(const std::string& service) const {
    return services_[service]["command"].as<std::vector<std::string>>();
}

std::unique_ptr<Process> Compose::start(const std::string& service, std::vector<std::string> words, std::size_t without)
    const {
    const std::vector<File> all = files(service);
    const auto here = [&](std::string text) {
        for (const File& file : all) replace_all(text, file.there, file.here);
        return text;
    };
    for (const File& file : all) {
        const std::string text = here(read(file.here));
        std::ofstream(file.here, std::ios::binary) << text;
    }
    const std::vector<std::string> given = command(service);
    for (std::size_t word = without; word < given.size(); ++word) words.push_back(here(given[word]));
    Process::Environment variables = environment(service);
    for (auto& [name, value] : variables) value = here(value);
    const std::string program = words.front();
    words.erase(words.begin());
    return std::make_unique<Process>(program, words, variables);
}

}  // namespace tests
