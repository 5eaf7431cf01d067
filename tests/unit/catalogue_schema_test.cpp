// What the migrations create, as the doctor reads it from their text.

#include "db/catalogue_schema.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace {

std::vector<db::SchemaObject> objects_of(const std::vector<std::string>& ups) {
    std::vector<db::Migration> migrations;
    int version = 0;
    for (const std::string& up : ups) migrations.push_back({++version, "step", up, ""});
    return db::created_objects(migrations);
}

std::string names_of(const std::vector<std::string>& ups) {
    std::string text;
    for (const db::SchemaObject& object : objects_of(ups)) text += object.kind + " " + object.name + "; ";
    return text;
}

constexpr const char* a_table =
    "-- a comment: create table none (\n"
    "create table task_queue.a (\n"
    "    -- of nothing\n"
    "    id bigint not null,\n"
    "    b text,  -- b\n"
    "    constraint pk_a primary key (id),\n"
    "    constraint uq_a_b unique (b),\n"
    "    constraint ck_a_c check (\n"
    "        case when b = 'b' then id > 0 end\n"
    "    )\n"
    ") with (\n"
    "    fillfactor = 50\n"
    ");\n";

}  // namespace

TEST_CASE("created_objects reads tables with columns, constraints and indexes", "[db][migrations]") {
    CHECK(names_of({a_table}) == "table a; column a.id; column a.b; index pk_a; index uq_a_b; constraint a.ck_a_c; ");
    const auto objects = objects_of({"create unique index ix_a_b\n    on task_queue.a (b) where b > 0;\n"});
    REQUIRE(objects.size() == 1);
    CHECK(objects.front().name == "ix_a_b");
    CHECK(objects.front().text == "create unique index ix_a_b\n    on task_queue.a (b) where b > 0");
}

TEST_CASE("created_objects reads functions, each with the body that stands in $$", "[db][migrations]") {
    const auto objects = objects_of(
        {"create function task_queue.f(\n    a bigint\n) returns bigint\nlanguage plpgsql as $$\nbegin\n"
         "    execute 'create table x';\nend\n$$;\n"
         "create function task_queue.f(a text) returns bigint\n    language sql return 1;\n"
         "do $$\nbegin\nend\n$$;\n"
         "create function task_queue.g() returns trigger\nlanguage sql as $$select 2$$;\n"
         "create trigger tell after insert on task_queue.a\n    for each statement execute function task_queue.g();\n"
         "create view task_queue.v as select 1;\ncreate sequence task_queue.s;"}
    );
    std::string text;
    for (const db::SchemaObject& object : objects) text += object.kind + " " + object.name + "; ";
    CHECK(text == "function f; body f; function f; body f; function g; body g; trigger tell; view v; sequence s; ");
    CHECK(objects.at(1).text == "\nbegin\n    execute 'create table x';\nend\n");
    CHECK(objects.at(3).text.empty());
    CHECK(objects.at(5).text == "select 2");
}

TEST_CASE("created_objects follows later migrations", "[db][migrations]") {
    CHECK(names_of({a_table, "drop table task_queue.a;\n"}) == "index pk_a; index uq_a_b; ");
    CHECK(
        names_of(
            {a_table,
             "alter table task_queue.a drop column b;\nalter table task_queue.a add column d text not null;\n"
             "alter table task_queue.a drop constraint uq_a_b;\nalter table task_queue.a drop constraint ck_a_c;\n"
             "alter table task_queue.a add constraint ck_a_d check (d <> '');\n"}
        ) == "table a; column a.id; index pk_a; column a.d; constraint a.ck_a_d; "
    );
    CHECK(
        names_of(
            {"create function task_queue.f() returns integer\nreturn 1;\ncreate view task_queue.v as select 1;\n",
             "drop view task_queue.v;\ncreate or replace function task_queue.f() returns integer\nreturn 2;\n"}
        ) == "function f; body f; "
    );
    CHECK(
        names_of({"create function task_queue.f() returns integer\nreturn 1;\ndrop function task_queue.f();\n"}).empty()
    );
}
