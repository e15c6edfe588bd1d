#include "Values.hpp"

namespace {

const char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The value of each letter; 0xFF for bytes that are none.
struct Letters {
  uint8_t values[256];
  constexpr Letters() : values() {
    for (int byte = 0; byte < 256; ++byte) values[byte] = 0xFF;
    for (int value = 0; value < 26; ++value) values['A' + value] = uint8_t(value);
    for (int value = 0; value < 26; ++value) values['a' + value] = uint8_t(26 + value);
    for (int value = 0; value < 10; ++value) values['0' + value] = uint8_t(52 + value);
    values[int('+')] = 62;
    values[int('/')] = 63;
  }
};
constexpr Letters kLetters;

}  // namespace

extern "C" {

size_t weir_base64_encode(const uint8_t *bytes, size_t length, uint8_t *out) {
  uint8_t *start = out;
  size_t whole = length / 3 * 3;
  for (size_t index = 0; index < whole; index += 3) {
    uint32_t group = uint32_t(bytes[index]) << 16 | uint32_t(bytes[index + 1]) << 8 | bytes[index + 2];
    *out++ = uint8_t(kAlphabet[group >> 18]);
    *out++ = uint8_t(kAlphabet[group >> 12 & 63]);
    *out++ = uint8_t(kAlphabet[group >> 6 & 63]);
    *out++ = uint8_t(kAlphabet[group & 63]);
  }
  if (whole == length) return size_t(out - start);
  bool hasTwo = length - whole == 2;
  uint32_t group = uint32_t(bytes[whole]) << 16 | (hasTwo ? uint32_t(bytes[whole + 1]) << 8 : 0);
  *out++ = uint8_t(kAlphabet[group >> 18]);
  *out++ = uint8_t(kAlphabet[group >> 12 & 63]);
  *out++ = hasTwo ? uint8_t(kAlphabet[group >> 6 & 63]) : uint8_t('=');
  *out++ = '=';
  return size_t(out - start);
}

ptrdiff_t weir_base64_decode(const uint8_t *text, size_t length, uint8_t *out) {
  if (length == 0) return 0;
  if (length % 4 != 0) return -1;
  uint8_t *start = out;
  const uint8_t *last = text + length - 4;
  for (; text != last; text += 4) {
    uint32_t a = kLetters.values[text[0]], b = kLetters.values[text[1]];
    uint32_t c = kLetters.values[text[2]], d = kLetters.values[text[3]];
    if ((a | b | c | d) > 63) return -1;
    uint32_t group = a << 18 | b << 12 | c << 6 | d;
    *out++ = uint8_t(group >> 16);
    *out++ = uint8_t(group >> 8);
    *out++ = uint8_t(group);
  }
  size_t padding = last[3] != '=' ? 0 : last[2] != '=' ? 1 : 2;
  uint32_t a = kLetters.values[last[0]], b = kLetters.values[last[1]];
  uint32_t c = padding > 1 ? 0 : kLetters.values[last[2]], d = padding > 0 ? 0 : kLetters.values[last[3]];
  if ((a | b | c | d) > 63) return -1;
  uint32_t group = a << 18 | b << 12 | c << 6 | d;
  if (group & (padding == 2 ? 0xFFFFu : padding == 1 ? 0xFFu : 0u)) return -1;
  *out++ = uint8_t(group >> 16);
  if (padding < 2) *out++ = uint8_t(group >> 8);
  if (padding < 1) *out++ = uint8_t(group);
  return out - start;
}

ptrdiff_t weir_last_index(const uint8_t *bytes, size_t length, uint8_t byte) {
  auto found = static_cast<const uint8_t *>(memrchr(bytes, byte, length));
  return found ? found - bytes : -1;
}

}  // extern "C"
