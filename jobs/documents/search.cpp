#include "jobs/documents/search.hpp"

namespace asio = boost::asio;

namespace jobs::documents {

const db::Statement search_documents_sql{"search_documents", R"sql(
    select rank::float8, headline, path from documents.search($1::text, $2::integer)
)sql"};

asio::awaitable<std::vector<Found>> search(db::Session& session, std::string words, int limit) {
    const db::Rows rows = co_await session.execute(search_documents_sql, words, std::int32_t{limit});
    co_return db::map_rows(rows, [](const db::Row& row) {
        return Found{.rank = row.get<double>(0), .headline = row.get<std::string>(1), .path = row.get<std::string>(2)};
    });
}

}  // namespace jobs::documents
