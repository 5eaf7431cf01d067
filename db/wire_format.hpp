#pragma once

// PostgreSQL's binary formats: big-endian numbers, and the type numbers that matter here (catalog/pg_type.dat).

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

namespace db::wire {

inline constexpr std::uint32_t bool_oid = 16;
inline constexpr std::uint32_t name_oid = 19;
inline constexpr std::uint32_t int8_oid = 20;
inline constexpr std::uint32_t int2_oid = 21;
inline constexpr std::uint32_t int4_oid = 23;
inline constexpr std::uint32_t text_oid = 25;
inline constexpr std::uint32_t oid_oid = 26;
inline constexpr std::uint32_t json_oid = 114;
inline constexpr std::uint32_t float4_oid = 700;
inline constexpr std::uint32_t float8_oid = 701;
inline constexpr std::uint32_t unknown_oid = 705;
inline constexpr std::uint32_t bpchar_oid = 1042;
inline constexpr std::uint32_t varchar_oid = 1043;
inline constexpr std::uint32_t timestamptz_oid = 1184;
inline constexpr std::uint32_t uuid_oid = 2950;
inline constexpr std::uint32_t jsonb_oid = 3802;
inline constexpr std::uint32_t int2_array_oid = 1005;
inline constexpr std::uint32_t int4_array_oid = 1007;
inline constexpr std::uint32_t text_array_oid = 1009;
inline constexpr std::uint32_t int8_array_oid = 1016;

// Microseconds from the Unix epoch to 2000-01-01, the server's.
inline constexpr std::int64_t epoch_offset = 946'684'800'000'000;

template <std::integral T>
T swap_bytes(T value) {
    if constexpr (std::endian::native == std::endian::little && sizeof(T) > 1) {
        using Unsigned = std::make_unsigned_t<T>;
        auto bits = static_cast<Unsigned>(value);
        Unsigned swapped = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            swapped = static_cast<Unsigned>((swapped << 8) | (bits & 0xff));
            bits = static_cast<Unsigned>(bits >> 8);
        }
        return static_cast<T>(swapped);
    } else {
        return value;
    }
}

template <class T>
void append(std::string& bytes, T value) {
    if constexpr (std::is_same_v<T, double>) {
        append(bytes, std::bit_cast<std::int64_t>(value));
    } else {
        const T swapped = swap_bytes(value);
        bytes.append(reinterpret_cast<const char*>(&swapped), sizeof swapped);
    }
}

template <class T>
T read(const char* bytes) {
    if constexpr (std::is_same_v<T, double>) {
        return std::bit_cast<double>(read<std::int64_t>(bytes));
    } else {
        T value;
        std::memcpy(&value, bytes, sizeof value);
        return swap_bytes(value);
    }
}

}  // namespace db::wire
