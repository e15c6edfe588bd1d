// Readers of single values. Each takes the exact text of a value, reads all of it or fails, and returns a WEIR_ reason.
// Eight bytes behind the text must be readable. Shared by JSON and CSV.
#pragma once

#include "include/CSimdJSON.h"

#include <charconv>
#include <cmath>
#include <cstring>

#define WEIR_LIKELY(x) __builtin_expect(!!(x), 1)
#define WEIR_UNLIKELY(x) __builtin_expect(!!(x), 0)

namespace weir {

using Reason = uint32_t;
using Int128 = __int128;
using UInt128 = unsigned __int128;
using Text = const uint8_t *;

constexpr int64_t kEarliestTime = -62135596800000;  // 0001-01-01T00:00:00.000Z
constexpr int64_t kLatestTime = 253402300799999;    // 9999-12-31T23:59:59.999Z
constexpr int64_t kMillisecondsPerDay = 86400000;

inline uint64_t load8(Text text) {
  uint64_t word;
  std::memcpy(&word, text, 8);
  return word;
}

inline bool isDigit(uint8_t byte) { return uint8_t(byte - '0') <= 9; }

/// Whether `[text, end)` is a number by JSON's grammar.
inline bool isNumber(Text text, Text end) {
  if (text != end && *text == '-') ++text;
  if (text == end || !isDigit(*text)) return false;
  if (*text++ == '0') {
    if (text != end && isDigit(*text)) return false;
  } else {
    while (text != end && isDigit(*text)) ++text;
  }
  if (text != end && *text == '.') {
    Text first = ++text;
    while (text != end && isDigit(*text)) ++text;
    if (text == first) return false;
  }
  if (text != end && (*text | 0x20) == 'e') {
    ++text;
    if (text != end && (*text == '+' || *text == '-')) ++text;
    Text first = text;
    while (text != end && isDigit(*text)) ++text;
    if (text == first) return false;
  }
  return text == end;
}

constexpr uint64_t kPowersOfTen[] = {
    1ull, 10ull, 100ull, 1000ull, 10000ull, 100000ull, 1000000ull, 10000000ull, 100000000ull, 1000000000ull,
    10000000000ull, 100000000000ull, 1000000000000ull, 10000000000000ull, 100000000000000ull, 1000000000000000ull,
    10000000000000000ull, 100000000000000000ull, 1000000000000000000ull};

inline UInt128 powerOfTen(unsigned exponent) {
  if (exponent <= 18) return kPowersOfTen[exponent];
  if (exponent <= 36) return UInt128(kPowersOfTen[18]) * kPowersOfTen[exponent - 18];
  return UInt128(kPowersOfTen[18]) * kPowersOfTen[18] * kPowersOfTen[exponent - 36];
}

/// Where the digits of a number stand, as powers of ten.
struct Digits {
  UInt128 mantissa = 0;  // without trailing zeros; meaningless above 38 digits
  int64_t highest = 0;
  int64_t lowest = 0;
  bool isZero = true;
  bool isNegative = false;
};

/// Reads the digits of a well-formed number of any length.
inline Digits readDigits(Text text, Text end) {
  Digits digits;
  if (*text == '-') {
    digits.isNegative = true;
    ++text;
  }
  int64_t position = 0, point = -1, first = -1, last = -1;
  for (; text != end; ++text) {
    if (*text == '.') {
      point = position;
      continue;
    }
    if (!isDigit(*text)) break;
    if (*text != '0') {
      if (first < 0) first = last = position;
      if (position - first < 38) digits.mantissa = digits.mantissa * powerOfTen(unsigned(position - last)) + (*text - '0');
      last = position;
    }
    ++position;
  }
  if (point < 0) point = position;
  int64_t exponent = 0;
  if (text != end) {
    ++text;
    bool negative = *text == '-';
    if (negative || *text == '+') ++text;
    for (; text != end; ++text) {
      if (exponent < 1000000000) exponent = exponent * 10 + (*text - '0');
    }
    if (negative) exponent = -exponent;
  }
  digits.isZero = first < 0;
  digits.highest = point - 1 - first + exponent;
  digits.lowest = point - 1 - last + exponent;
  return digits;
}

/// Any number as decimal(precision, scale), exactly.
inline Reason readLongDecimal(Text text, Text end, unsigned precision, unsigned scale, Int128 &value) {
  if (!isNumber(text, end)) return WEIR_BAD_NUMBER;
  Digits digits = readDigits(text, end);
  if (digits.isZero) {
    value = 0;
    return WEIR_OK;
  }
  if (digits.lowest + int64_t(scale) < 0) return WEIR_LOSES_DIGITS;
  if (digits.highest + int64_t(scale) + 1 > int64_t(precision)) return WEIR_OUT_OF_RANGE;
  UInt128 unscaled = digits.mantissa * powerOfTen(unsigned(digits.lowest + int64_t(scale)));
  value = digits.isNegative ? -Int128(unscaled) : Int128(unscaled);
  return WEIR_OK;
}

/// The decimal digits at the front of eight bytes, as a count and a number.
struct DigitRun {
  unsigned count;
  uint64_t value;  // meaningless when the count is 0
};

/// Reads up to eight digits without a branch on how many there are.
inline DigitRun readDigitRun(Text text) {
  uint64_t digits = load8(text) ^ 0x3030303030303030ull;
  // The lowest byte that is no digit is found rightly; carries disturb only what lies above it.
  uint64_t others = ((digits + 0x7676767676767676ull) | digits) & 0x8080808080808080ull;
  unsigned count = others ? unsigned(__builtin_ctzll(others)) >> 3 : 8;
  uint64_t value = digits << ((64 - 8 * count) & 63);
  value = (value * 10 + (value >> 8)) & 0x00FF00FF00FF00FFull;
  value = (value * 100 + (value >> 16)) & 0x0000FFFF0000FFFFull;
  value = (value * 10000 + (value >> 32)) & 0xFFFFFFFFull;
  return {count, value};
}

/// Appends the digits at `text` to `value` and moves behind them; returns how many, at most 19 (value is then 19 digits).
inline unsigned readDigits(Text &text, uint64_t &value) {
  DigitRun run = readDigitRun(text);
  text += run.count;
  if (WEIR_LIKELY(run.count < 8)) {
    value = run.count ? value * kPowersOfTen[run.count] + run.value : value;
    return run.count;
  }
  value = value * kPowersOfTen[8] + run.value;
  unsigned count = 8;
  while (isDigit(*text) && count < 19) {
    value = value * 10 + (*text++ - '0');
    ++count;
  }
  return count;
}

/// A decimal of at most eight bytes without a sign, without a branch on how many digits it has and where its point is. False
/// where `readShortDecimal` has to decide.
inline bool readPackedDecimal(Text text, size_t length, unsigned scale, int64_t &value) {
  if (length - 1 > 7) return false;
  unsigned missing = 8 - unsigned(length);
  // The first digit has the lowest byte: zeros shifted in below are leading zeros.
  uint64_t digits = (load8(text) ^ 0x3030303030303030ull) << (8 * missing);
  uint64_t toPoint = digits ^ 0x1E1E1E1E1E1E1E1Eull;  // '.' ^ '0'
  uint64_t points = (toPoint - 0x0101010101010101ull) & ~toPoint & 0x8080808080808080ull;
  unsigned point = 8;
  if (WEIR_LIKELY(points != 0)) {
    point = unsigned(__builtin_ctzll(points)) >> 3;
    uint64_t above = (~0ull << 7 << 1) << (8 * point);  // the bytes of the fraction; none at 7
    digits = (digits & above) | ((digits & ~(above | 0xFFull << (8 * point))) << 8);
    if (point == 7) return false;
  }
  unsigned fraction = point == 8 ? 0 : 7 - point;
  unsigned whole = point - missing;
  bool isOdd = (((digits + 0x7676767676767676ull) | digits) & 0x8080808080808080ull) != 0;
  if (isOdd || whole - 1 > 7 || (*text == '0' && whole > 1) || fraction > scale || whole + scale > 18) return false;
  digits = (digits * 10 + (digits >> 8)) & 0x00FF00FF00FF00FFull;
  digits = (digits * 100 + (digits >> 16)) & 0x0000FFFF0000FFFFull;
  digits = (digits * 10000 + (digits >> 32)) & 0xFFFFFFFFull;
  value = int64_t(digits * kPowersOfTen[scale - fraction]);
  return true;
}

/// The common decimals: no exponent, at most 18 digits once scaled. False where the long way has to decide.
inline bool readShortDecimal(Text text, Text end, unsigned scale, int64_t &value) {
  if (WEIR_LIKELY(readPackedDecimal(text, size_t(end - text), scale, value))) return true;
  bool negative = *text == '-';
  text += negative;
  Text first = text;
  uint64_t digits = 0;
  unsigned whole = readDigits(text, digits), fraction = 0;
  if (whole == 0 || whole + scale > 18 || (*first == '0' && whole > 1)) return false;
  if (text != end) {
    if (*text != '.') return false;
    ++text;
    fraction = readDigits(text, digits);
    if (text != end || fraction == 0 || fraction > scale) return false;
    digits *= kPowersOfTen[scale - fraction];
  } else {
    digits *= kPowersOfTen[scale];
  }
  value = negative ? -int64_t(digits) : int64_t(digits);
  return true;
}

inline Reason readDecimal64(Text text, Text end, unsigned precision, unsigned scale, int64_t &value) {
  if (WEIR_LIKELY(readShortDecimal(text, end, scale, value))) {
    uint64_t magnitude = value < 0 ? uint64_t(-value) : uint64_t(value);
    return magnitude < kPowersOfTen[precision] ? WEIR_OK : WEIR_OUT_OF_RANGE;
  }
  Int128 wide = 0;
  Reason reason = readLongDecimal(text, end, precision, scale, wide);
  value = int64_t(wide);
  return reason;
}

inline Reason readDecimal128(Text text, Text end, unsigned precision, unsigned scale, Int128 &value) {
  int64_t narrow;
  if (WEIR_LIKELY(readShortDecimal(text, end, scale, narrow))) {
    value = narrow;
    return WEIR_OK;
  }
  return readLongDecimal(text, end, precision, scale, value);
}

/// A whole number. An exponent is accepted where the value is whole (`1e2`), a point never is (`1.0`).
inline Reason readInt64(Text text, Text end, int64_t &value) {
  if (WEIR_LIKELY(readShortDecimal(text, end, 0, value))) return WEIR_OK;
  if (!isNumber(text, end)) return WEIR_BAD_NUMBER;
  if (std::memchr(text, '.', size_t(end - text))) return WEIR_HAS_FRACTION;
  Int128 wide = 0;
  Reason reason = readLongDecimal(text, end, 19, 0, wide);
  if (reason == WEIR_LOSES_DIGITS) return WEIR_HAS_FRACTION;
  if (reason != WEIR_OK) return reason;
  if (wide < INT64_MIN || wide > INT64_MAX) return WEIR_OUT_OF_RANGE;
  value = int64_t(wide);
  return WEIR_OK;
}

/// The double nearest to any number; beyond the largest it fails, below the smallest it is zero.
inline Reason readLongDouble(Text text, Text end, double &value) {
  if (!isNumber(text, end)) return WEIR_BAD_NUMBER;
  auto result = std::from_chars(reinterpret_cast<const char *>(text), reinterpret_cast<const char *>(end), value);
  if (result.ec == std::errc() && !std::isinf(value)) return WEIR_OK;
  Digits digits = readDigits(text, end);
  if (!digits.isZero && digits.highest >= 0) return WEIR_OUT_OF_RANGE;
  value = digits.isNegative ? -0.0 : 0.0;
  return WEIR_OK;
}

/// Exact where mantissa and power of ten are both doubles (Clinger's fast path), else the long way.
inline Reason readDouble(Text text, Text end, double &value) {
  static constexpr double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  Text start = text;
  bool negative = text != end && *text == '-';
  if (negative) ++text;
  Text first = text;
  uint64_t digits = 0;
  while (text != end && isDigit(*text)) digits = digits * 10 + (*text++ - '0');
  ptrdiff_t whole = text - first, fraction = 0;
  if (whole == 0 || (*first == '0' && whole > 1)) return WEIR_BAD_NUMBER;
  if (text != end && *text == '.') {
    Text firstFraction = ++text;
    while (text != end && isDigit(*text)) digits = digits * 10 + (*text++ - '0');
    fraction = text - firstFraction;
    if (fraction == 0) return WEIR_BAD_NUMBER;
  }
  if (WEIR_UNLIKELY(text != end || whole + fraction > 18 || digits > (1ull << 53))) {
    return readLongDouble(start, end, value);
  }
  value = double(digits) / powers[fraction];
  if (negative) value = -value;
  return WEIR_OK;
}

/// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"); years from 1 on.
inline int64_t daysFromCivil(unsigned year, unsigned month, unsigned day) {
  unsigned shifted = month <= 2 ? year - 1 : year;
  unsigned era = shifted / 400;
  unsigned yearOfEra = shifted - era * 400;
  unsigned dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  unsigned dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return int64_t(era) * 146097 + int64_t(dayOfEra) - 719468;
}

inline unsigned daysInMonth(unsigned year, unsigned month) {
  if (month == 2) return (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) ? 29 : 28;
  return (month == 4 || month == 6 || month == 9 || month == 11) ? 30 : 31;
}

/// Whether every byte of `word` is at most the same byte of `most`; bytes of `most` are below 128.
inline bool eachAtMost(uint64_t word, uint64_t most) {
  constexpr uint64_t high = 0x8080808080808080ull;
  return ((((word & ~high) + (~most & ~high)) | word) & high) == 0;
}

inline unsigned byteAt(uint64_t word, int index) { return unsigned(word >> (8 * index)) & 0xFF; }
inline unsigned pairAt(uint64_t word, int index) { return byteAt(word, index) * 10 + byteAt(word, index + 1); }

/// `YYYY-MM-DD`: the ten bytes at `text`. (All targets of this engine are little-endian.)
inline bool readTenByteDate(Text text, int64_t &day) {
  uint64_t word = load8(text) ^ load8(Text("0000-00-"));
  if (!eachAtMost(word, 0x0009090009090909ull) || !isDigit(text[8]) || !isDigit(text[9])) return false;
  unsigned year = pairAt(word, 0) * 100 + pairAt(word, 2), month = pairAt(word, 5);
  unsigned dayOfMonth = unsigned(text[8] - '0') * 10 + unsigned(text[9] - '0');
  if (year == 0 || month == 0 || month > 12 || dayOfMonth == 0 || dayOfMonth > daysInMonth(year, month)) return false;
  day = daysFromCivil(year, month, dayOfMonth);
  return true;
}

inline Reason readDate(Text text, Text end, int64_t &day) {
  return end - text == 10 && readTenByteDate(text, day) ? WEIR_OK : WEIR_BAD_DATE;
}

/// The last date that a column read: neighbours mostly share theirs.
struct DateMemo {
  uint64_t head = 0x2D31302D30373931;  // 1970-01-
  uint16_t tail = 0x3130;              // 01
  int64_t milliseconds = 0;
};

/// `.123`, digits beyond the third zero; nothing counts as zero.
inline bool readFraction(Text &text, Text end, int64_t &milliseconds) {
  milliseconds = 0;
  if (text == end || *text != '.') return true;
  Text first = ++text;
  for (; text != end && isDigit(*text); ++text) {
    if (text - first < 3) milliseconds = milliseconds * 10 + (*text - '0');
    else if (*text != '0') return false;
  }
  for (ptrdiff_t digits = text - first; digits < 3; ++digits) milliseconds *= 10;
  return text != first;
}

/// `Z` or `±hh:mm`, and nothing behind it.
inline bool readZone(Text text, Text end, int64_t &milliseconds) {
  if (text == end) return false;
  milliseconds = 0;
  if ((*text | 0x20) == 'z') return text + 1 == end;
  if ((*text != '+' && *text != '-') || end - text != 6 || text[3] != ':') return false;
  if (!isDigit(text[1]) || !isDigit(text[2]) || !isDigit(text[4]) || !isDigit(text[5])) return false;
  int hours = (text[1] - '0') * 10 + (text[2] - '0'), minutes = (text[4] - '0') * 10 + (text[5] - '0');
  if (hours > 23 || minutes > 59) return false;
  milliseconds = int64_t(hours * 60 + minutes) * (*text == '-' ? -60000 : 60000);
  return true;
}

inline bool readThreeDigits(Text text, int64_t &value) {
  unsigned first = text[0] - unsigned('0'), second = text[1] - unsigned('0'), third = text[2] - unsigned('0');
  value = int64_t(first * 100 + second * 10 + third);
  return first <= 9 && second <= 9 && third <= 9;
}

/// RFC 3339 with a zone, no digits lost beyond milliseconds, years 1 to 9999.
inline Reason readTimestamp(Text text, Text end, DateMemo &memo, int64_t &time) {
  if (end - text < 20) return WEIR_BAD_TIMESTAMP;
  uint64_t head = load8(text);
  uint16_t tail;
  std::memcpy(&tail, text + 8, 2);
  if (WEIR_UNLIKELY(head != memo.head || tail != memo.tail)) {
    int64_t day;
    if (!readTenByteDate(text, day)) return WEIR_BAD_TIMESTAMP;
    memo = {head, tail, day * kMillisecondsPerDay};
  }
  uint64_t clock = load8(text + 11) ^ load8(Text("00:00:00"));
  if ((text[10] | 0x20) != 't' || !eachAtMost(clock, 0x0909000909000909ull)) return WEIR_BAD_TIMESTAMP;
  unsigned hour = pairAt(clock, 0), minute = pairAt(clock, 3), second = pairAt(clock, 6);
  if (hour > 23 || minute > 59 || second > 59) return WEIR_BAD_TIMESTAMP;
  int64_t fraction, offset = 0;
  text += 19;
  if (WEIR_LIKELY(end - text == 5 && text[0] == '.' && text[4] == 'Z' && readThreeDigits(text + 1, fraction))) {
    // `.123Z`
  } else if (!readFraction(text, end, fraction) || !readZone(text, end, offset)) return WEIR_BAD_TIMESTAMP;
  time = memo.milliseconds + int64_t((hour * 60 + minute) * 60 + second) * 1000 + fraction - offset;
  return time >= kEarliestTime && time <= kLatestTime ? WEIR_OK : WEIR_OUT_OF_RANGE;
}

/// An integer of `unit` milliseconds since 1970.
inline Reason readEpoch(Text text, Text end, int64_t unit, int64_t &time) {
  int64_t count;
  Reason reason = readInt64(text, end, count);
  if (reason != WEIR_OK) return reason;
  if (count > kLatestTime / unit || count < kEarliestTime / unit) return WEIR_OUT_OF_RANGE;
  time = count * unit;
  return WEIR_OK;
}

inline bool isLiteral(Text text, Text end, const char *literal, size_t length) {
  return size_t(end - text) == length && std::memcmp(text, literal, length) == 0;
}

}  // namespace weir
