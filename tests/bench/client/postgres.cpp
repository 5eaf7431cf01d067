#include "tests/bench/client/postgres.hpp"

#include <arpa/inet.h>
#include <endian.h>

#include <cstring>
#include <stdexcept>
#include <vector>

namespace bench {

namespace {

constexpr std::uint32_t bigint_oid = 20;
constexpr std::uint32_t json_oid = 114;

void append_uint32(std::string& bytes, std::uint32_t value) {
    value = htonl(value);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// One dimension, no nulls, counted from 1.
std::string array_header(std::uint32_t type, std::size_t count) {
    std::string bytes;
    for (const std::uint32_t field : {1U, 0U, type, static_cast<std::uint32_t>(count), 1U}) append_uint32(bytes, field);
    return bytes;
}

Result checked(PGconn* connection, PGresult* answer) {
    Result result(answer);
    const ExecStatusType status = PQresultStatus(answer);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_PIPELINE_SYNC &&
        status != PGRES_COPY_IN) {
        throw std::runtime_error(answer != nullptr ? PQresultErrorMessage(answer) : PQerrorMessage(connection));
    }
    return result;
}

void require(PGconn* connection, int sent) {
    if (sent != 1) throw std::runtime_error(PQerrorMessage(connection));
}

}  // namespace

Connection connect(const std::string& url) {
    Connection connection(PQconnectdb(url.c_str()));
    if (PQstatus(connection.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection.get()));
    return connection;
}

Result execute(PGconn* connection, const std::string& sql) {
    return checked(connection, PQexec(connection, sql.c_str()));
}

void prepare(PGconn* connection, const char* name, const char* sql) {
    checked(connection, PQprepare(connection, name, sql, 0, nullptr));
}

void send_prepared(PGconn* connection, const char* name, std::initializer_list<Parameter> parameters) {
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
    for (const Parameter& parameter : parameters) {
        values.push_back(parameter.bytes.data());
        lengths.push_back(static_cast<int>(parameter.bytes.size()));
        formats.push_back(parameter.binary ? 1 : 0);
    }
    const int count = static_cast<int>(values.size());
    require(connection, PQsendQueryPrepared(connection, name, count, values.data(), lengths.data(), formats.data(), 1));
}

void send_sync(PGconn* connection) {
    require(connection, PQpipelineSync(connection));
}

Result take_result(PGconn* connection) {
    Result result = checked(connection, PQgetResult(connection));
    const Result end(PQgetResult(connection));  // null: the end of this statement's results
    if (end) throw std::runtime_error("a statement answered twice");
    return result;
}

void take_sync(PGconn* connection) {
    const Result result = checked(connection, PQgetResult(connection));
    if (PQresultStatus(result.get()) != PGRES_PIPELINE_SYNC) throw std::runtime_error("a result where a sync was due");
}

std::string binary_array(std::span<const std::int64_t> values) {
    std::string bytes = array_header(bigint_oid, values.size());
    for (const std::int64_t value : values) {
        append_uint32(bytes, sizeof value);
        const std::uint64_t big = htobe64(static_cast<std::uint64_t>(value));
        bytes.append(reinterpret_cast<const char*>(&big), sizeof big);
    }
    return bytes;
}

std::string binary_array(std::span<const std::string> json) {
    std::string bytes = array_header(json_oid, json.size());
    for (const std::string& text : json) {
        append_uint32(bytes, static_cast<std::uint32_t>(text.size()));
        bytes += text;
    }
    return bytes;
}

std::int64_t bigint_at(const PGresult* result, int row, int column) {
    std::uint64_t big = 0;
    std::memcpy(&big, PQgetvalue(result, row, column), sizeof big);
    return static_cast<std::int64_t>(be64toh(big));
}

}  // namespace bench
