// The native half of the formats: text to columns and columns to text, in C++ behind this header.
//
// Order of calls on a decoder: create, then for every chunk `begin`, `run` until it returns true (growing the columns and
// calling again while it returns false), and the result functions; finally `destroy`. One owner and thread at a time.
// Nothing here throws, aborts on input, or keeps a pointer to a chunk after the next `begin`.
#ifndef WEIR_CSIMDJSON_H
#define WEIR_CSIMDJSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// How a value is read and where it is stored.
enum {
  WEIR_KIND_BOOLEAN,             // one byte
  WEIR_KIND_INT64,               // eight bytes
  WEIR_KIND_DOUBLE,              // eight bytes
  WEIR_KIND_DECIMAL64,           // eight bytes, scaled; at most 18 digits
  WEIR_KIND_DECIMAL128,          // sixteen bytes, scaled; at most 38 digits
  WEIR_KIND_STRING,              // a view: start << 32 | length
  WEIR_KIND_BYTES,               // a view into the decoded bytes; base64 in text
  WEIR_KIND_DATE,                // eight bytes: days since 1970-01-01
  WEIR_KIND_TIMESTAMP,           // eight bytes: ms since 1970-01-01; integers are ms
  WEIR_KIND_TIMESTAMP_SECONDS,   // the same; integers are seconds
};

/// Why a record does not decode.
enum {
  WEIR_OK,
  WEIR_RECORD_TOO_LONG,
  WEIR_FRAGMENT,
  // The record as text.
  WEIR_INVALID_UTF8,
  WEIR_CONTROL_CHARACTER,
  WEIR_UNCLOSED_STRING,
  WEIR_UNREADABLE,
  // JSON's grammar.
  WEIR_NOT_AN_OBJECT,
  WEIR_INCOMPLETE,
  WEIR_TRAILING_TEXT,
  WEIR_EXPECTED_NAME,
  WEIR_EXPECTED_COLON,
  WEIR_EXPECTED_COMMA,
  WEIR_EXPECTED_VALUE,
  WEIR_BAD_ESCAPE,
  WEIR_LONE_SURROGATE,
  WEIR_TOO_DEEP,
  // One field's value.
  WEIR_WRONG_TYPE,
  WEIR_IS_NULL,
  WEIR_IS_MISSING,
  WEIR_BAD_NUMBER,
  WEIR_HAS_FRACTION,
  WEIR_OUT_OF_RANGE,
  WEIR_LOSES_DIGITS,
  WEIR_BAD_TIMESTAMP,
  WEIR_BAD_DATE,
  WEIR_BAD_BASE64,
  // CSV's rows.
  WEIR_TOO_FEW_CELLS,
  WEIR_TOO_MANY_CELLS,
  WEIR_AFTER_QUOTE,
  WEIR_UNCLOSED_QUOTE,
  WEIR_BAD_HEADER,
};

/// A field to decode. Its name must outlive the decoder's creation only.
typedef struct weir_field {
  const uint8_t *_Nullable name;
  size_t name_length;
  uint8_t kind;
  uint8_t precision;
  uint8_t scale;
  bool nullable;
  /// Which of the columns given to `run` holds the values; −1: the field is checked and not kept.
  int32_t column;
} weir_field;

/// Where a column's values go: room for the row capacity, and a bitmap of that many bits, all set beforehand.
typedef struct weir_column {
  void *_Nullable values;
  uint8_t *_Nullable validity;
} weir_column;

/// A record that does not decode. `value_start`, `value_length` is the text at fault; `field` −1 when no field is.
typedef struct weir_failure {
  uint32_t start;
  uint32_t length;
  uint32_t value_start;
  uint32_t value_length;
  int32_t field;
  uint32_t reason;
} weir_failure;

typedef struct weir_decoder weir_decoder;

weir_decoder *_Nonnull weir_json_decoder_create(
    const weir_field *_Nonnull fields, size_t field_count, size_t max_record_bytes, size_t max_depth);
weir_decoder *_Nonnull weir_csv_decoder_create(
    const weir_field *_Nonnull fields, size_t field_count, size_t max_record_bytes, uint8_t delimiter, uint8_t quote);
void weir_decoder_destroy(weir_decoder *_Nonnull decoder);

/// Which field (or −1) each cell of a CSV row holds. With `is_bad` every record fails as `WEIR_BAD_HEADER`.
void weir_csv_decoder_set_cells(
    weir_decoder *_Nonnull decoder, const int32_t *_Nonnull field_of_cell, size_t cell_count, bool is_bad);

