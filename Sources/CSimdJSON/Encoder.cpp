// Columns to JSON and CSV text, row by row. Callers reserve what `…_bound` says; nothing is checked while writing.
#include "Values.hpp"

namespace weir {

using Out = uint8_t *;

const char kPairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657"
    "585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

inline void writePair(Out out, unsigned value) { std::memcpy(out, kPairs + 2 * value, 2); }

/// Writes the digits of `value` so that they end before `end`; returns where they start.
inline Out writeDigits(uint64_t value, Out end) {
  while (value >= 100) {
    end -= 2;
    writePair(end, unsigned(value % 100));
    value /= 100;
  }
  if (value >= 10) {
    end -= 2;
    writePair(end, unsigned(value));
  } else {
    *--end = uint8_t('0' + value);
  }
  return end;
}

/// Copies `[start, end)` to `out`; at most 48 bytes.
inline Out move(Out out, const uint8_t *start, const uint8_t *end) {
  size_t length = size_t(end - start);
  std::memcpy(out, start, length);
  return out + length;
}

inline Out writeInt64(Out out, int64_t value) {
  if (value < 0) *out++ = '-';
  uint8_t digits[24];
  uint64_t magnitude = value < 0 ? 0 - uint64_t(value) : uint64_t(value);
  return move(out, writeDigits(magnitude, digits + 24), digits + 24);
}

/// Digits with a point before the last `scale` of them, at least one before the point.
inline Out placePoint(Out out, uint8_t *start, uint8_t *end, unsigned scale) {
  while (end - start < ptrdiff_t(scale) + 1) *--start = '0';
  out = move(out, start, end - scale);
  if (scale == 0) return out;
  *out++ = '.';
  return move(out, end - scale, end);
}

inline Out writeDecimal64(Out out, int64_t value, unsigned scale) {
  if (value < 0) *out++ = '-';
  uint8_t digits[48];
  uint64_t magnitude = value < 0 ? 0 - uint64_t(value) : uint64_t(value);
  return placePoint(out, writeDigits(magnitude, digits + 48), digits + 48, scale);
}

inline Out writeDecimal128(Out out, Int128 value, unsigned scale) {
  if (value < 0) *out++ = '-';
  UInt128 magnitude = value < 0 ? 0 - UInt128(value) : UInt128(value);
  uint8_t digits[96];
  uint8_t *start = digits + 96;
  while (magnitude > UINT64_MAX) {
    auto low = uint64_t(magnitude % kPowersOfTen[18]);
    magnitude /= kPowersOfTen[18];
    uint8_t *begin = start - 18;
    start = writeDigits(low, start);
    while (start > begin) *--start = '0';
  }
  start = writeDigits(uint64_t(magnitude), start);
  return placePoint(out, start, digits + 96, scale);
}

/// The shortest text that reads back as the same double; `null` for what is no number.
inline Out writeDouble(Out out, double value) {
  if (!std::isfinite(value)) return move(out, Text("null"), Text("null") + 4);
  auto text = reinterpret_cast<char *>(out);
  return reinterpret_cast<Out>(std::to_chars(text, text + 32, value).ptr);
}

/// The inverse of `daysFromCivil`; writes `YYYY-MM-DD`.
inline void writeTenByteDate(Out out, int64_t days) {
  auto shifted = uint64_t(days + 719468);
  uint64_t era = shifted / 146097, dayOfEra = shifted % 146097;
  uint64_t yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365;
  uint64_t dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  uint64_t shiftedMonth = (5 * dayOfYear + 2) / 153;
  auto day = unsigned(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1);
  auto month = unsigned(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9);
  auto year = unsigned(yearOfEra + era * 400 + (month <= 2));
  writePair(out, year / 100 % 100);
  writePair(out + 2, year % 100);
  out[4] = out[7] = '-';
  writePair(out + 5, month);
  writePair(out + 8, day);
}

inline Out writeTimestamp(Out out, int64_t time) {
  int64_t day = (time >= 0 ? time : time - (kMillisecondsPerDay - 1)) / kMillisecondsPerDay;
  auto millisecond = unsigned(time - day * kMillisecondsPerDay);
  unsigned seconds = millisecond / 1000;
  writeTenByteDate(out, day);
  out[10] = 'T';
  writePair(out + 11, seconds / 3600);
  out[13] = out[16] = ':';
  writePair(out + 14, seconds / 60 % 60);
  writePair(out + 17, seconds % 60);
  out[19] = '.';
  out[20] = uint8_t('0' + millisecond % 1000 / 100);
  writePair(out + 21, millisecond % 100);
  out[23] = 'Z';
  return out + 24;
}

/// Whether none of eight bytes needs an escape: no control character, quote or backslash.
inline bool isPlain(uint64_t word) {
  constexpr uint64_t ones = 0x0101010101010101ull, high = 0x8080808080808080ull;
  uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
  uint64_t odd = (word - ones * 0x20) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
  return ((odd & ~word) & high) == 0;
}

inline Out writeEscaped(Out out, uint8_t byte) {
  *out++ = '\\';
  switch (byte) {
    case '"': case '\\': *out++ = byte; return out;
    case '\b': *out++ = 'b'; return out;
    case '\f': *out++ = 'f'; return out;
    case '\n': *out++ = 'n'; return out;
    case '\r': *out++ = 'r'; return out;
    case '\t': *out++ = 't'; return out;
    default:
      std::memcpy(out, "u00", 3);
      out[3] = uint8_t('0' + (byte >> 4));
      out[4] = uint8_t("0123456789abcdef"[byte & 15]);
      return out + 5;
  }
}

inline Out writeJSONText(Out out, Text text, size_t length) {
  *out++ = '"';
  Text end = text + length;
  while (text != end) {
    if (end - text >= 8 && isPlain(load8(text))) {
      std::memcpy(out, text, 8);
      text += 8;
      out += 8;
      continue;
    }
    Text stop = end - text >= 8 ? text + 8 : end;
    for (; text != stop; ++text) {
      if (*text < 0x20 || *text == '"' || *text == '\\') out = writeEscaped(out, *text);
      else *out++ = *text;
    }
  }
  *out++ = '"';
  return out;
}

/// Writes a CSV cell, quoted where its text or its emptiness (null otherwise) asks for it.
inline Out writeCSVText(Out out, Text text, size_t length, uint8_t delimiter, uint8_t quote) {
  bool isQuoted = length == 0 || text[0] == 0xEF;  // a byte-order mark would be taken for one
  for (size_t index = 0; index < length && !isQuoted; ++index) {
    isQuoted = text[index] == delimiter || text[index] == quote || text[index] == '\n' || text[index] == '\r';
  }
  if (!isQuoted) {
    if (length) std::memcpy(out, text, length);
    return out + length;
  }
  *out++ = quote;
  for (size_t index = 0; index < length; ++index) {
    if (text[index] == quote) *out++ = quote;
    *out++ = text[index];
  }
  *out++ = quote;
  return out;
}

inline bool isValid(const weir_output &column, size_t row) {
  return !column.validity || (column.validity[row >> 3] >> (row & 7) & 1);
}

template <typename Value>
inline Value valueAt(const weir_output &column, size_t row) {
  return static_cast<const Value *>(column.values)[row];
}

inline Out writeNumber(Out out, const weir_output &column, size_t row) {
  switch (column.kind) {
    case WEIR_KIND_INT64: return writeInt64(out, valueAt<int64_t>(column, row));
    case WEIR_KIND_DOUBLE: return writeDouble(out, valueAt<double>(column, row));
    case WEIR_KIND_DECIMAL64: return writeDecimal64(out, valueAt<int64_t>(column, row), column.scale);
    case WEIR_KIND_DECIMAL128: {
      Int128 value;
      std::memcpy(&value, static_cast<const uint8_t *>(column.values) + row * 16, 16);
      return writeDecimal128(out, value, column.scale);
    }
    default: {
      bool value = valueAt<uint8_t>(column, row) != 0;
      std::memcpy(out, value ? "true\0" : "false", 5);
      return out + (value ? 4 : 5);
    }
  }
}

inline Out writeJSONValue(Out out, const weir_output &column, size_t row) {
  switch (column.kind) {
    case WEIR_KIND_STRING: {
      auto view = valueAt<uint64_t>(column, row);
      return writeJSONText(out, column.bytes + (view >> 32), view & 0xFFFFFFFF);
    }
    case WEIR_KIND_BYTES: {
      auto view = valueAt<uint64_t>(column, row);
      *out++ = '"';
      out += weir_base64_encode(column.bytes + (view >> 32), view & 0xFFFFFFFF, out);
      *out++ = '"';
      return out;
    }
    case WEIR_KIND_DATE:
      *out = '"';
      writeTenByteDate(out + 1, valueAt<int64_t>(column, row));
      out[11] = '"';
      return out + 12;
    case WEIR_KIND_TIMESTAMP:
      *out = '"';
      writeTimestamp(out + 1, valueAt<int64_t>(column, row));
      out[25] = '"';
      return out + 26;
    default:
      return writeNumber(out, column, row);
  }
}

inline Out writeCSVValue(Out out, const weir_output &column, size_t row, uint8_t delimiter, uint8_t quote) {
  uint8_t cell[64];
  Out end;
  switch (column.kind) {
    case WEIR_KIND_STRING: {
      auto view = valueAt<uint64_t>(column, row);
      return writeCSVText(out, column.bytes + (view >> 32), view & 0xFFFFFFFF, delimiter, quote);
    }
    case WEIR_KIND_BYTES: {
      auto view = valueAt<uint64_t>(column, row);
      *out++ = quote;
      out += weir_base64_encode(column.bytes + (view >> 32), view & 0xFFFFFFFF, out);
      *out++ = quote;
      return out;
    }
    case WEIR_KIND_DATE:
      writeTenByteDate(cell, valueAt<int64_t>(column, row));
      end = cell + 10;
      break;
    case WEIR_KIND_TIMESTAMP:
      end = writeTimestamp(cell, valueAt<int64_t>(column, row));
      break;
    default:
      end = writeNumber(cell, column, row);
  }
  return writeCSVText(out, cell, size_t(end - cell), delimiter, quote);
}

/// The most bytes one value takes, quotes included; `growth` is what a text byte can become.
inline size_t boundOf(const weir_output &column, size_t from, size_t to, size_t growth) {
  size_t bound = (to - from) * (column.prefix_length + 64);
  if (column.kind != WEIR_KIND_STRING && column.kind != WEIR_KIND_BYTES) return bound * (growth > 2 ? 1 : 2);
  for (size_t row = from; row < to; ++row) bound += growth * (valueAt<uint64_t>(column, row) & 0xFFFFFFFF);
  return bound;
}

inline size_t boundOf(const weir_output *columns, size_t columnCount, size_t from, size_t to, size_t growth) {
  size_t bound = (to - from) * 8;
  for (size_t index = 0; index < columnCount; ++index) bound += boundOf(columns[index], from, to, growth);
  return bound;
}

}  // namespace weir

