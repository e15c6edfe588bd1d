// JSON strings: escapes.
#pragma once

#include "Values.hpp"

namespace weir {

inline int hexValue(uint8_t byte) {
  if (isDigit(byte)) return byte - '0';
  uint8_t lower = byte | 0x20;
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Four hexadecimal digits as a code unit, −1 when they are none.
inline int32_t readCodeUnit(Text text, Text end) {
  if (end - text < 4) return -1;
  int32_t unit = 0;
  for (int index = 0; index < 4; ++index) {
    int value = hexValue(text[index]);
    if (value < 0) return -1;
    unit = unit << 4 | value;
  }
  return unit;
}

inline uint8_t *writeUTF8(uint32_t scalar, uint8_t *out) {
  if (scalar < 0x80) {
    *out++ = uint8_t(scalar);
  } else if (scalar < 0x800) {
    *out++ = uint8_t(0xC0 | scalar >> 6);
    *out++ = uint8_t(0x80 | (scalar & 0x3F));
  } else if (scalar < 0x10000) {
    *out++ = uint8_t(0xE0 | scalar >> 12);
    *out++ = uint8_t(0x80 | (scalar >> 6 & 0x3F));
    *out++ = uint8_t(0x80 | (scalar & 0x3F));
  } else {
    *out++ = uint8_t(0xF0 | scalar >> 18);
    *out++ = uint8_t(0x80 | (scalar >> 12 & 0x3F));
    *out++ = uint8_t(0x80 | (scalar >> 6 & 0x3F));
    *out++ = uint8_t(0x80 | (scalar & 0x3F));
  }
  return out;
}

/// Reads what follows `\u`; a high surrogate must have its low one behind it.
inline Reason readUnicodeEscape(Text &text, Text end, uint8_t *&out) {
  int32_t unit = readCodeUnit(text, end);
  if (unit < 0) return WEIR_BAD_ESCAPE;
  text += 4;
  uint32_t scalar = uint32_t(unit);
  if (scalar >= 0xDC00 && scalar < 0xE000) return WEIR_LONE_SURROGATE;
  if (scalar >= 0xD800 && scalar < 0xDC00) {
    if (end - text < 6 || text[0] != '\\' || text[1] != 'u') return WEIR_LONE_SURROGATE;
    int32_t low = readCodeUnit(text + 2, end);
    if (low < 0) return WEIR_BAD_ESCAPE;
    if (low < 0xDC00 || low >= 0xE000) return WEIR_LONE_SURROGATE;
    text += 6;
    scalar = 0x10000 + ((scalar - 0xD800) << 10) + uint32_t(low - 0xDC00);
  }
  out = writeUTF8(scalar, out);
  return WEIR_OK;
}

/// Writes the text between a string's quotes without its escapes; `out` has room for as many bytes as there are.
inline Reason unescape(Text text, Text end, uint8_t *out, size_t &written) {
  uint8_t *start = out;
  while (text != end) {
    auto next = static_cast<Text>(std::memchr(text, '\\', size_t(end - text)));
    size_t plain = size_t((next ? next : end) - text);
    std::memcpy(out, text, plain);
    out += plain;
    text += plain;
    if (!next) break;
    if (end - text < 2) return WEIR_BAD_ESCAPE;
    uint8_t kind = text[1];
    text += 2;
    switch (kind) {
      case '"': case '\\': case '/': *out++ = kind; break;
      case 'b': *out++ = '\b'; break;
      case 'f': *out++ = '\f'; break;
      case 'n': *out++ = '\n'; break;
      case 'r': *out++ = '\r'; break;
      case 't': *out++ = '\t'; break;
      case 'u': {
        Reason reason = readUnicodeEscape(text, end, out);
        if (reason != WEIR_OK) return reason;
        break;
      }
      default: return WEIR_BAD_ESCAPE;
    }
  }
  written = size_t(out - start);
  return WEIR_OK;
}

}  // namespace weir
