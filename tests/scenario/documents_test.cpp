// documents: the real program, a real worker, a real database.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/documents_bed.hpp"
#include "tests/support/process.hpp"
#include "tests/support/shell.hpp"

#include <boost/json/parse.hpp>

#include <filesystem>
#include <string>

using namespace tests;

namespace fs = std::filesystem;

namespace {

// A folder of documents, a worker that may read it, and a shell whose configuration says so.
struct Library {
    TestDatabase database;
    TemporaryFolder folder;
    Shell shell{database.url()};

    Library() {
        shell.folder.write("config.yml", "documents: {root: '" + folder.path() + "'}\n");
        folder.write("a.txt", "a walrus");
        folder.write("b.md", "# A *walrus*");
        folder.write("c.html", "<p>a walrus</p>");
        write_packed(folder.path() + "/d.txt.gz", "one more walrus");
        folder.write("picture.png", "a walrus, in pixels");
        fs::create_directory(folder.path() + "/below");
        folder.write("below/e.txt", "an ocelot");
        fs::create_symlink("a.txt", folder.path() + "/link.txt");
    }
    WorkerProcess worker() const {
        return WorkerProcess(database.url(), {{"TASK_WORKER_DOCUMENTS_ROOT", folder.path()}});
    }
    Finished ingest(Words more = {}) const {
        Words words{"documents", "ingest", folder.path(), "--watch"};
        words.insert(words.end(), more.begin(), more.end());
        return shell.run(words);
    }
    std::string files() const {
        const std::string from = std::to_string(folder.path().size() + 2);
        return database.value("select string_agg(substr(path, " + from + "), ' ' order by path) from documents.files");
    }
};

}  // namespace

TEST_CASE("documents ingest makes a batch of a folder's documents, which can be searched", "[scenario][documents]") {
    const Library library;
    const WorkerProcess worker = library.worker();
    REQUIRE(library.shell.run({"documents", "setup"}).code == 0);
    const Finished ingested = library.ingest();
    INFO(ingested.output << ingested.errors);
    CHECK(ingested.code == 0);
    CHECK(holds(ingested.output, "enqueued 5 jobs of documents.ingest"));
    CHECK(holds(ingested.output, "documents  [#"));
    CHECK(library.files() == "a.txt b.md below/e.txt c.html d.txt.gz");
    CHECK(library.database.value("select name || ' ' || state from task_queue.batches") == "documents finished");

    const Finished found = library.shell.run({"documents", "search", "walrus", "one", "--json"});
    CHECK(found.code == 0);
    const auto answers = boost::json::parse(found.output).as_array();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].at("path").as_string() == library.folder.path() + "/d.txt.gz");
    CHECK(answers[0].at("headline").as_string() == "**one** more **walrus**");
    CHECK(answers[0].at("rank").as_double() > 0);
    const Finished shown = library.shell.run({"documents", "search", "ocelot"});
    CHECK(shown.output == library.folder.path() + "/below/e.txt\n    **ocelot**\n");
    const Finished none = library.shell.run({"documents", "search", "zebra"});
    CHECK(none.code == 1);
    CHECK(none.output == "nothing found\n");
}

TEST_CASE(
    "documents ingest again changes what has changed, and forgets what has gone if asked", "[scenario][documents]"
) {
    const Library library;
    const WorkerProcess worker = library.worker();
    REQUIRE(library.shell.run({"documents", "setup"}).code == 0);
    REQUIRE(library.ingest().code == 0);
    library.folder.write("a.txt", "a zebra");
    fs::remove(library.folder.path() + "/b.md");
    const Finished again = library.ingest({"--batch", "again"});
    CHECK(again.code == 0);
    CHECK(library.database.value("select count(*) from documents.search('zebra')") == "1");
    CHECK(library.files() == "a.txt b.md below/e.txt c.html d.txt.gz");

    fs::remove(library.folder.path() + "/c.html");
    const Finished below =
        library.shell.run({"documents", "ingest", library.folder.path() + "/below", "--remove-gone"});
    CHECK(holds(below.output, "removed 0 files that are there no more\n"));
    const Finished gone = library.ingest({"--remove-gone"});
    CHECK(gone.code == 0);
    CHECK(holds(gone.output, "removed 2 files that are there no more\n"));
    CHECK(library.files() == "a.txt below/e.txt d.txt.gz");
    CHECK(library.database.value("select count(*) from documents.documents") == "3");
    CHECK(library.database.value("select count(*) from documents.search('walrus')") == "1");
}

TEST_CASE(
    "documents ingest of an empty folder removes nothing: it may be one that is not mounted", "[scenario][documents]"
) {
    const Library library;
    const WorkerProcess worker = library.worker();
    REQUIRE(library.shell.run({"documents", "setup"}).code == 0);
    REQUIRE(library.ingest().code == 0);
    for (const auto& entry : fs::directory_iterator(library.folder.path())) fs::remove_all(entry.path());
    library.shell.refuses({"documents", "ingest", library.folder.path(), "--remove-gone"}, 1, "no documents are below");
    CHECK(library.files() == "a.txt b.md below/e.txt c.html d.txt.gz");
}

TEST_CASE("documents says what is missing, and how to get it", "[scenario][documents]") {
    const Library library;
    const std::string& root = library.folder.path();
    library.shell.refuses({"documents", "search", "x"}, 4, "run task-worker documents setup");
    library.shell.refuses({"documents", "ingest", root}, 4, "run task-worker documents setup");
    library.shell.refuses({"documents", "ingest", "/etc"}, 2, "\"/etc\" is not beneath documents.root, " + root);
    library.shell.refuses({"documents", "ingest", root + "/no"}, 2, "is no folder");
    library.shell.refuses({"documents", "ingest", root, "--set", "documents.root="}, 2, "documents.root is not set");
    library.shell.refuses({"documents", "search"}, 2, "WORDS");
    const Finished setup = library.shell.run({"documents", "setup", "--json"});
    CHECK(setup.code == 0);
    CHECK(holds(setup.output, "{\"embeddings\": \""));
}

TEST_CASE("a file that cannot be ingested fails its job alone", "[scenario][documents]") {
    const Library library;
    library.folder.write("broken.gz", "no gzip");
    library.folder.write(
        "program",
        std::string(
            "\x7F"
            "ELF\0",
            5
        )
    );
    const WorkerProcess worker = library.worker();
    REQUIRE(library.shell.run({"documents", "setup"}).code == 0);
    const Finished ingested = library.ingest();
    CHECK(ingested.code == 1);
    CHECK(holds(ingested.errors, "2 of 7 jobs failed"));
    CHECK(library.files() == "a.txt b.md below/e.txt c.html d.txt.gz");
    CHECK(
        library.database.value("select string_agg(error, ' ' order by error) from task_queue.dead_jobs") ==
        library.folder.path() + "/broken.gz: is no gzip file: incorrect header check " + library.folder.path() +
            "/program: is binary, no text"
    );
}

TEST_CASE("a worker without documents.root has no kind documents.ingest", "[scenario][documents][security]") {
    const TestDatabase database;
    const WorkerProcess worker(database.url());
    CHECK(database.value("select 'documents.ingest' = any (kinds) from task_queue.workers") == "f");
}