using namespace weir;

extern "C" {

size_t weir_json_encode_bound(const weir_output *columns, size_t column_count, size_t from, size_t to) {
  return boundOf(columns, column_count, from, to, 6);
}

size_t weir_csv_encode_bound(const weir_output *columns, size_t column_count, size_t from, size_t to) {
  return boundOf(columns, column_count, from, to, 2);
}

size_t weir_json_encode(const weir_output *columns, size_t column_count, size_t from, size_t to, uint8_t *out) {
  uint8_t *start = out;
  for (size_t row = from; row < to; ++row) {
    if (column_count == 0) *out++ = '{';
    for (const weir_output *column = columns; column != columns + column_count; ++column) {
      std::memcpy(out, column->prefix, column->prefix_length);
      out += column->prefix_length;
      if (isValid(*column, row)) {
        out = writeJSONValue(out, *column, row);
      } else {
        std::memcpy(out, "null", 4);
        out += 4;
      }
    }
    *out++ = '}';
    *out++ = '\n';
  }
  return size_t(out - start);
}

size_t weir_csv_encode(
    const weir_output *columns, size_t column_count, size_t from, size_t to, uint8_t delimiter, uint8_t quote,
    uint8_t *out) {
  uint8_t *start = out;
  for (size_t row = from; row < to; ++row) {
    for (size_t index = 0; index < column_count; ++index) {
      if (index > 0) *out++ = delimiter;
      if (isValid(columns[index], row)) out = writeCSVValue(out, columns[index], row, delimiter, quote);
    }
    *out++ = '\n';
  }
  return size_t(out - start);
}

size_t weir_json_quote(const uint8_t *text, size_t length, uint8_t *out) {
  return size_t(writeJSONText(out, text, length) - out);
}

size_t weir_csv_quote(const uint8_t *text, size_t length, uint8_t delimiter, uint8_t quote, uint8_t *out) {
  return size_t(writeCSVText(out, text, length, delimiter, quote) - out);
}

}  // extern "C"
