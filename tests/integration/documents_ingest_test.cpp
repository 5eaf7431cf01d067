// The kind documents.ingest against a real database.
#include "tests/support/catch.hpp"
#include "tests/support/documents_bed.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace tests;

namespace fs = std::filesystem;

namespace {

const std::string count_chunks = "select count(*) from documents.chunks";
const std::string count_documents = "select count(*) from documents.documents";
const std::string count_files = "select count(*) from documents.files";

std::string many_words(int count) {
    std::string text;
    for (int word = 0; word < count; ++word) text += "w" + std::to_string(word % 1000) + " ";
    return text;
}

}  // namespace

TEST_CASE("a planted marker is found in each type of file, packed or not", "[documents][ingest]") {
    DocumentsBed bed;
    const std::vector<std::pair<std::string, std::string>> files{
        {"plain", "some words, then zanzibar, and more"},
        {"notes.txt", "a note on zanzibar"},
        {"guide.md", "# Guide\n\nsee **zanzibar** and [this](http://hidden.example/quagga)\n"},
        {"page.html", "<html><script>var quagga;</script><body><p class=quagga>zanz<b>ibar</b></body>"},
    };
    for (const auto& [name, text] : files) {
        CHECK(bed.ingest(name, text) == R"(complete {"chunks":1})");
        // Another content: packed it would be the same document.
        write_packed(bed.path(name + ".gz"), text + " packed");
        CHECK(bed.ingest(name + ".gz") == R"(complete {"chunks":1})");
    }
    CHECK(bed.value("select count(*) from documents.search('zanzibar', 100)") == "8");
    CHECK(bed.value("select count(*) from documents.search('zanzibar packed', 100)") == "4");
    CHECK(bed.found("quagga").empty());
    CHECK(
        bed.value("select string_agg(distinct format, ' ' order by format) from documents.documents") ==
        "html markdown text"
    );
}

TEST_CASE("documents.search ranks, shows the words, and answers each document once", "[documents][search]") {
    DocumentsBed bed;
    bed.ingest("little.txt", "the lemur eats. " + many_words(300));
    bed.ingest("much.txt", "lemur and lemurs, a lemur beside a lemur. " + many_words(2000) + " lemur");
    bed.ingest("other.txt", "a zebra");
    CHECK(bed.found("lemur") == "much.txt little.txt");
    CHECK(bed.value("select path from documents.search('lemur', 1)") == bed.path("much.txt"));
    CHECK(bed.value("select bool_and(rank > 0) from documents.search('lemur')") == "t");
    CHECK(bed.value("select headline from documents.search('zebra')") == "**zebra**");
    CHECK(bed.found("lemur -eats") == "much.txt");
    CHECK(bed.found("\"lemur eats\" or zebra") == "little.txt other.txt");
    CHECK(bed.found("").empty());
    CHECK(bed.value("select count(*) from documents.search('lemur', 0)") == "0");
}

TEST_CASE("what is stored already is not stored again", "[documents][ingest]") {
    DocumentsBed bed;
    CHECK(bed.ingest("a.txt", "the one text") == R"(complete {"chunks":1})");
    CHECK(bed.ingest("a.txt") == R"(complete {"unchanged":true})");
    CHECK(bed.ingest(bed.path("a.txt")) == R"(complete {"unchanged":true})");
    CHECK(bed.ingest("b.txt", "the one text") == R"(complete {"duplicate":true})");
    write_packed(bed.path("c.txt.gz"), "the one text");
    CHECK(bed.ingest("c.txt.gz") == R"(complete {"duplicate":true})");
    CHECK(bed.value(count_documents) == "1");
    CHECK(bed.value(count_files) == "3");
    CHECK(bed.found("text") == "a.txt");
    CHECK(bed.ingest("d.html", "the one text") == R"(complete {"chunks":1})");  // of another format
}

TEST_CASE(
    "a file that has changed leaves nothing of what it was, unless another file holds it", "[documents][ingest]"
) {
    DocumentsBed bed;
    bed.ingest("a.txt", "walrus");
    bed.ingest("b.txt", "walrus");
    CHECK(bed.ingest("a.txt", "ocelot") == R"(complete {"chunks":1})");
    CHECK(bed.found("walrus") == "b.txt");
    CHECK(bed.found("ocelot") == "a.txt");
    CHECK(bed.ingest("b.txt", "ocelot") == R"(complete {"duplicate":true})");
    CHECK(bed.found("walrus").empty());
    CHECK(bed.value(count_documents) == "1");
    CHECK(bed.value(count_chunks) == "1");
}

