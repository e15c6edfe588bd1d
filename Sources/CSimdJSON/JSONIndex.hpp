// Walking the index of a block: tokens, and the grammar of values that are not kept.
#pragma once

#include "JSONText.hpp"
#include "RowWriter.hpp"

namespace weir {

inline bool isBlank(uint8_t byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; }

/// The part of the JSON decoder that knows tokens and grammar, but no fields.
///
/// An *entry* is an element of simdjson's index: the place of a token, counted from `base`. Behind the last one come
/// sentinels, which are at or above every limit. An entry is read as a token only once it is known to be below the limit.
class JSONIndex : public weir_decoder {
 protected:
  JSONIndex(const weir_field *fields, size_t count, size_t maxDepth) : weir_decoder(fields, count), maxDepth(maxDepth) {
    nesting.reserve(maxDepth + 1);
  }

  Text base = nullptr;           // what the index counts from
  size_t blockEnd = 0;
  Text nextBackslash = nullptr;  // no backslash lies between the last string asked about and here
  bool hasBlanks = false;        // the record may have blanks between its tokens
  weir_failure rejection{};

  /// Notes why the record is no JSON; false, for the caller to return.
  bool refuse(Reason reason, uint32_t at, uint32_t limit, const Field *field = nullptr) {
    if (at >= limit) {
      reason = WEIR_INCOMPLETE;
      at = limit;
    }
    rejection = writer.describe(reason, base + at, limit - at, field ? int32_t(field - writer.fields) : -1);
    return false;
  }

  /// Checks any value, of whatever depth.
  const uint32_t *skip(const uint32_t *entry, uint32_t limit, const Field *field) {
    size_t depth = 0;
    for (;;) {
      // A value is expected at `entry`.
      if (*entry >= limit) return refuse(WEIR_INCOMPLETE, limit, limit, field), nullptr;
      uint8_t byte = base[*entry];
      if (byte == '{' || byte == '[') {
        hasBlanks = true;  // there may be
        if (depth == maxDepth) return refuse(WEIR_TOO_DEEP, *entry, limit, field), nullptr;
        nesting.items[depth++] = byte;
        ++entry;
        if (*entry >= limit) return refuse(WEIR_INCOMPLETE, limit, limit, field), nullptr;
        if (base[*entry] != (byte == '{' ? '}' : ']')) {
          if (byte == '{' && !skipName(entry, limit, field)) return nullptr;
          continue;
        }
        --depth;
        ++entry;
      } else {
        Reason reason = checkScalar(entry);
        if (reason != WEIR_OK) return refuse(reason, *entry, limit, field), nullptr;
        ++entry;
      }
      // A value ended before `entry`.
      for (;;) {
        if (depth == 0) return entry;
        if (*entry >= limit) return refuse(WEIR_INCOMPLETE, limit, limit, field), nullptr;
        byte = base[*entry];
        bool isObject = nesting.items[depth - 1] == '{';
        if (byte == ',') {
          ++entry;
          if (isObject && !skipName(entry, limit, field)) return nullptr;
          break;
        }
        if (byte != (isObject ? '}' : ']')) return refuse(WEIR_EXPECTED_COMMA, *entry, limit, field), nullptr;
        --depth;
        ++entry;
      }
    }
  }

  /// Checks `"name":` and moves behind it.
  bool skipName(const uint32_t *&entry, uint32_t limit, const Field *field) {
    if (*entry >= limit || base[*entry] != '"') return refuse(WEIR_EXPECTED_NAME, *entry, limit, field);
    Reason reason = checkScalar(entry);
    if (reason != WEIR_OK) return refuse(reason, *entry, limit, field);
    if (entry[1] >= limit || base[entry[1]] != ':') return refuse(WEIR_EXPECTED_COLON, entry[1], limit, field);
    entry += 2;
    return true;
  }

  Reason checkScalar(const uint32_t *entry) {
    Text value = base + *entry;
    if (*value == '"') {
      Text end = closingQuote(entry);
      size_t length;
      return hasEscape(value + 1, end) ? unescapeToScratch(value + 1, end, length) : Reason(WEIR_OK);
    }
    Text end = tokenEnd(entry);
    if (*value == '-' || isDigit(*value)) return isNumber(value, end) ? WEIR_OK : WEIR_BAD_NUMBER;
    bool isKnown = isLiteral(value, end, "true", 4) || isLiteral(value, end, "false", 5) || isLiteral(value, end, "null", 4);
    return isKnown ? WEIR_OK : WEIR_EXPECTED_VALUE;
  }

  // Tokens

  /// The closing quote of the string at `entry`: the last byte before the next entry that is no blank.
  Text closingQuote(const uint32_t *entry) {
    Text quote = base + entry[1] - 1;
    hasBlanks |= *quote != '"';
    while (WEIR_UNLIKELY(*quote != '"')) --quote;
    return quote;
  }

  /// The end of the number or literal at `entry`.
  Text tokenEnd(const uint32_t *entry) {
    Text end = base + entry[1];
    hasBlanks |= isBlank(end[-1]);
    while (WEIR_UNLIKELY(isBlank(end[-1]))) --end;
    return end;
  }

  bool hasEscape(Text start, Text end) {
    if (WEIR_LIKELY(nextBackslash >= end)) return false;
    if (nextBackslash < start) {
      Text blockLimit = writer.bytes + blockEnd;
      nextBackslash = static_cast<Text>(std::memchr(start, '\\', size_t(blockLimit - start)));
      if (!nextBackslash) nextBackslash = blockLimit;
    }
    return nextBackslash < end;
  }

  Reason unescapeToScratch(Text start, Text end, size_t &length) {
    writer.scratch.reserve(size_t(end - start) + 32);
    return unescape(start, end, writer.scratch.items, length);
  }

 private:
  size_t maxDepth;
  Area<uint8_t> nesting;
};

}  // namespace weir
