// Rows under construction: fields, the columns they go to, failures. Shared by the JSON and the CSV decoder.
#pragma once

#include "Values.hpp"

#include <cstdlib>

namespace weir {

/// A growing array of plain values.
template <typename Element>
struct Area {
  Element *items = nullptr;
  size_t count = 0;
  size_t capacity = 0;

  Area() = default;
  Area(const Area &) = delete;
  Area &operator=(const Area &) = delete;
  ~Area() { std::free(items); }

  /// Room for `more` items behind the last; where they go.
  Element *reserve(size_t more) {
    if (count + more > capacity) {
      capacity = count + more + capacity;
      items = static_cast<Element *>(std::realloc(static_cast<void *>(items), capacity * sizeof(Element)));
      if (!items) std::abort();  // out of memory, which is no property of the input
    }
    return items + count;
  }
};

/// A field of the schema, what the record at hand gave it, and where its values go.
struct alignas(64) Field {
  uint8_t *values = nullptr;  // null: checked and not kept
  uint8_t *validity = nullptr;
  uint64_t seenBit = 0;  // its bit in `RowWriter::seen`, in the word `seenWord`
  uint32_t seenWord = 0;
  uint8_t kind = 0;
  uint8_t precision = 0;
  uint8_t scale = 0;
  bool nullable = false;
  int32_t column = -1;
  DateMemo memo;
  bool usesTextArea = false;
  uint64_t failed = 0;  // the last record in which its value was at fault
  size_t nulls = 0;
  weir_failure failure{};
  uint8_t *name = nullptr;
  size_t nameLength = 0;

  template <typename Value>
  void store(size_t row, Value value) {
    if (values) reinterpret_cast<Value *>(values)[row] = value;
  }
  void storeView(size_t row, uint64_t start, uint64_t length) { store(row, start << 32 | length); }

  size_t strideBytes() const {
    return kind == WEIR_KIND_BOOLEAN ? 1 : kind == WEIR_KIND_DECIMAL128 ? 16 : 8;
  }
  bool isNull(size_t row) const { return values && !(validity[row >> 3] & (1u << (row & 7))); }
  void setNull(size_t row) {
    if (!values) return;
    std::memset(values + row * strideBytes(), 0, strideBytes());
    validity[row >> 3] &= uint8_t(~(1u << (row & 7)));
    ++nulls;
  }
  void clearNull(size_t row) {
    validity[row >> 3] |= uint8_t(1u << (row & 7));
    --nulls;
  }
};

/// Builds rows field by field. A row begins with `beginRecord` and ends in `commit` or `reject`.
class RowWriter {
 public:
  RowWriter(const weir_field *fields, size_t count) : fieldCount(count) {
    this->fields = new Field[count + 1];
    seenWords = (count + 63) / 64;
    seen = new uint64_t[2 * seenWords]();
    usuallySeen = seen + seenWords;
    for (size_t index = 0; index < count; ++index) {
      Field &field = this->fields[index];
      add(fields[index], field);
      field.seenBit = 1ull << (index & 63);
      field.seenWord = uint32_t(index >> 6);
      usuallySeen[field.seenWord] |= field.seenBit;
    }
  }
  RowWriter(const RowWriter &) = delete;
  RowWriter &operator=(const RowWriter &) = delete;
  ~RowWriter() {
    for (size_t index = 0; index < fieldCount; ++index) std::free(fields[index].name);
    delete[] fields;
    delete[] seen;
  }

  Field *fields;
  size_t fieldCount;
  size_t row = 0;
  uint64_t generation = 0;
  size_t failingCount = 0;
  Text bytes = nullptr;
  size_t length = 0;
  uint64_t *ranges = nullptr;
  Area<uint8_t> textArea, bytesArea, scratch;
  Area<weir_failure> failures;

  void beginChunk(Text chunk, size_t chunkLength) {
    bytes = chunk;
    length = chunkLength;
    row = textArea.count = bytesArea.count = failures.count = 0;
    for (size_t index = 0; index < fieldCount; ++index) {
      fields[index].nulls = 0;
      fields[index].usesTextArea = false;
    }
  }