TEST_CASE("jobs that meet at one content, or change it under each other, all complete", "[documents][ingest]") {
    DocumentsBed bed;
    std::vector<std::string> names;
    for (int i = 0; i < 12; ++i) names.push_back("f" + std::to_string(i));
    const auto write = [&](int round) {
        for (std::size_t i = 0; i < names.size(); ++i) {
            bed.folder.write(names[i], (i + static_cast<std::size_t>(round)) % 2 == 0 ? "walrus" : "ocelot");
        }
    };
    for (int round = 0; round < 6; ++round) {
        INFO("round " << round);
        write(round);
        for (const std::string& outcome : bed.ingest_all(names)) CHECK(outcome.starts_with("complete {"));
        CHECK(bed.value(count_files) == "12");
        CHECK(bed.value(count_documents) == "2");
        CHECK(bed.value(count_chunks) == "2");
        CHECK(
            bed.value(
                "select count(*) from documents.files f join documents.chunks c using (document_id) "
                "where (right(f.path, 1)::integer + " +
                std::to_string(round) + ") % 2 = 0 and c.text = 'walrus'"
            ) == "6"
        );
    }
}

TEST_CASE("a long document is stored in chunks, and its progress counts them", "[documents][ingest]") {
    DocumentsBed bed;
    CHECK(bed.ingest("long.txt", many_words(450 * 450)) == R"(complete {"chunks":450})");
    CHECK(bed.seen.progress == Lines{"200/450 chunks", "400/450 chunks", "450/450 chunks"});
    CHECK(bed.value(count_chunks) == "450");
    CHECK(bed.value("select max(number) from documents.chunks") == "450");
    CHECK(bed.value("select chunks from documents.documents") == "450");
}

