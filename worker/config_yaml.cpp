#include "worker/config_sources.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <utility>

namespace worker {

namespace {

// Anchors may repeat themselves or nest in each other without end.
constexpr int deepest = 16;
constexpr int most_nodes = 100'000;

class Converter {
public:
    Converter(const std::string& file, std::vector<Problem>& problems) : file_(file), problems_(problems) {}

    Node convert(const YAML::Node& yaml, int depth = 0) {
        Node node;
        node.line = yaml.Mark().line + 1;
        if (depth > deepest || ++count_ > most_nodes) {
            if (!std::exchange(stopped_, true)) report(node.line, "the document is too deep or too large");
            return node;
        }
        if (yaml.IsScalar()) {
            node.kind = Node::Kind::scalar;
            node.text = yaml.Scalar();
        } else if (yaml.IsSequence()) {
            node.kind = Node::Kind::list;
            for (const auto& item : yaml) node.entries.push_back({"", item.Mark().line + 1, convert(item, depth + 1)});
        } else if (yaml.IsMap()) {
            node.kind = Node::Kind::map;
            for (const auto& pair : yaml) add(node, pair.first, convert(pair.second, depth + 1));
        }
        return node;
    }

private:
    void add(Node& map, const YAML::Node& key, Node value) {
        const int line = key.Mark().line + 1;
        if (!key.IsScalar()) {
            report(line, "a key is not a plain word");
            return;
        }
        const std::string& name = key.Scalar();
        const auto same = std::ranges::find(map.entries, name, &NodeEntry::key);
        if (same != map.entries.end()) {
            report(line, name + " is given twice, first on line " + std::to_string(same->line));
            return;
        }
        map.entries.push_back({name, line, std::move(value)});
    }

    void report(int line, std::string text) {
        problems_.push_back({"", file_ + ":" + std::to_string(line), std::move(text)});
    }

    const std::string& file_;
    std::vector<Problem>& problems_;
    int count_ = 0;
    bool stopped_ = false;
};

}  // namespace

Node parse_yaml(const std::string& text, const std::string& file, std::vector<Problem>& problems) {
    try {
        const std::vector<YAML::Node> documents = YAML::LoadAll(text);
        if (documents.empty()) return {};
        if (documents.size() > 1) problems.push_back({"", file, "holds several YAML documents; keep one"});
        return Converter(file, problems).convert(documents.front());
    } catch (const YAML::Exception& error) {
        const std::string line = error.mark.is_null() ? "" : ":" + std::to_string(error.mark.line + 1);
        problems.push_back({"", file + line, "is not YAML: " + error.msg});
        return {};
    }
}

}  // namespace worker
