// CSV records straight into columns, by RFC 4180: cells may be quoted, a quote within quotes is doubled, quoted cells may hold
// delimiters and line ends. A quote inside a cell that does not begin with one is text. Both `\n` and `\r\n` end a record.
#include "RowWriter.hpp"

#include <simdjson.h>

namespace weir {

/// A cell of a row, and where the next one begins.
struct Cell {
  Text start;
  Text end;
  Text next;            // the delimiter, the line end or the chunk's end behind the cell
  bool isQuoted;
  bool hasDoubled;      // quotes within the quotes
  Reason reason;        // WEIR_OK, WEIR_AFTER_QUOTE or WEIR_UNCLOSED_QUOTE
};

class CSVDecoder final : public weir_decoder {
 public:
  CSVDecoder(const weir_field *fields, size_t count, size_t maxRecordBytes, uint8_t delimiter, uint8_t quote)
      : weir_decoder(fields, count), maxRecordBytes(maxRecordBytes), delimiter(delimiter), quote(quote) {}

  Area<int32_t> fieldOfCell;
  bool isBadHeader = false;

  void begin(size_t from) override {
    position = from;
    auto text = reinterpret_cast<const char *>(writer.bytes + from);
    isUTF8 = simdjson::validate_utf8(text, writer.length - from);
  }

  bool run(size_t rowCapacity) override {
    while (position < writer.length) {
      if (writer.row == rowCapacity) return false;
      decodeRecord();
    }
    return true;
  }

 private:
  size_t maxRecordBytes;
  uint8_t delimiter;
  uint8_t quote;
  size_t position = 0;
  bool isUTF8 = true;

  void decodeRecord() {
    size_t start = position;
    Text at = writer.bytes + start, end = writer.bytes + writer.length;
    if (fieldOfCell.count != 1 && skipBlankLine(at, end)) return;
    writer.beginRecord();
    weir_failure failure{};
    size_t cells = 0;
    Cell cell;
    for (;; at = cell.next + 1) {
      cell = readCell(at, end);
      if (WEIR_UNLIKELY(cell.reason != WEIR_OK)) {
        if (cell.reason == WEIR_UNCLOSED_QUOTE) return rejectRest(start);
        if (failure.reason == WEIR_OK) failure = describe(cell);
      }
      if (WEIR_LIKELY(cells < fieldOfCell.count)) {
        int32_t field = fieldOfCell.items[cells];
        if (field >= 0) storeCell(writer.fields[field], cell);
      }
      ++cells;
      if (cell.next == end || *cell.next == '\n') break;
    }
    auto length = size_t(cell.next - writer.bytes) - start;
    position = start + length + (cell.next != end);
    if (length > 0 && cell.next[-1] == '\r') --length;
    finish(start, length, cells, failure);
  }

  void finish(size_t start, size_t length, size_t cells, weir_failure failure) {
    Text record = writer.bytes + start;
    Reason reason = failure.reason;
    if (isBadHeader) reason = WEIR_BAD_HEADER;
    else if (length > maxRecordBytes) reason = WEIR_RECORD_TOO_LONG;
    else if (!isUTF8 && !simdjson::validate_utf8(reinterpret_cast<const char *>(record), length)) reason = WEIR_INVALID_UTF8;
    else if (cells != fieldOfCell.count && reason == WEIR_OK) {
      reason = cells < fieldOfCell.count ? WEIR_TOO_FEW_CELLS : WEIR_TOO_MANY_CELLS;
    }
    if (WEIR_LIKELY(reason == WEIR_OK)) return writer.commit(start, length);
    if (reason != failure.reason) failure = writer.describe(reason, record, length, -1);
    writer.reject(start, length, failure);
  }

  bool skipBlankLine(Text at, Text end) {
    if (*at == '\n') {
      ++position;
      return true;
    }
    if (*at != '\r' || (at + 1 != end && at[1] != '\n')) return false;
    position += at + 1 == end ? 1 : 2;
    return true;
  }

  /// What follows an unclosed quote is one failure, in pieces of at most `maxRecordBytes`.
  void rejectRest(size_t start) {
    writer.abandon();
    for (size_t from = start; from < writer.length; from += maxRecordBytes) {
      size_t rest = writer.length - from;
      size_t length = rest < maxRecordBytes ? rest : maxRecordBytes;
      weir_failure failure = writer.describe(WEIR_UNCLOSED_QUOTE, writer.bytes + from, length, -1);
      failure.start = uint32_t(from);
      failure.length = uint32_t(length);
      *writer.failures.reserve(1) = failure;
      ++writer.failures.count;
    }
    position = writer.length;
  }

  weir_failure describe(const Cell &cell) const {
    return writer.describe(cell.reason, cell.start, size_t(cell.next - cell.start), -1);
  }

  // Cells

