// Documents as they come: whatever a file holds, its chunks can be stored, and nothing of its text is left out.
#include "jobs/documents/embeddings.hpp"
#include "jobs/documents/extract_text.hpp"
#include "jobs/documents/split.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/outcomes.hpp"

#include <string>
#include <vector>

namespace {

void check_chunks(std::string_view text) {
    const std::vector<std::string_view> chunks = jobs::documents::split(text, {.tokens = 20, .overlap = 3});
    tests::expect(chunks.empty() == text.empty());
    const char* end = text.data();
    for (const std::string_view chunk : chunks) {
        tests::expect(!chunk.empty() && chunk.size() <= text.size());
        tests::expect(tests::is_storable(chunk));
        for (const char* gap = end; gap < chunk.data(); ++gap) tests::expect(*gap == ' ' || *gap == '\n');
        tests::expect(chunk.data() + chunk.size() > end);
        end = chunk.data() + chunk.size();
    }
    tests::expect(end == text.data() + text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using jobs::documents::Format;
    const std::string_view bytes = tests::text_of(data, size);
    for (const Format format : {Format::text, Format::markdown, Format::html}) {
        const std::string text = jobs::documents::extract_text(format, std::string(bytes));
        tests::expect(tests::is_storable(text));
        tests::expect(text.size() <= 3 * size);  // what is no UTF-8 grows
        check_chunks(text);
    }
    const auto embeddings = jobs::documents::read_embeddings(bytes, 2);
    tests::expect(
        embeddings ? embeddings->arrays.size() == 2 && embeddings->dimensions > 0
                   : tests::is_storable(embeddings.error().what)
    );
    return 0;
}
