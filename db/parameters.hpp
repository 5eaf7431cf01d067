#pragma once

// Parameters of a statement, encoded as libpq wants them: numbers and arrays in binary, text as text.
//
// The type that the server infers for $n must be the one sent: std::int64_t is bigint, std::int32_t integer,
// std::int16_t smallint, double float8, bool boolean; their vectors are bigint[], integer[] and so on, and vectors of
// strings are text[]. A string is sent in text form and fits every type ($1::json, $1::uuid, $1::timestamptz).
// Seconds as double make intervals: make_interval(secs => $1).

#include <boost/container/small_vector.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace db {

class Parameters {
public:
    Parameters() = default;
    template <class... T>
    explicit Parameters(const T&... values) {
        slots_.reserve(sizeof...(values));
        (add(values), ...);
    }

    void add(std::int64_t value);
    void add(std::int32_t value);
    void add(std::int16_t value);
    void add(double value);
    void add(bool value);
    void add(std::string_view text);
    void add(const std::string& text) { add(std::string_view(text)); }
    void add(const char* text) { add(std::string_view(text)); }
    void add(std::span<const std::int64_t> values);
    void add(std::span<const std::int32_t> values);
    void add(std::span<const std::int16_t> values);
    void add(std::span<const double> values);
    void add(std::span<const std::string> values);
    void add(std::span<const std::optional<std::string>> values);  // text[] with nulls
    void add(const std::vector<bool>& values);
    void add(std::nullopt_t);

    template <class T>
        requires std::is_enum_v<T>  // strong ids are sent as their number
    void add(T id) {
        add(static_cast<std::underlying_type_t<T>>(id));
    }
    template <class T>
    void add(const std::optional<T>& value) {
        if (value) {
            add(*value);
        } else {
            add(std::nullopt);
        }
    }
    template <class T>
    void add(const std::vector<T>& values) {
        if constexpr (std::is_enum_v<T>) {
            using Number = std::underlying_type_t<T>;
            add(std::vector<Number>(
                reinterpret_cast<const Number*>(values.data()),
                reinterpret_cast<const Number*>(values.data()) + values.size()
            ));
        } else {
            add(std::span<const T>(values));
        }
    }

    // The arrays that PQsendQueryPrepared takes. Valid until the next add(); used again for the next statement.
    struct View {
        std::vector<const char*> values;
        std::vector<int> lengths;
        std::vector<int> formats;
    };
    void fill(View& view) const;
    int size() const { return static_cast<int>(slots_.size()); }

private:
    struct Slot {
        std::size_t offset;
        int length;  // -1: null
        int format;  // 0 text, 1 binary
    };
    template <class T>
    void add_numbers(std::span<const T> values, std::uint32_t element_type);
    std::size_t begin();
    void end(std::size_t offset, int format);

    std::string bytes_;
    boost::container::small_vector<Slot, 8> slots_;
};

}  // namespace db