  Cell readCell(Text at, Text end) const {
    if (at != end && *at == quote) return readQuoted(at + 1, end);
    Text next = cellEnd(at, end);
    Text stop = next;
    if ((next == end || *next == '\n') && stop != at && stop[-1] == '\r') --stop;
    return {at, stop, next, false, false, WEIR_OK};
  }

  Cell readQuoted(Text start, Text end) const {
    bool hasDoubled = false;
    Text at = start;
    for (;;) {
      at = static_cast<Text>(std::memchr(at, quote, size_t(end - at)));
      if (!at) return {start, end, end, true, hasDoubled, WEIR_UNCLOSED_QUOTE};
      if (at + 1 == end || at[1] != quote) break;
      hasDoubled = true;
      at += 2;
    }
    Text next = at + 1;
    if (next != end && *next == '\r' && (next + 1 == end || next[1] == '\n')) ++next;
    if (next == end || *next == delimiter || *next == '\n') return {start, at, next, true, hasDoubled, WEIR_OK};
    return {at + 1, at + 1, cellEnd(at + 1, end), true, false, WEIR_AFTER_QUOTE};
  }

  /// The first delimiter or line end from `at` on, eight bytes at a time.
  Text cellEnd(Text at, Text end) const {
    constexpr uint64_t ones = 0x0101010101010101ull, high = 0x8080808080808080ull;
    for (; end - at >= 8; at += 8) {
      uint64_t word = load8(at);
      uint64_t toDelimiter = word ^ (ones * delimiter), toLineEnd = word ^ (ones * '\n');
      uint64_t found = (((toDelimiter - ones) & ~toDelimiter) | ((toLineEnd - ones) & ~toLineEnd)) & high;
      if (found) return at + (__builtin_ctzll(found) >> 3);
    }
    while (at != end && *at != delimiter && *at != '\n') ++at;
    return at;
  }

  void storeCell(Field &field, const Cell &cell) {
    writer.see(field);
    if (cell.start == cell.end && !cell.isQuoted) {
      if (field.nullable) field.setNull(writer.row);
      else writer.fail(field, WEIR_IS_NULL, cell.start, 0);
      return;
    }
    Text start = cell.start, end = cell.end;
    if (WEIR_UNLIKELY(cell.hasDoubled)) undouble(start, end);
    Reason reason = WEIR_OK;
    if (field.kind != WEIR_KIND_STRING) reason = storeText(field, start, end);
    else if (cell.hasDoubled) writer.storeCopiedText(field, start, size_t(end - start));
    else field.storeView(writer.row, uint64_t(start - writer.bytes), uint64_t(end - start));
    if (WEIR_UNLIKELY(reason != WEIR_OK)) writer.fail(field, reason, cell.start, size_t(cell.end - cell.start));
  }

  Reason storeText(Field &field, Text start, Text end) {
    switch (field.kind) {
      case WEIR_KIND_BOOLEAN: {
        bool value = isLiteral(start, end, "true", 4);
        if (!value && !isLiteral(start, end, "false", 5)) return WEIR_WRONG_TYPE;
        field.store(writer.row, uint8_t(value));
        return WEIR_OK;
      }
      case WEIR_KIND_TIMESTAMP:
      case WEIR_KIND_TIMESTAMP_SECONDS:
        return isNumber(start, end) ? writer.storeNumber(field, start, end) : writer.storeQuoted(field, start, end);
      case WEIR_KIND_BYTES:
      case WEIR_KIND_DATE:
        return writer.storeQuoted(field, start, end);
      default:
        return writer.storeNumber(field, start, end);
    }
  }

  /// Replaces the text by a copy, in scratch, whose quotes are single.
  void undouble(Text &start, Text &end) {
    uint8_t *out = writer.scratch.reserve(size_t(end - start) + 32);
    Text copy = out;
    for (Text at = start; at != end; ++at) {
      *out++ = *at;
      if (*at == quote) ++at;
    }
    start = copy;
    end = out;
  }
};

}  // namespace weir

extern "C" {

weir_decoder *weir_csv_decoder_create(
    const weir_field *fields, size_t field_count, size_t max_record_bytes, uint8_t delimiter, uint8_t quote) {
  return new weir::CSVDecoder(fields, field_count, max_record_bytes, delimiter, quote);
}

bool weir_is_utf8(const uint8_t *bytes, size_t length) {
  return simdjson::validate_utf8(reinterpret_cast<const char *>(bytes), length);
}

void weir_csv_decoder_set_cells(
    weir_decoder *decoder, const int32_t *field_of_cell, size_t cell_count, bool is_bad) {
  auto csv = static_cast<weir::CSVDecoder *>(decoder);
  csv->fieldOfCell.count = 0;
  std::memcpy(csv->fieldOfCell.reserve(cell_count + 1), field_of_cell, cell_count * sizeof(int32_t));
  csv->fieldOfCell.count = cell_count;
  csv->isBadHeader = is_bad;
}

}  // extern "C"
