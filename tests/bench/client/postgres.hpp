#pragma once

// libpq with as little around it as a bare loop can do with: owners, errors as exceptions, arrays of bigint.

#include <libpq-fe.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace bench {

struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
    void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using Result = std::unique_ptr<PGresult, Finish>;

// A parameter as text, or in binary where `binary` says so. The text must outlive the call that sends it.
struct Parameter {
    std::string_view bytes;
    bool binary = false;
};

// All of them throw std::runtime_error with the server's message.
Connection connect(const std::string& url);
Result execute(PGconn* connection, const std::string& sql);
void prepare(PGconn* connection, const char* name, const char* sql);

// Pipeline mode: what was sent since the last sync is one transaction.
void send_prepared(PGconn* connection, const char* name, std::initializer_list<Parameter> parameters);
void send_sync(PGconn* connection);
Result take_result(PGconn* connection);  // of one statement
void take_sync(PGconn* connection);

// A bigint[] or a json[] in PostgreSQL's binary form.
std::string binary_array(std::span<const std::int64_t> values);
std::string binary_array(std::span<const std::string> json);
// A bigint in binary form, from a binary result.
std::int64_t bigint_at(const PGresult* result, int row, int column);

}  // namespace bench