/// Begins a chunk of whole records from byte `from` on, below 2³¹ bytes; 64 more bytes must be readable.
void weir_decoder_begin(weir_decoder *_Nonnull decoder, const uint8_t *_Nonnull bytes, size_t length, size_t from);
/// Decodes on, until the chunk's end (true) or until `row_capacity` rows are there (false).
bool weir_decoder_run(
    weir_decoder *_Nonnull decoder, const weir_column *_Nonnull columns, uint64_t *_Nonnull ranges, size_t row_capacity);

size_t weir_decoder_row_count(const weir_decoder *_Nonnull decoder);
/// How many rows of a field are null.
size_t weir_decoder_null_count(const weir_decoder *_Nonnull decoder, size_t field);
/// Whether a string field has views at or above the chunk's length: they point into the text area, which is to be thought
/// of as directly behind the chunk's bytes.
bool weir_decoder_uses_text_area(const weir_decoder *_Nonnull decoder, size_t field);
size_t weir_decoder_text_area(const weir_decoder *_Nonnull decoder, const uint8_t *_Nullable *_Nonnull bytes);
/// The area that the views of all bytes fields point into.
size_t weir_decoder_bytes_area(const weir_decoder *_Nonnull decoder, const uint8_t *_Nullable *_Nonnull bytes);
size_t weir_decoder_failures(
    const weir_decoder *_Nonnull decoder, const weir_failure *_Nullable *_Nonnull failures);

/// Where a scan for the ends of CSV records stands.
enum { WEIR_CSV_CELL_START, WEIR_CSV_UNQUOTED, WEIR_CSV_QUOTED, WEIR_CSV_AFTER_QUOTE };

/// Scans `bytes[from..<to]` from `*state` on and returns the end of the last whole record, 0 when none ends there.
size_t weir_csv_last_record_end(
    const uint8_t *_Nonnull bytes, size_t from, size_t to, uint8_t delimiter, uint8_t quote, uint8_t *_Nonnull state);
/// The end of the first whole record in `bytes[from..<to]`, 0 when none ends there.
size_t weir_csv_first_record_end(
    const uint8_t *_Nonnull bytes, size_t from, size_t to, uint8_t delimiter, uint8_t quote, uint8_t *_Nonnull state);

bool weir_is_utf8(const uint8_t *_Nonnull bytes, size_t length);
/// The place of the last `byte` in `bytes`, −1 when there is none.
ptrdiff_t weir_last_index(const uint8_t *_Nonnull bytes, size_t length, uint8_t byte);

/// A column to write. `prefix` goes before the value: `,"name":`.
typedef struct weir_output {
  const void *_Nonnull values;
  const uint8_t *_Nullable validity;
  const uint8_t *_Nullable bytes;
  const uint8_t *_Nullable prefix;
  size_t prefix_length;
  uint8_t kind;
  uint8_t scale;
} weir_output;

/// The most bytes that rows `from..<to` can take, then the bytes themselves; `encode` returns how many it wrote.
size_t weir_json_encode_bound(const weir_output *_Nonnull columns, size_t column_count, size_t from, size_t to);
size_t weir_json_encode(
    const weir_output *_Nonnull columns, size_t column_count, size_t from, size_t to, uint8_t *_Nonnull out);
size_t weir_csv_encode_bound(const weir_output *_Nonnull columns, size_t column_count, size_t from, size_t to);
size_t weir_csv_encode(
    const weir_output *_Nonnull columns, size_t column_count, size_t from, size_t to, uint8_t delimiter, uint8_t quote,
    uint8_t *_Nonnull out);
/// Writes `text` as a JSON string with its quotes, at most `6 * length + 2` bytes; returns how many.
size_t weir_json_quote(const uint8_t *_Nullable text, size_t length, uint8_t *_Nonnull out);
/// Writes `text` as a CSV cell, at most `2 * length + 2` bytes; returns how many.
size_t weir_csv_quote(
    const uint8_t *_Nullable text, size_t length, uint8_t delimiter, uint8_t quote, uint8_t *_Nonnull out);

/// RFC 4648 with padding: `4 * ((length + 2) / 3)` bytes.
size_t weir_base64_encode(const uint8_t *_Nullable bytes, size_t length, uint8_t *_Nonnull out);
/// At most `length / 4 * 3` bytes; −1 when the text is not exactly what `encode` writes for some bytes.
ptrdiff_t weir_base64_decode(const uint8_t *_Nullable text, size_t length, uint8_t *_Nonnull out);

/// Reads lines of usage records with simdjson On-Demand alone, as a program of its own would, and keeps nothing: what
/// decoding is measured against. Returns the rows, −1 on an error; `checksum` depends on every field.
int64_t weir_simdjson_walk(const uint8_t *_Nonnull bytes, size_t length, uint64_t *_Nonnull checksum);

#ifdef __cplusplus
}
#endif
#endif