TEST_CASE("what is no document is discarded with a reason", "[documents][ingest]") {
    DocumentsBed bed;
    bed.spec.file_limit = 100'000;
    const auto discard = [&](const std::string& name, const std::string& why) {
        return "discard: " + bed.path(name) + ": " + why;
    };
    CHECK(bed.ingest("missing.txt") == discard("missing.txt", "No such file or directory"));
    CHECK(
        bed.ingest(
            "binary",
            std::string(
                "\x7F"
                "ELF\0\0",
                6
            )
        ) == discard("binary", "is binary, no text")
    );
    CHECK(
        bed.ingest("large.txt", std::string(100'001, 'x')) ==
        discard("large.txt", "is larger than documents.file_limit, 100000 bytes")
    );
    CHECK(bed.ingest("no.gz", "plain text") == discard("no.gz", "is no gzip file: incorrect header check"));
    CHECK(bed.ingest("empty.gz", "") == discard("empty.gz", "is no gzip file: it ends too early"));

    write_packed(bed.path("bomb.gz"), std::string(50'000'000, 'x'));
    REQUIRE(fs::file_size(bed.path("bomb.gz")) < 100'000);
    CHECK(bed.ingest("bomb.gz") == discard("bomb.gz", "is larger than documents.file_limit, 100000 bytes"));

    write_packed(bed.path("cut.gz"), many_words(5000));
    fs::resize_file(bed.path("cut.gz"), 1000);
    CHECK(bed.ingest("cut.gz") == discard("cut.gz", "is a gzip file that is cut off"));
    write_packed(bed.path("damaged.gz"), many_words(5000));
    fs::resize_file(bed.path("damaged.gz"), fs::file_size(bed.path("damaged.gz")) - 8);
    std::ofstream(bed.path("damaged.gz"), std::ios::app) << "12345678";
    CHECK(bed.ingest("damaged.gz") == discard("damaged.gz", "is a damaged gzip file: incorrect data check"));

    fs::create_directory(bed.path("folder"));
    CHECK(bed.ingest("folder") == discard("folder", "is no regular file"));
    REQUIRE(::mkfifo(bed.path("pipe").c_str(), 0600) == 0);
    CHECK(bed.ingest("pipe") == discard("pipe", "is no regular file"));
    CHECK(bed.ingest(std::string(3000, 'x')).ends_with(": the path is too long"));
    CHECK(bed.value(count_files) == "0");
}

TEST_CASE("gzip files of several members, and with padding, are read whole", "[documents][ingest]") {
    DocumentsBed bed;
    write_packed(bed.path("first"), "the aardvark ");
    write_packed(bed.path("second"), "and the badger");
    const auto bytes = [&](const std::string& name) {
        std::ifstream file(bed.path(name), std::ios::binary);
        return std::string{std::istreambuf_iterator<char>(file), {}};
    };
    CHECK(
        bed.ingest("both.gz", bytes("first") + bytes("second") + std::string(512, '\0')) == R"(complete {"chunks":1})"
    );
    CHECK(bed.value("select text from documents.chunks") == "the aardvark and the badger");
}

TEST_CASE("no path leads out of documents.root", "[documents][ingest][security]") {
    DocumentsBed bed;
    TemporaryFolder outside;
    outside.write("secret.txt", "the secret");
    const std::string secret = outside.path() + "/secret.txt";
    const auto refused = [](const std::string& path) { return "discard: " + path + ": is not beneath documents.root"; };
    const auto led_out = [&](const std::string& name) {
        return "discard: " + bed.path(name) + ": leads out of documents.root by a link";
    };
    CHECK(bed.ingest(secret) == refused(secret));
    CHECK(bed.ingest("/etc/passwd") == refused("/etc/passwd"));
    CHECK(bed.ingest("") == refused(""));
    CHECK(bed.ingest(".") == refused("."));
    CHECK(bed.ingest("../x") == refused("../x"));
    CHECK(bed.ingest(bed.path("../x")) == refused(bed.path("../x")));
    const std::string beside = bed.folder.path() + "-beside/x";
    CHECK(bed.ingest(beside) == refused(beside));

    fs::create_symlink(secret, bed.path("link.txt"));
    CHECK(bed.ingest("link.txt") == led_out("link.txt"));
    fs::create_symlink("../" + fs::path(outside.path()).filename().string(), bed.path("up"));
    CHECK(bed.ingest("up/secret.txt") == led_out("up/secret.txt"));
    fs::create_directory_symlink("/", bed.path("all"));
    CHECK(bed.ingest("all/etc/passwd") == led_out("all/etc/passwd"));
    fs::create_symlink("/proc/self/root/etc/passwd", bed.path("magic"));
    CHECK(bed.ingest("magic") == led_out("magic"));
    fs::create_symlink("loop", bed.path("loop"));
    CHECK(bed.ingest("loop") == "discard: " + bed.path("loop") + ": Too many levels of symbolic links");
    CHECK(bed.value(count_files) == "0");

    bed.folder.write("inside.txt", "inside");
    fs::create_symlink("inside.txt", bed.path("near"));
    CHECK(bed.ingest("near") == R"(complete {"chunks":1})");
}

TEST_CASE("text that is no UTF-8 is stored", "[documents][ingest]") {
    DocumentsBed bed;
    CHECK(bed.ingest("latin.txt", "gr\xFC\xDF Gott\xFF\xC0\x80") == R"(complete {"chunks":1})");
    CHECK(bed.found("gr\xC3\xBC\xC3\x9F") == "latin.txt");
    CHECK(bed.ingest("empty.txt", "") == R"(complete {"chunks":0})");
}

TEST_CASE("ingesting without the schema is a retry that names the command", "[documents][ingest]") {
    DocumentsBed bed(DocumentsBed::Content::without_schema);
    CHECK(bed.ingest("a.txt", "text") == "retry: the schema documents is missing: run task-worker documents setup");
}

TEST_CASE("documents.concurrency is the limit of the kind", "[documents][ingest]") {
    DocumentsBed bed;
    bed.spec.concurrency = 3;
    CHECK(make_ingest_kind(bed.spec, bed.threads, nullptr).policy.concurrency == 3);
}

TEST_CASE("documents setup is harmless again, and stores arrays without pgvector", "[documents][setup]") {
    DocumentsBed bed;
    bed.ingest("a.txt", "walrus");
    db::Session session = bed.database.session(bed.context);
    const auto column = tests::run(bed.context, [&] { return jobs::documents::set_up(session); });
    if (bed.value("select count(*) from pg_available_extensions where name = 'vector'") == "0") {
        CHECK(column == jobs::documents::EmbeddingColumn::missing);
        CHECK(
            bed.value("select format_type(atttypid, null) from pg_attribute where attname = 'embedding'") == "real[]"
        );
    } else {
        CHECK(column == jobs::documents::EmbeddingColumn::vector);
    }
    CHECK(bed.found("walrus") == "a.txt");
}

TEST_CASE("documents.search uses the index of words", "[documents][search]") {
    DocumentsBed bed;
    bed.database.psql(R"sql(
        insert into documents.documents (sha256, format, bytes, chunks)
        select int8send(n), 'text', 1, 1 from generate_series(1, 5000) n;
        insert into documents.files (path, document_id) select '/d/' || id, id from documents.documents;
        insert into documents.chunks (document_id, number, text)
        select id, 1, 'word' || id || repeat(' common text', 100) from documents.documents;
    )sql");
    bed.database.psql("vacuum analyze documents.chunks");
    std::string plan;
    for (const auto& row : bed.database.psql("explain (costs off) select * from documents.search('word77')")) {
        plan += row.at(0) + "\n";
    }
    INFO(plan);
    CHECK(plan.find("Bitmap Index Scan on ix_chunks_words") != std::string::npos);
    CHECK(plan.find("Seq Scan") == std::string::npos);
}
