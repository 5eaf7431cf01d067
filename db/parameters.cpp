#include "db/parameters.hpp"

#include "db/wire_format.hpp"

namespace db {

namespace {
constexpr int text_format = 0;
constexpr int binary_format = 1;
constexpr std::int32_t null_length = -1;

// A one-dimensional array: dimensions, null flag, element type, then length and lower bound. Empty: no dimension.
void append_array_head(std::string& bytes, std::size_t size, std::uint32_t element_type, bool has_nulls) {
    wire::append<std::int32_t>(bytes, size == 0 ? 0 : 1);
    wire::append<std::int32_t>(bytes, has_nulls ? 1 : 0);
    wire::append(bytes, element_type);
    if (size == 0) return;
    wire::append(bytes, static_cast<std::int32_t>(size));
    wire::append<std::int32_t>(bytes, 1);
}

void append_text(std::string& bytes, std::string_view text) {
    wire::append(bytes, static_cast<std::int32_t>(text.size()));
    bytes += text;
}
}  // namespace

std::size_t Parameters::begin() {
    return bytes_.size();
}

void Parameters::end(std::size_t offset, int format) {
    const auto length = static_cast<int>(bytes_.size() - offset);
    bytes_ += '\0';  // text parameters are C strings
    slots_.push_back({offset, length, format});
}

void Parameters::add(std::int64_t value) {
    const std::size_t offset = begin();
    wire::append(bytes_, value);
    end(offset, binary_format);
}

void Parameters::add(std::int32_t value) {
    const std::size_t offset = begin();
    wire::append(bytes_, value);
    end(offset, binary_format);
}

void Parameters::add(std::int16_t value) {
    const std::size_t offset = begin();
    wire::append(bytes_, value);
    end(offset, binary_format);
}

void Parameters::add(double value) {
    const std::size_t offset = begin();
    wire::append(bytes_, value);
    end(offset, binary_format);
}

void Parameters::add(bool value) {
    const std::size_t offset = begin();
    bytes_ += value ? '\1' : '\0';
    end(offset, binary_format);
}

void Parameters::add(std::string_view text) {
    const std::size_t offset = begin();
    bytes_ += text;
    end(offset, text_format);
}

template <class T>
void Parameters::add_numbers(std::span<const T> values, std::uint32_t element_type) {
    const std::size_t offset = begin();
    bytes_.reserve(offset + 20 + values.size() * (sizeof(T) + 4));
    append_array_head(bytes_, values.size(), element_type, false);
    for (const T value : values) {
        wire::append(bytes_, static_cast<std::int32_t>(sizeof(T)));
        wire::append(bytes_, value);
    }
    end(offset, binary_format);
}

void Parameters::add(std::span<const std::int64_t> values) {
    add_numbers(values, wire::int8_oid);
}
void Parameters::add(std::span<const std::int32_t> values) {
    add_numbers(values, wire::int4_oid);
}
void Parameters::add(std::span<const std::int16_t> values) {
    add_numbers(values, wire::int2_oid);
}
void Parameters::add(std::span<const double> values) {
    add_numbers(values, wire::float8_oid);
}

void Parameters::add(std::span<const std::string> values) {
    const std::size_t offset = begin();
    append_array_head(bytes_, values.size(), wire::text_oid, false);
    for (const std::string& value : values) append_text(bytes_, value);
    end(offset, binary_format);
}

void Parameters::add(std::span<const std::optional<std::string>> values) {
    const std::size_t offset = begin();
    append_array_head(bytes_, values.size(), wire::text_oid, true);
    for (const std::optional<std::string>& value : values) {
        if (value) {
            append_text(bytes_, *value);
        } else {
            wire::append(bytes_, null_length);
        }
    }
    end(offset, binary_format);
}

void Parameters::add(const std::vector<bool>& values) {
    const std::size_t offset = begin();
    append_array_head(bytes_, values.size(), wire::bool_oid, false);
    for (const bool value : values) {
        wire::append<std::int32_t>(bytes_, 1);
        bytes_ += value ? '\1' : '\0';
    }
    end(offset, binary_format);
}

void Parameters::add(std::nullopt_t) {
    slots_.push_back({0, null_length, text_format});
}

void Parameters::fill(View& view) const {
    view.values.clear();
    view.lengths.clear();
    view.formats.clear();
    for (const Slot& slot : slots_) {
        view.values.push_back(slot.length == null_length ? nullptr : bytes_.data() + slot.offset);
        view.lengths.push_back(slot.length == null_length ? 0 : slot.length);
        view.formats.push_back(slot.format);
    }
}

}  // namespace db
