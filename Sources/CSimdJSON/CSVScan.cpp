// Where CSV records end, over any cuts of the input. Agrees byte for byte with the CSV decoder.
#include "Values.hpp"

extern "C" {

size_t weir_csv_last_record_end(
    const uint8_t *bytes, size_t from, size_t to, uint8_t delimiter, uint8_t quote, uint8_t *state) {
  size_t lastEnd = 0;
  size_t at = from;
  while (at < to) {
    if (*state == WEIR_CSV_QUOTED) {
      auto found = static_cast<const uint8_t *>(std::memchr(bytes + at, quote, to - at));
      if (!found) break;
      at = size_t(found - bytes) + 1;
      *state = WEIR_CSV_AFTER_QUOTE;
    } else if ((*state == WEIR_CSV_AFTER_QUOTE || *state == WEIR_CSV_CELL_START) && bytes[at] == quote) {
      ++at;
      *state = WEIR_CSV_QUOTED;
    } else {
      // Unquoted up to the next quote, which opens a cell only right behind a delimiter or a line end.
      auto found = static_cast<const uint8_t *>(std::memchr(bytes + at, quote, to - at));
      size_t stop = found ? size_t(found - bytes) : to;
      auto lineEnd = static_cast<const uint8_t *>(memrchr(bytes + at, '\n', stop - at));
      if (lineEnd) lastEnd = size_t(lineEnd - bytes) + 1;
      bool isCellStart = stop > at && (bytes[stop - 1] == delimiter || bytes[stop - 1] == '\n');
      *state = isCellStart ? WEIR_CSV_CELL_START : WEIR_CSV_UNQUOTED;
      at = stop;
      if (!isCellStart && found) ++at;
    }
  }
  return lastEnd;
}

size_t weir_csv_first_record_end(
    const uint8_t *bytes, size_t from, size_t to, uint8_t delimiter, uint8_t quote, uint8_t *state) {
  for (size_t at = from; at < to; ++at) {
    uint8_t byte = bytes[at];
    if (*state == WEIR_CSV_QUOTED) {
      if (byte == quote) *state = WEIR_CSV_AFTER_QUOTE;
    } else if (byte == quote && *state != WEIR_CSV_UNQUOTED) {
      *state = WEIR_CSV_QUOTED;
    } else if (byte == '\n') {
      *state = WEIR_CSV_CELL_START;
      return at + 1;
    } else {
      *state = byte == delimiter ? WEIR_CSV_CELL_START : WEIR_CSV_UNQUOTED;
    }
  }
  return 0;
}

}  // extern "C"
