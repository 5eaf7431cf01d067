// From a document's bytes to its text.
#include "jobs/documents/extract_text.hpp"
#include "jobs/documents/format.hpp"
#include "jobs/utf8.hpp"
#include "tests/support/catch.hpp"

#include <chrono>
#include <string>
#include <vector>

using namespace jobs::documents;

namespace {

struct Row {
    std::string given;
    std::string text;
};

std::string repeat(const std::string& piece, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += piece;
    return text;
}

}  // namespace

TEST_CASE("kind_of goes by the end of the name", "[jobs][documents]") {
    struct KindRow {
        std::string path;
        Format format;
        bool is_packed;
    };
    const std::vector<KindRow> rows{
        {"/d/bash/README", Format::text, false},
        {"/d/bash/changelog.Debian.gz", Format::text, true},
        {"a.html", Format::html, false},
        {"A.HTM", Format::html, false},
        {"a.html.gz", Format::html, true},
        {"a.md", Format::markdown, false},
        {"a.markdown.gz", Format::markdown, true},
        {"/a.md/copyright", Format::text, false},
    };
    for (const KindRow& row : rows) {
        INFO(row.path);
        CHECK(kind_of(row.path).format == row.format);
        CHECK(kind_of(row.path).is_packed == row.is_packed);
    }
}

TEST_CASE("names_no_document knows images, archives and programs, packed or not", "[jobs][documents]") {
    for (const char* name : {"a.png", "a.PDF", "a.ps.gz", "a.tar.gz", "x/a.js", "a.txt.xz", "a.Z"}) {
        INFO(name);
        CHECK(names_no_document(name));
    }
    for (const char* name : {"README", "a.txt.gz", "changelog.Debian", "a.html", "a.rst", "png", "a.js/README"}) {
        INFO(name);
        CHECK_FALSE(names_no_document(name));
    }
}

