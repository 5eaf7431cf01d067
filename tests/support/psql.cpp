#include "tests/support/psql.hpp"

#include <libpq-fe.h>

#include <memory>
#include <stdexcept>

namespace tests {

TextRows psql(const std::string& url, const std::string& sql) {
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(url.c_str()), PQfinish);
    if (PQstatus(connection.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection.get()));
    PQsetNoticeProcessor(connection.get(), [](void*, const char*) {}, nullptr);
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()), PQclear);
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
        throw std::runtime_error(PQresultErrorMessage(result.get()));
    }
    TextRows rows(static_cast<std::size_t>(PQntuples(result.get())));
    for (int row = 0; row < PQntuples(result.get()); ++row) {
        for (int column = 0; column < PQnfields(result.get()); ++column) {
            rows[static_cast<std::size_t>(row)].emplace_back(PQgetvalue(result.get(), row, column));
        }
    }
    return rows;
}

void await_value(
    const std::string& url, const std::string& sql, const std::string& wanted, std::chrono::seconds limit
) {
    const auto end = std::chrono::steady_clock::now() + limit;
    std::string last;
    while ((last = psql(url, sql).at(0).at(0)) != wanted) {
        if (std::chrono::steady_clock::now() > end) {
            throw std::runtime_error("never came true: " + sql + " is " + last + ", not " + wanted);
        }
    }
}

}  // namespace tests