  void setTargets(const weir_column *columns, uint64_t *rangeTarget) {
    ranges = rangeTarget;
    for (size_t index = 0; index < fieldCount; ++index) {
      Field &field = fields[index];
      if (field.column < 0) continue;
      field.values = static_cast<uint8_t *>(columns[field.column].values);
      field.validity = columns[field.column].validity;
    }
  }

  void beginRecord() {
    ++generation;
    failingCount = 0;
    for (size_t word = 0; word < seenWords; ++word) seen[word] = 0;
    textStart = textArea.count;
    bytesStart = bytesArea.count;
  }

  /// To be called before a field's value is stored. A repeated field starts anew: the last one wins.
  void see(Field &field) {
    uint64_t &word = seen[field.seenWord];
    if (WEIR_UNLIKELY(word & field.seenBit)) forget(field);
    word |= field.seenBit;
  }

  /// Notes that a field's value is at fault; the record fails unless a later value of the field replaces it.
  void fail(Field &field, Reason reason, Text value, size_t valueLength) {
    field.failed = generation;
    ++failingCount;
    field.failure = describe(reason, value, valueLength, int32_t(&field - fields));
  }

  weir_failure describe(Reason reason, Text value, size_t valueLength, int32_t field) const {
    return {0, 0, uint32_t(value - bytes), uint32_t(valueLength), field, reason};
  }

  /// Ends the record: a row, or a failure where fields are missing or at fault.
  void commit(size_t start, size_t recordLength) {
    if (WEIR_LIKELY(failingCount == 0 && sawTheUsual())) {
      for (size_t index = 0; index < absent.count; ++index) fields[absent.items[index]].setNull(row);
    } else if (!complete()) {
      return reject(start, recordLength, firstFailure());
    }
    ranges[row] = uint64_t(start) << 32 | recordLength;
    ++row;
  }

  /// Drops what the record stored.
  void abandon() {
    for (size_t index = 0; index < fieldCount; ++index) {
      if (fields[index].isNull(row)) fields[index].clearNull(row);
    }
    textArea.count = textStart;
    bytesArea.count = bytesStart;
  }

  /// Drops what the record stored and notes why.
  void reject(size_t start, size_t recordLength, weir_failure failure) {
    abandon();
    failure.start = uint32_t(start);
    failure.length = uint32_t(recordLength);
    *failures.reserve(1) = failure;
    ++failures.count;
  }

  /// Takes text that lies outside the chunk (unescaped) into the text area. `text` may be scratch.
  void storeCopiedText(Field &field, Text text, size_t textLength) {
    if (!field.values) return;
    uint8_t *target = textArea.reserve(textLength);
    std::memcpy(target, text, textLength);
    field.storeView(row, length + textArea.count, textLength);
    textArea.count += textLength;
    field.usesTextArea = true;
  }

  Reason storeBase64(Field &field, Text text, Text end) {
    size_t textLength = size_t(end - text);
    uint8_t *target = bytesArea.reserve(textLength + 4);
    ptrdiff_t decoded = weir_base64_decode(text, textLength, target);
    if (decoded < 0) return WEIR_BAD_BASE64;
    if (!field.values) return WEIR_OK;
    field.storeView(row, bytesArea.count, uint64_t(decoded));
    bytesArea.count += size_t(decoded);
    return WEIR_OK;
  }

  /// Stores a number's text; the field's kind is one that numbers can be.
  Reason storeNumber(Field &field, Text text, Text end) {
    Reason reason;
    int64_t value = 0;
    switch (field.kind) {
      case WEIR_KIND_INT64:
        reason = readInt64(text, end, value);
        break;
      case WEIR_KIND_DECIMAL64:
        reason = readDecimal64(text, end, field.precision, field.scale, value);
        break;
      case WEIR_KIND_DECIMAL128: {
        Int128 wide = 0;
        reason = readDecimal128(text, end, field.precision, field.scale, wide);
        if (field.values) std::memcpy(field.values + row * 16, &wide, 16);
        return reason;
      }
      case WEIR_KIND_DOUBLE: {
        double number = 0;
        reason = readDouble(text, end, number);
        field.store(row, number);
        return reason;
      }
      case WEIR_KIND_TIMESTAMP:
        reason = readEpoch(text, end, 1, value);
        break;
      case WEIR_KIND_TIMESTAMP_SECONDS:
        reason = readEpoch(text, end, 1000, value);
        break;
      default:
        return WEIR_WRONG_TYPE;
    }
    field.store(row, value);
    return reason;
  }

