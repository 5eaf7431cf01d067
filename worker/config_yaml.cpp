#include "worker/config_sources.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>
#include <utility>

namespace worker {

namespace {

// Anchors may repeat themselves or nest in each other without end.
constexpr int deepest = 16;
constexpr int most_nodes = 100'000;

// Reads a document and keeps nothing of it.
class Skip : public YAML::EventHandler {
public:
    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
};

// Whether something follows the first document. YAML::LoadAll tells it too, but never ends on a text like ",a: 1".
bool has_more(const std::string& text) {
    std::istringstream input(text);
    YAML::Parser parser(input);
    Skip skip;
    return parser.HandleNextDocument(skip) && static_cast<bool>(parser);
}

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
        if (has_more(text)) {
            problems.push_back({"", file, "holds several YAML documents, or text outside of one; keep one document"});
        }
        return Converter(file, problems).convert(YAML::Load(text));
    } catch (const YAML::Exception& error) {
        const std::string line = error.mark.is_null() ? "" : ":" + std::to_string(error.mark.line + 1);
        problems.push_back({"", file + line, "is not YAML: " + error.msg});
        return {};
    }
}

}  // namespace worker
