#include "db/rows.hpp"

#include "db/error.hpp"
#include "db/wire_format.hpp"

#include <libpq-fe.h>

#include <cstdlib>

namespace db {

namespace {

[[noreturn]] void refuse(const pg_result* result, int column, std::string_view wanted) {
    const char* name = PQfname(result, column);
    throw Error(
        ErrorKind::usage,
        "column " + std::string(name == nullptr ? "?" : name) + " (type " + std::to_string(PQftype(result, column)) +
            ") cannot be read as " + std::string(wanted)
    );
}

const char* value_of(const pg_result* result, int row, int column) {
    if (PQgetisnull(result, row, column) != 0) refuse(result, column, "a value: it is null");
    return PQgetvalue(result, row, column);
}

std::int64_t read_integer(std::uint32_t type, const char* value, const pg_result* result, int column) {
    switch (type) {
        case wire::int2_oid:
            return wire::read<std::int16_t>(value);
        case wire::int4_oid:
            return wire::read<std::int32_t>(value);
        case wire::oid_oid:
            return wire::read<std::uint32_t>(value);
        case wire::int8_oid:
            return wire::read<std::int64_t>(value);
        default:
            refuse(result, column, "an integer");
    }
}

std::string format_uuid(const char* bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(36);
    for (int i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        const auto byte = static_cast<unsigned char>(bytes[i]);
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

// Calls element(type, bytes, length) for each element of a one-dimensional array without nulls.
template <class Function>
void each_element(const char* array, Function element) {
    const auto dimensions = wire::read<std::int32_t>(array);
    if (dimensions == 0) return;
    const auto type = wire::read<std::uint32_t>(array + 8);
    const auto size = wire::read<std::int32_t>(array + 12);
    const char* at = array + 20;
    for (std::int32_t i = 0; i < size; ++i) {
        const auto length = wire::read<std::int32_t>(at);
        at += 4;
        if (length < 0) throw Error(ErrorKind::usage, "an array element is null");
        element(type, at, length);
        at += length;
    }
}

}  // namespace

bool Row::is_null(int column) const {
    return PQgetisnull(result_, row_, column) != 0;
}

bool Row::get_bool(int column) const {
    const char* value = value_of(result_, row_, column);
    if (PQftype(result_, column) != wire::bool_oid) refuse(result_, column, "a boolean");
    return *value != '\0';
}

std::int64_t Row::get_integer(int column) const {
    const char* value = value_of(result_, row_, column);
    return read_integer(PQftype(result_, column), value, result_, column);
}

double Row::get_double(int column) const {
    const char* value = value_of(result_, row_, column);
    switch (PQftype(result_, column)) {
        case wire::float8_oid:
            return wire::read<double>(value);
        case wire::float4_oid:
            return static_cast<double>(std::bit_cast<float>(wire::read<std::int32_t>(value)));
        default:
            return static_cast<double>(read_integer(PQftype(result_, column), value, result_, column));
    }
}

std::string Row::get_string(int column) const {
    if (PQftype(result_, column) == wire::uuid_oid) return format_uuid(value_of(result_, row_, column));
    return std::string(get_text(column));
}

std::string_view Row::get_text(int column) const {
    const char* value = value_of(result_, row_, column);
    const auto length = static_cast<std::size_t>(PQgetlength(result_, row_, column));
    switch (PQftype(result_, column)) {
        case wire::text_oid:
        case wire::varchar_oid:
        case wire::bpchar_oid:
        case wire::name_oid:
        case wire::json_oid:
        case wire::unknown_oid:
            return {value, length};
        case wire::jsonb_oid:
            return {value + 1, length - 1};  // after the format's version byte
        default:
            refuse(result_, column, "text");
    }
}

TimePoint Row::get_time(int column) const {
    const char* value = value_of(result_, row_, column);
    if (PQftype(result_, column) != wire::timestamptz_oid) refuse(result_, column, "a time");
    return TimePoint(std::chrono::microseconds(wire::read<std::int64_t>(value) + wire::epoch_offset));
}

std::vector<std::int64_t> Row::get_integers(int column) const {
    const char* value = value_of(result_, row_, column);
    const auto type = PQftype(result_, column);
    if (type != wire::int8_array_oid && type != wire::int4_array_oid && type != wire::int2_array_oid) {
        refuse(result_, column, "an array of integers");
    }
    std::vector<std::int64_t> numbers;
    each_element(value, [&](std::uint32_t element_type, const char* bytes, std::int32_t) {
        numbers.push_back(read_integer(element_type, bytes, result_, column));
    });
    return numbers;
}

std::vector<std::string> Row::get_strings(int column) const {
    const char* value = value_of(result_, row_, column);
    if (PQftype(result_, column) != wire::text_array_oid) refuse(result_, column, "an array of text");
    std::vector<std::string> texts;
    each_element(value, [&](std::uint32_t, const char* bytes, std::int32_t length) {
        texts.emplace_back(bytes, static_cast<std::size_t>(length));
    });
    return texts;
}

Rows::Rows(std::shared_ptr<const pg_result> result) : result_(std::move(result)), size_(PQntuples(result_.get())) {}

std::int64_t Rows::affected() const {
    // PQcmdTuples reads the command tag only, but is declared without const.
    const char* text = result_ ? PQcmdTuples(const_cast<pg_result*>(result_.get())) : "";
    return std::atoll(text);
}

std::string_view Rows::command() const {
    return result_ ? PQcmdStatus(const_cast<pg_result*>(result_.get())) : "";
}

int Rows::columns() const {
    return result_ ? PQnfields(result_.get()) : 0;
}

std::string_view Rows::column_name(int column) const {
    const char* name = PQfname(result_.get(), column);
    return name == nullptr ? std::string_view{} : name;
}

}  // namespace db
