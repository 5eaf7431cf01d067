#pragma once

// The answer to a statement: rows of binary columns, read by position.
//
// Rows owns the libpq result and may be copied cheaply; a Row and every std::string_view read from it are valid while
// a Rows of the same answer lives.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

struct pg_result;

namespace db {

using TimePoint = std::chrono::sys_time<std::chrono::microseconds>;

class Row {
public:
    Row(const pg_result* result, int row) : result_(result), row_(row) {}

    bool is_null(int column) const;

    // The value of a column. T is bool, an integer (smallint, integer and bigint all convert), a strong id, double,
    // std::string, std::string_view (text, json, xml, name; uuid as its 36 characters only into std::string),
    // TimePoint, std::vector of integers or of std::string, or std::optional of these for a column that may be null.
    // Throws: db::Error (usage) when the column is null and T is not optional, or has another type.
    template <class T>
    T get(int column) const {
        if constexpr (is_optional<T>) {
            if (is_null(column)) return std::nullopt;
            return get<typename T::value_type>(column);
        } else if constexpr (std::is_enum_v<T>) {
            return static_cast<T>(get_integer(column));
        } else if constexpr (std::is_same_v<T, bool>) {
            return get_bool(column);
        } else if constexpr (std::is_integral_v<T>) {
            return static_cast<T>(get_integer(column));
        } else if constexpr (std::is_same_v<T, double>) {
            return get_double(column);
        } else if constexpr (std::is_same_v<T, std::string>) {
            return get_string(column);
        } else if constexpr (std::is_same_v<T, std::string_view>) {
            return get_text(column);
        } else if constexpr (std::is_same_v<T, TimePoint>) {
            return get_time(column);
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            return get_strings(column);
        } else {
            T values;
            for (const std::int64_t number : get_integers(column)) {
                values.push_back(static_cast<typename T::value_type>(number));
            }
            return values;
        }
    }

private:
    template <class T>
    static constexpr bool is_optional = false;
    template <class T>
    static constexpr bool is_optional<std::optional<T>> = true;

    bool get_bool(int column) const;
    std::int64_t get_integer(int column) const;
    double get_double(int column) const;
    std::string get_string(int column) const;
    std::string_view get_text(int column) const;
    TimePoint get_time(int column) const;
    std::vector<std::int64_t> get_integers(int column) const;
    std::vector<std::string> get_strings(int column) const;

    const pg_result* result_;
    int row_;
};

class Rows {
public:
    Rows() = default;
    explicit Rows(std::shared_ptr<const pg_result> result);

    int size() const { return size_; }
    bool empty() const { return size_ == 0; }
    Row operator[](int row) const { return {result_.get(), row}; }
    Row front() const { return {result_.get(), 0}; }
    std::int64_t affected() const;     // rows that the statement inserted, updated, deleted or selected
    std::string_view command() const;  // the command tag: "INSERT 0 1", "COMMIT"
    int columns() const;
    std::string_view column_name(int column) const;

    class Iterator {
    public:
        using value_type = Row;
        using difference_type = int;
        Iterator() = default;
        Iterator(const pg_result* result, int row) : result_(result), row_(row) {}
        Row operator*() const { return {result_, row_}; }
        Iterator& operator++() {
            ++row_;
            return *this;
        }
        Iterator operator++(int) { return {result_, row_++}; }
        bool operator==(const Iterator&) const = default;

    private:
        const pg_result* result_ = nullptr;
        int row_ = 0;
    };
    Iterator begin() const { return {result_.get(), 0}; }
    Iterator end() const { return {result_.get(), size_}; }

private:
    std::shared_ptr<const pg_result> result_;
    int size_ = 0;
};

// The rows as values: function(Row) -> T, in order.
template <class Function>
auto map_rows(const Rows& rows, Function function) {
    std::vector<decltype(function(rows.front()))> values;
    values.reserve(static_cast<std::size_t>(rows.size()));
    for (const Row row : rows) values.push_back(function(row));
    return values;
}

}  // namespace db
