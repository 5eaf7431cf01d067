// Embeddings on their way from an endpoint into the database.
#include "tests/support/catch.hpp"
#include "tests/support/documents_bed.hpp"
#include "tests/support/http_run.hpp"

#include <string>
#include <vector>

using namespace tests;
using namespace std::chrono_literals;

namespace {

// Words of one token each, for four chunks, the first of another length than the next.
std::string long_text() {
    std::string text;
    for (int word = 0; word < 1800; ++word) text += "w" + std::to_string(9'600 + word) + " ";
    return text;
}

const std::string lengths_fit = R"sql(
    select count(*) filter (where (embedding::real[])[1] = length(text)) || '/' || count(*) from documents.chunks
)sql";

struct EmbedBed : DocumentsBed {
    HttpServer server;

    EmbedBed() { embed("/embeddings?shape=openai"); }
    void embed(const std::string& path, const std::string& model = "small") {
        spec.embed.url = server.url(path);
        spec.embed.model = model;
    }
};

}  // namespace

TEST_CASE("each chunk gets its own embedding, some at a time, from OpenAI and Ollama", "[documents][embed]") {
    EmbedBed bed;
    bed.embed(GENERATE("/embeddings?shape=openai", "/embeddings?shape=ollama"));
    bed.spec.embed.chunks = 3;
    bed.spec.embed.key = "sk-hunter2";
    CHECK(bed.ingest("long.txt", long_text()) == R"(complete {"chunks":4})");
    CHECK(bed.value(lengths_fit) == "4/4");
    CHECK(bed.seen.progress == Lines{"3/4 chunks", "4/4 chunks"});
    const auto requests = bed.server.requests(2);
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].at("headers").at("authorization") == "Bearer sk-hunter2");
    const auto body = boost::json::parse(std::string(requests[0].at("body").as_string()));
    CHECK(body.at("model") == "small");
    CHECK(body.at("input").as_array().size() == 3);
    CHECK(bed.value("select name || ' ' || dimensions from documents.models") == "small 3");
    CHECK(bed.value("select model from documents.documents") == "small");
}

TEST_CASE("an endpoint that is busy in the middle of a document is waited for", "[documents][embed]") {
    EmbedBed bed;
    bed.spec.embed.chunks = 1;
    bed.embed("/embeddings?shape=openai&busy=3");
    CHECK(bed.ingest("long.txt", long_text()) == R"(complete {"chunks":4})");
    CHECK(bed.value(lengths_fit) == "4/4");
    CHECK(bed.server.requests(5).size() == 5);  // one came again, none was paid for twice
    // Before anything was paid for the job gives its slot away.
    bed.embed("/embeddings?shape=openai&busy=6");
    CHECK(bed.ingest("b.txt", "ocelot").starts_with("snooze 0 ms: "));
}

TEST_CASE("what has its embeddings asks for none again, until the model changes", "[documents][embed]") {
    EmbedBed bed;
    bed.spec.embed.url = {};
    bed.ingest("a.txt", "walrus");
    bed.embed("/embeddings?shape=openai");
    CHECK(bed.ingest("a.txt") == R"(complete {"chunks":1})");
    CHECK(bed.value(lengths_fit) == "1/1");
    CHECK(bed.ingest("a.txt") == R"(complete {"unchanged":true})");
    CHECK(bed.ingest("b.txt", "walrus") == R"(complete {"duplicate":true})");
    CHECK(bed.server.requests(1).size() == 1);

    bed.embed("/embeddings?shape=openai&dimensions=5", "large");
    CHECK(bed.ingest("a.txt") == R"(complete {"chunks":1})");
    CHECK(bed.value("select cardinality(embedding::real[]) from documents.chunks") == "5");
    CHECK(bed.value("select string_agg(name, ' ' order by name) from documents.models") == "large small");
    CHECK(bed.ingest("b.txt") == R"(complete {"unchanged":true})");
    CHECK(bed.value("select count(*) from documents.chunks") == "1");

    bed.spec.embed.url = {};  // what is there stays
    CHECK(bed.ingest("a.txt") == R"(complete {"unchanged":true})");
}

TEST_CASE("embeddings of another length than the model's are refused", "[documents][embed]") {
    EmbedBed bed;
    bed.ingest("a.txt", "walrus");
    bed.embed("/embeddings?shape=openai&dimensions=4");
    CHECK(bed.ingest("b.txt", "ocelot")
              .starts_with("discard: embeddings: the model small had 3 dimensions before, and has 4 now"));
    CHECK(bed.found("ocelot").empty());
}

TEST_CASE("an endpoint that fails decides how the job ends, and nothing is stored", "[documents][embed]") {
    EmbedBed bed;
    bed.spec.embed.key = "sk-hunter2";
    const auto outcome = [&](const std::string& path) {
        bed.embed(path);
        const std::string text = bed.ingest("a.txt", "walrus");
        CHECK(text.find("hunter2") == std::string::npos);
        return text;
    };
    CHECK(
        outcome("/status?status=400&body=no+such+model") == "discard: embeddings: HTTP 400 Bad Request\nno such model"
    );
    CHECK(outcome("/status?status=401") == "discard: embeddings: HTTP 401 Unauthorized");
    CHECK(outcome("/status?status=429") == "retry: embeddings: HTTP 429 Too Many Requests");
    CHECK(outcome("/status?status=429&Retry-After=7").starts_with("snooze 7000 ms: "));
    CHECK(outcome("/status?status=500&body=oops") == "retry: embeddings: HTTP 500 Internal Server Error\noops");
    CHECK(
        outcome("/status?status=200&body=hello") == "discard: embeddings: the answer does not fit: it is no JSON object"
    );
    CHECK(outcome("/nothing").starts_with("retry: embeddings: POST http://127.0.0.1:"));
    bed.spec.embed.timeout = 200ms;
    CHECK(outcome("/hang").ends_with("/hang: no answer within 200 ms"));
    CHECK(bed.value("select count(*) from documents.files") == "0");
}

TEST_CASE("nobody at the endpoint is a retry", "[documents][embed]") {
    DocumentsBed bed;
    bed.spec.embed.model = "small";
    bed.spec.embed.url = HttpServer().url("/embeddings?shape=openai");  // gone by now
    CHECK(bed.ingest("a.txt", "walrus").starts_with("retry: embeddings: POST http://127.0.0.1:"));
}