TEST_CASE("is_binary finds a NUL anywhere, and many control characters", "[jobs][documents]") {
    CHECK(is_binary(std::string(10'000, 'a') + '\0'));
    CHECK(is_binary("\x01\x02\x03\x04 text"));
    CHECK_FALSE(is_binary(""));
    CHECK_FALSE(is_binary("N\bNA\bAM\bME\bE\n\t\x1B[1mbold\x1B[0m\r\n\f"));
    CHECK_FALSE(
        is_binary("\xFC"
                  "ber \x01 einmal")
    );
}

TEST_CASE("extract_text answers valid UTF-8 with single blanks, whatever it is given", "[jobs][documents]") {
    const std::vector<Row> rows{
        {"", ""},
        {" \n\t ", ""},
        {"one  two\t\nthree\r\n\r\n\r\n  four\n", "one two\nthree\n\nfour"},
        {"\xEF\xBB\xBFmark", "mark"},
        {"gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F"},
        {"gr\xFC\xDF \x93so\x94 \x81", "gr\xC3\xBC\xC3\x9F \xE2\x80\x9Cso\xE2\x80\x9D \xEF\xBF\xBD"},  // windows-1252
        {std::string(
             "a\0b\x01"
             "c",
             5
         ),
         "a\xEF\xBF\xBD"
         "b c"},
        {"a <b>text</b> &amp; *no* marks", "a <b>text</b> &amp; *no* marks"},
    };
    for (const Row& row : rows) {
        INFO(row.given);
        CHECK(extract_text(Format::text, row.given) == row.text);
    }
}

TEST_CASE("extract_text reads of a page what a reader sees", "[jobs][documents][html]") {
    const std::vector<Row> rows{
        {"<html><head><title>The title</title><style>p > a {}</style></head><body><p>One<p>Two</body>",
         "The title\n\nOne\n\nTwo"},
        {"<p>a<b>b</b>c <i>d</i></p>", "abc d"},
        {"one\n  two<br>three<BR/>four", "one two\nthree\nfour"},
        {"<script>if (a < b) document.write('</p>')</script >seen", "seen"},
        {"<SCRIPT type=\"x>y\">hidden</ScRiPt>seen", "seen"},
        {"<script>never closed", ""},
        {"<!-- a > b <p> -->seen<!-- open", "seen"},
        {"<!DOCTYPE html><?xml version='1'?></>seen", "seen"},
        {"<a title='a > b' href=\"x>y\">link</a> <img alt=x>", "link"},
        {"<p class=it's>seen</p>", "seen"},
        {"<a href=\"never closed>gone", ""},
        {"&lt;b&gt; &amp;amp; &eacute;&#233;&#xE9;&#x1F600; &nbsp; &#147;q&#148; &apos;",
         "<b> &amp; \xC3\xA9\xC3\xA9\xC3\xA9\xF0\x9F\x98\x80 \xE2\x80\x9Cq\xE2\x80\x9D '"},
        {"a & b &unknown; &#xZZ; &#0; &#xD800; &#9999999;",
         "a & b &unknown; &#xZZ; \xEF\xBF\xBD \xEF\xBF\xBD "
         "\xEF\xBF\xBD"},
        {"1 < 2 <3 <", "1 < 2 <3 <"},
        {"<pre>a\n  b</pre>c\nd", "a\nb\n\nc d"},
        {"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"},
        {"<ul><li>a<li>b</ul>", "a\nb"},
    };
    for (const Row& row : rows) {
        INFO(row.given);
        CHECK(extract_text(Format::html, row.given) == row.text);
    }
}

TEST_CASE("extract_text drops the marks of Markdown and keeps its words", "[jobs][documents][markdown]") {
    const std::vector<Row> rows{
        {"# Title #\ntext\n\nUnder\n=====\n", "Title\ntext\n\nUnder"},
        {"- one\n* two\n+ three\n1. four", "one\ntwo\nthree\n1. four"},
        {"> > quoted\n> more", "quoted\nmore"},
        {"a **bold** _word_ and ~~gone~~ snake_case 2 * 3 a*b", "a bold word and gone snake_case 2 * 3 a*b"},
        {"see [the guide](https://x/y_z) or [it][1] or array[0]\n[1]: https://x", "see the guide or it or array[0]"},
        {"![a picture](p.png)", "a picture"},
        {"`a <b> *c*` and ``x ` y`` and ` alone", "a <b> *c* and x ` y and ` alone"},
        {"```sh\nrm -rf *  # **all**\n```\nafter *it*", "rm -rf * # **all**\nafter it"},
        {"~~~\n```\n~~~\n*x*", "```\nx"},
        {"```never closed\n*x*", "*x*"},
        {"<b>bold</b> <https://x/y> <!-- no --> a < b &copy;", "bold https://x/y a < b \xC2\xA9"},
        {"\\*not\\* \\# end\\", "*not* # end\\"},
        {"| a | b |\n|---|:-:|\n| c | d |", "| a | b |\n| c | d |"},
        {"[open (a [b]", "[open (a [b]"},
    };
    for (const Row& row : rows) {
        INFO(row.given);
        CHECK(extract_text(Format::markdown, row.given) == row.text);
    }
}

TEST_CASE("extract_text takes what is nested or left open without end", "[jobs][documents]") {
    constexpr std::size_t times = 100'000;
    CHECK(extract_text(Format::html, repeat("<div>", times) + "seen") == "seen");
    CHECK(extract_text(Format::html, repeat("<!--", times)).empty());
    CHECK(extract_text(Format::html, repeat("<a \"", times)).empty());
    CHECK(extract_text(Format::html, "<script>" + repeat("</", times)).empty());
    CHECK(extract_text(Format::html, repeat("&", times)).size() == times);
    CHECK(extract_text(Format::html, repeat("&#", times)).size() == 2 * times);
    CHECK(extract_text(Format::markdown, repeat("[", times)).size() == times);
    CHECK(extract_text(Format::markdown, repeat("](", times)).size() == 2 * times);
    CHECK(extract_text(Format::markdown, repeat("[](x)", times)).empty());
    CHECK(extract_text(Format::markdown, repeat("<a", times)).size() == 2 * times);
    CHECK(extract_text(Format::markdown, repeat("``` ` ", times)).size() == times - 1);
    CHECK(extract_text(Format::markdown, repeat("> ", times) + "seen") == "seen");
}

TEST_CASE("append_code_point writes each length of UTF-8, and U+FFFD for what is no character", "[jobs][utf8]") {
    std::string text;
    for (const char32_t code : {U'a', U'\u00E9', U'\u20AC', U'\U0001F600', char32_t{0xDFFF}, char32_t{0x110000}}) {
        jobs::append_code_point(text, code);
    }
    CHECK(text == "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBD\xEF\xBF\xBD");
}