  /// Stores text that a field of another kind than string has between quotes.
  Reason storeQuoted(Field &field, Text text, Text end) {
    int64_t value = 0;
    Reason reason;
    switch (field.kind) {
      case WEIR_KIND_TIMESTAMP:
      case WEIR_KIND_TIMESTAMP_SECONDS:
        reason = readTimestamp(text, end, field.memo, value);
        break;
      case WEIR_KIND_DATE:
        reason = readDate(text, end, value);
        break;
      case WEIR_KIND_DECIMAL64:
      case WEIR_KIND_DECIMAL128:
        return storeNumber(field, text, end);
      case WEIR_KIND_BYTES:
        return storeBase64(field, text, end);
      default:
        return WEIR_WRONG_TYPE;
    }
    field.store(row, value);
    return reason;
  }

 private:
  size_t textStart = 0;
  size_t bytesStart = 0;

  static void add(const weir_field &source, Field &field) {
    field.kind = source.kind;
    field.precision = source.precision;
    field.scale = source.scale;
    field.nullable = source.nullable;
    field.column = source.column;
    field.nameLength = source.name_length;
    field.name = static_cast<uint8_t *>(std::malloc(source.name_length + 1));
    if (!field.name) std::abort();
    std::memcpy(field.name, source.name, source.name_length);
  }

  void forget(Field &field) {
    if (field.isNull(row)) field.clearNull(row);
    if (field.failed == generation) {
      field.failed = 0;
      --failingCount;
    }
  }

  // Feeds leave out the same fields again and again, so what was found out about one record's holds for the next.
  size_t seenWords;
  uint64_t *seen;                // a bit a field: the record had it
  uint64_t *usuallySeen;         // the fields that the last record with others missing had
  Area<uint32_t> absent;         // of the fields that are not in `usuallySeen`, those that are kept; all are nullable

  bool sawTheUsual() const {
    uint64_t differences = 0;
    for (size_t word = 0; word < seenWords; ++word) differences |= seen[word] ^ usuallySeen[word];
    return differences == 0;
  }

  /// Makes missing fields null; whether that was possible and nothing else is at fault.
  bool complete() {
    absent.count = 0;
    for (size_t index = 0; index < fieldCount; ++index) {
      Field &field = fields[index];
      if (seen[field.seenWord] & field.seenBit) continue;
      if (!field.nullable) {
        fail(field, WEIR_IS_MISSING, bytes, 0);
      } else if (field.values) {
        field.setNull(row);
        *absent.reserve(1) = uint32_t(index);
        ++absent.count;
      }
    }
    // What failed may have failed for want of a field: then nothing is usual about it.
    for (size_t word = 0; word < seenWords; ++word) usuallySeen[word] = seen[word];
    if (failingCount == 0) return true;
    expectAll();
    return false;
  }

  void expectAll() {
    absent.count = 0;
    for (size_t index = 0; index < fieldCount; ++index) usuallySeen[fields[index].seenWord] |= fields[index].seenBit;
  }

  weir_failure firstFailure() const {
    for (size_t index = 0; index < fieldCount; ++index) {
      if (fields[index].failed == generation) return fields[index].failure;
    }
    return {};
  }
};

}  // namespace weir

/// A decoder behind the C header.
struct weir_decoder {
  weir::RowWriter writer;
  weir_decoder(const weir_field *fields, size_t count) : writer(fields, count) {}
  virtual ~weir_decoder() = default;
  /// Begins with the record at `from`.
  virtual void begin(size_t from) = 0;
  virtual bool run(size_t rowCapacity) = 0;
};
