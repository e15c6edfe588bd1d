// JSON lines straight into columns.
//
// 1. simdjson's first stage indexes a block of whole lines: the places of `{ } [ ] : ,` and of each value's first byte, all
//    outside strings. It also proves the block UTF-8, its strings closed and free of raw control characters, so that no string
//    spans a line and lines are independent. Where it fails, every line of that block is indexed on its own.
// 2. Each line's index is walked once; values go from the raw text into their columns. Nothing is built in between, and the
//    order of a record's fields is predicted from the record before.
//
// Where a line ends need not be known to walk its record: a line end within a record is a blank between tokens. So a block
// is walked without looking for line ends; a record with blanks is looked through afterwards. At the first record that is
// not right, that one and the rest of the block are walked again line by line, each within its limits.
#include "FieldNames.hpp"
#include "JSONIndex.hpp"

#include <memory>
#include <simdjson.h>

namespace weir {

class JSONDecoder final : public JSONIndex {
 public:
  JSONDecoder(const weir_field *fields, size_t count, size_t maxRecordBytes, size_t maxDepth)
      : JSONIndex(fields, count, maxDepth), names(writer.fields, count), maxRecordBytes(maxRecordBytes) {
    for (size_t index = 0; index < kSlots; ++index) slots[index].next = successor(slots + index);
    for (size_t index = 0; index < count && index < kSlots; ++index) predict(index);
  }

  void begin(size_t from) override {
    position = blockEnd = from;
    mode = Mode::wholeBlock;
  }

  bool run(size_t rowCapacity) override {
    while (position < writer.length) {
      if (writer.row == rowCapacity) return false;
      if (position == blockEnd) {
        beginBlock();
      } else if (mode != Mode::wholeBlock || !decodeWithoutLimit()) {
        decodeLine();
      }
    }
    return true;
  }

 private:
  /// How the lines of the block at hand are walked.
  enum class Mode {
    wholeBlock,    // by the block's index, line ends unknown; goes to `withinLimits` at the first odd record
    withinLimits,  // by the block's index, line by line
    lineByLine,    // each line with an index of its own, as the block has none
  };

  static constexpr size_t kBlockBytes = 16 << 10;  // with its index it stays near the processor
  static constexpr size_t kSlots = 256;
  static constexpr size_t kSentinels = 8;
  static constexpr size_t kLookahead = 4;

  NameTable names;
  size_t maxRecordBytes;
  size_t position = 0;
  Mode mode = Mode::wholeBlock;
  std::unique_ptr<simdjson::internal::dom_parser_implementation> indexer;
  size_t indexerCapacity = 0;
  NameSlot slots[kSlots];
  NameSlot *firstSlot = slots;  // of the name that came first the last time

  const uint32_t *cursor = nullptr;  // the first index entry not used up

  void predict(size_t index) {
    Field &field = writer.fields[index];
    if (field.nameLength + 2 >= NameSlot::kMostBytes) return;
    uint8_t quoted[64];
    quoted[0] = '"';
    std::memcpy(quoted + 1, field.name, field.nameLength);
    quoted[field.nameLength + 1] = '"';
    if (std::memchr(quoted + 1, '"', field.nameLength) || std::memchr(quoted, '\\', field.nameLength + 1)) return;
    slots[index].learn(quoted, field.nameLength + 2, &field);
  }

  // Blocks and lines

  void beginBlock() {
    size_t rest = writer.length - position;
    Text start = writer.bytes + position;
    if (rest <= kBlockBytes) {
      blockEnd = writer.length;
    } else if (auto newline = static_cast<Text>(memrchr(start, '\n', kBlockBytes))) {
      blockEnd = size_t(newline - writer.bytes) + 1;
    } else {
      newline = static_cast<Text>(std::memchr(start + kBlockBytes, '\n', rest - kBlockBytes));
      blockEnd = newline ? size_t(newline - writer.bytes) + 1 : writer.length;
    }
    size_t length = blockEnd - position;
    bool isIndexed = length <= maxRecordBytes && index(start, length) == simdjson::SUCCESS;
    mode = isIndexed ? Mode::wholeBlock : Mode::lineByLine;
  }

  /// Runs simdjson's first stage. An index of nothing but blanks is empty.
  simdjson::error_code index(Text start, size_t length) {
    if (length > indexerCapacity || (indexerCapacity > 4 * kBlockBytes && length <= kBlockBytes)) {
      allocateIndexer(length < kBlockBytes ? kBlockBytes : length);
    }
    auto error = indexer->stage1(start, length, simdjson::stage1_mode::regular);
    if (error == simdjson::EMPTY) {
      indexer->n_structural_indexes = 0;
    } else if (error != simdjson::SUCCESS) {
      return error;
    }
    uint32_t *entries = indexer->structural_indexes.get();
    for (size_t entry = 0; entry < kSentinels; ++entry) {
      entries[indexer->n_structural_indexes + entry] = uint32_t(length);
    }
    base = start;
    cursor = entries;
    nextBackslash = nullptr;
    return simdjson::SUCCESS;
  }

  void allocateIndexer(size_t capacity) {
    indexer.reset();
    // 64 spare entries: room for the sentinels behind a full index.
    auto error = simdjson::get_active_implementation()->create_dom_parser_implementation(capacity + 64, 1, indexer);
    if (error != simdjson::SUCCESS) std::abort();  // out of memory, which is no property of the input
    indexerCapacity = capacity;
  }

  /// Decodes the record at `position` not knowing where its line ends. False: it is for `decodeLine`.
  bool decodeWithoutLimit() {
    auto limit = uint32_t(writer.bytes + blockEnd - base);
    skipBlankLines(limit);
    if (position == blockEnd) return true;
    const uint32_t *first = cursor;
    writer.beginRecord();
    hasBlanks = false;
    size_t end = 0;
    if (WEIR_LIKELY(parseRecord(limit, false) && findLineEnd(end))) {
      size_t length = end - position;
      size_t next = end + (end != blockEnd);
      if (length > 0 && writer.bytes[end - 1] == '\r') --length;
      writer.commit(position, length);
      position = next;
      return true;
    }
    writer.abandon();
    cursor = first;
    nextBackslash = nullptr;
    mode = Mode::withinLimits;
    return false;
  }

  /// Moves to the line of the next token, or to the block's end.
  void skipBlankLines(uint32_t limit) {
    Text token = base + (*cursor < limit ? *cursor : limit);
    if (WEIR_LIKELY(token == writer.bytes + position)) return;
    Text start = writer.bytes + position;
    auto newline = static_cast<Text>(memrchr(start, '\n', size_t(token - start)));
    if (newline) position = size_t(newline - writer.bytes) + 1;
    if (*cursor >= limit) position = blockEnd;
  }

  /// The line end behind the record that was just walked; false when there is text before it, or a line end in the record.
  bool findLineEnd(size_t &end) {
    Text close = base + cursor[-1];
    Text at = close + 1, stop = base + cursor[0];
    while (at != stop && *at != '\n') ++at;
    if (at == stop && stop != writer.bytes + blockEnd) return false;
    end = size_t(at - writer.bytes);
    Text start = writer.bytes + position;
    return !hasBlanks || !std::memchr(start, '\n', size_t(close - start));
  }

  void decodeLine() {
    size_t start = position;
    Text line = writer.bytes + start;
    auto newline = static_cast<Text>(std::memchr(line, '\n', blockEnd - start));
    size_t end = newline ? size_t(newline - writer.bytes) : blockEnd;
    position = newline ? end + 1 : end;
    size_t length = end - start;
    if (length > 0 && line[length - 1] == '\r') --length;
    if (mode == Mode::lineByLine) {
      if (length == 0) return;
      Reason reason = length <= maxRecordBytes ? indexLine(line, end - start) : Reason(WEIR_RECORD_TOO_LONG);
      if (reason != WEIR_OK) return rejectLine(start, length, reason);
    }
    auto limit = uint32_t(writer.bytes + end - base);
    if (*cursor >= limit) return;  // blank
    const uint32_t *first = cursor;
    writer.beginRecord();
    if (WEIR_LIKELY(parseRecord(limit, true))) return writer.commit(start, length);
    writer.reject(start, length, rejection);
    cursor = first;
    while (*cursor < limit) ++cursor;
    nextBackslash = nullptr;
  }

  Reason indexLine(Text line, size_t length) {
    switch (index(line, length)) {
      case simdjson::SUCCESS: return WEIR_OK;
      case simdjson::UTF8_ERROR: return WEIR_INVALID_UTF8;
      case simdjson::UNESCAPED_CHARS: return WEIR_CONTROL_CHARACTER;
      case simdjson::UNCLOSED_STRING: return WEIR_UNCLOSED_STRING;
      default: return WEIR_UNREADABLE;
    }
  }

  void rejectLine(size_t start, size_t length, Reason reason) {
    writer.beginRecord();
    writer.reject(start, length, writer.describe(reason, writer.bytes + start, length, -1));
  }

  // Records

  /// Walks the record at `cursor`, all of whose entries are below `limit`. False: it is no JSON object (`rejection`).
  __attribute__((always_inline)) bool parseRecord(uint32_t limit, bool isWholeLine) {
    Text base = this->base;
    const uint32_t *entry = cursor;
    if (WEIR_UNLIKELY(base[*entry] != '{')) return refuse(WEIR_NOT_AN_OBJECT, *entry, limit);
    uint32_t before = *entry++;
    uint32_t gaps = 0;
    if (WEIR_UNLIKELY(base[*entry] == '}')) {
      if (*entry >= limit) return refuse(WEIR_INCOMPLETE, limit, limit);
      gaps = *entry++ - before - 1;
    } else {
      NameSlot *slot = nullptr;
      for (NameSlot **link = &firstSlot;; link = &slot->next) {
        Text lead = base + before + 1;
        NameSlot *expected = *link;
        // Behind the lead comes the value, the third token; or blanks before it: then it is not plain.
        if (WEIR_LIKELY(expected->leads(lead) && entry[3] < limit &&
                        takePlainValue(expected->field, lead + expected->leadLength, base + entry[3]))) {
          slot = expected;
          before = entry[3];
          entry += 4;
        } else {
          entry = takeField(slot, link, before, entry, limit, gaps);
          slot = *link;
          if (WEIR_UNLIKELY(!entry)) return false;
          before = *entry++;
          if (WEIR_UNLIKELY(before >= limit)) return refuse(WEIR_INCOMPLETE, limit, limit);
        }
        if (base[before] == ',') continue;
        if (WEIR_LIKELY(base[before] == '}')) break;
        return refuse(WEIR_EXPECTED_COMMA, before, limit);
      }
    }
    if (isWholeLine && WEIR_UNLIKELY(*entry < limit)) return refuse(WEIR_TRAILING_TEXT, *entry, limit);
    hasBlanks |= gaps != 0;
    cursor = entry;
    return true;
  }

  /// Takes a field of any kind, wherever its tokens stand, behind the one of slot `last`. Null after `refuse`.
  __attribute__((noinline)) const uint32_t *takeField(
      NameSlot *last, NameSlot **link, uint32_t before, const uint32_t *entry, uint32_t limit, uint32_t &gaps) {
    Text lead = base + before + 1, name = base + entry[0];
    bool isExpected = (*link)->leads(lead);
    if (!isExpected && !(*link)->names(name)) {
      NameSlot *behind = last ? successor(last) : slots;
      NameSlot *found = findSlot(behind, entry, limit);
      *link = found ? found : behind;
      if (!found) return nullptr;
    }
    NameSlot &slot = **link;
    if (entry[1] >= limit || base[entry[1]] != ':') return refuse(WEIR_EXPECTED_COLON, entry[1], limit, slot.field), nullptr;
    if (entry[2] >= limit) return refuse(WEIR_INCOMPLETE, limit, limit, slot.field), nullptr;
    if (isExpected) {
      gaps |= uint32_t(base + entry[2] - (lead + slot.leadLength));
    } else {
      gaps |= (entry[0] - before - 1) | (entry[1] - entry[0] - slot.nameLength) | (entry[2] - entry[1] - 1);
      slot.learnLead(lead, name, base + entry[2]);
    }
    Field *field = slot.field;
    Text value = base + entry[2], end = base + entry[3];
    if (!field) return isPlainText(value, end) ? entry + 3 : skip(entry + 2, limit, nullptr);
    writer.see(*field);
    return storePlainValue(*field, value, end) ? entry + 3 : storeValue(*field, entry + 2, limit);
  }

  /// Takes a value that should begin at `value` and end before `end`; false, and nothing noted, where it is not plain.
  __attribute__((always_inline)) bool takePlainValue(Field *field, Text value, Text end) {
    if (WEIR_UNLIKELY(!field)) return isPlainText(value, end);
    if (WEIR_UNLIKELY(!storePlainValue(*field, value, end))) return false;
    writer.see(*field);
    return true;
  }

  /// The slot behind `slot`; the last one is its own.
  NameSlot *successor(NameSlot *slot) { return slot + (slot != slots + kSlots - 1); }

  /// The slot of a name that was not predicted: `slot` or one of the next few (fields were left out), else learned here.
  NameSlot *findSlot(NameSlot *slot, const uint32_t *entry, uint32_t limit) {
    NameSlot *last = slots + kSlots - 1;
    for (size_t ahead = 0; ahead <= kLookahead && slot + ahead < last; ++ahead) {
      if (slot[ahead].names(base + *entry)) return slot + ahead;
    }
    if (*entry >= limit || base[*entry] != '"') return refuse(WEIR_EXPECTED_NAME, *entry, limit), nullptr;
    if (entry[1] >= limit || base[entry[1]] != ':') return refuse(WEIR_EXPECTED_COLON, entry[1], limit), nullptr;
    Text start = base + *entry + 1;
    Text end = closingQuote(entry);
    Text name = start;
    size_t length = size_t(end - start);
    if (hasEscape(start, end)) {
      Reason reason = unescapeToScratch(start, end, length);
      if (reason != WEIR_OK) return refuse(reason, *entry, limit), nullptr;
      name = writer.scratch.items;
    }
    slot->learn(start - 1, size_t(end - start) + 2, names.find(name, length));
    return slot;
  }

  // Values. Each takes the value's entry and returns the entry behind it, null after `refuse`.

  /// Whether the value is a string without escapes and with no blank behind.
  __attribute__((always_inline)) bool isPlainText(Text value, Text end) {
    return *value == '"' && end[-1] == '"' && !hasEscape(value + 1, end - 1);
  }

  /// Stores the values that records mostly have: no escapes, no blank behind, nothing wrong. False: `storeValue` decides.
  __attribute__((always_inline)) bool storePlainValue(Field &field, Text value, Text end) {
    if (field.kind == WEIR_KIND_STRING) {  // most are
      if (!isPlainText(value, end)) return false;
      field.storeView(writer.row, uint64_t(value + 1 - writer.bytes), uint64_t(end - value - 2));
      return true;
    }
    int64_t number;
    switch (field.kind) {
      case WEIR_KIND_TIMESTAMP:
        if (!isPlainText(value, end)) return false;
        if (readTimestamp(value + 1, end - 1, field.memo, number) != WEIR_OK) return false;
        field.store(writer.row, number);
        return true;
      case WEIR_KIND_DECIMAL64:
        if (readDecimal64(value, end, field.precision, field.scale, number) != WEIR_OK) return false;
        field.store(writer.row, number);
        return true;
      case WEIR_KIND_INT64:
        if (!readShortDecimal(value, end, 0, number)) return false;
        field.store(writer.row, number);
        return true;
      case WEIR_KIND_BOOLEAN: {
        bool isTrue = isLiteral(value, end, "true", 4);
        if (!isTrue && !isLiteral(value, end, "false", 5)) return false;
        field.store(writer.row, uint8_t(isTrue));
        return true;
      }
      default:
        return false;
    }
  }

  /// Stores any value, or notes what is wrong with it.
  const uint32_t *storeValue(Field &field, const uint32_t *entry, uint32_t limit) {
    Reason reason = WEIR_WRONG_TYPE;
    Text value = base + entry[0];
    if (*value == '"') {
      Text start = value + 1, end = closingQuote(entry);
      if (WEIR_UNLIKELY(hasEscape(start, end))) {
        reason = storeEscaped(field, start, end);
      } else if (field.kind == WEIR_KIND_STRING) {
        field.storeView(writer.row, uint64_t(start - writer.bytes), uint64_t(end - start));
        reason = WEIR_OK;
      } else {
        reason = writer.storeQuoted(field, start, end);
      }
    } else if (*value == '-' || isDigit(*value)) {
      reason = writer.storeNumber(field, value, tokenEnd(entry));
    } else if (field.kind == WEIR_KIND_BOOLEAN) {
      reason = storeBoolean(field, value, tokenEnd(entry));
    }
    return WEIR_LIKELY(reason == WEIR_OK) ? entry + 1 : storeOddValue(field, entry, limit, reason);
  }

  Reason storeBoolean(Field &field, Text text, Text end) {
    bool value = isLiteral(text, end, "true", 4);
    if (!value && !isLiteral(text, end, "false", 5)) return WEIR_WRONG_TYPE;
    field.store(writer.row, uint8_t(value));
    return WEIR_OK;
  }

  Reason storeEscaped(Field &field, Text start, Text end) {
    size_t length;
    Reason reason = unescapeToScratch(start, end, length);
    if (reason != WEIR_OK) return reason;
    if (field.kind != WEIR_KIND_STRING) return writer.storeQuoted(field, writer.scratch.items, writer.scratch.items + length);
    writer.storeCopiedText(field, writer.scratch.items, length);
    return WEIR_OK;
  }

  /// A null, or a value that is not the field's: that is checked as JSON and noted.
  const uint32_t *storeOddValue(Field &field, const uint32_t *entry, uint32_t limit, Reason reason) {
    const uint32_t *next = skip(entry, limit, &field);
    if (!next) return nullptr;
    Text value = base + *entry;
    Text end = base + (*next < limit ? *next : limit);
    while (end - value > 1 && isBlank(end[-1])) --end;
    if (isLiteral(value, end, "null", 4)) {
      if (field.nullable) {
        field.setNull(writer.row);
        return next;
      }
      reason = WEIR_IS_NULL;
    }
    writer.fail(field, reason, value, size_t(end - value));
    return next;
  }

};

}  // namespace weir

extern "C" weir_decoder *weir_json_decoder_create(
    const weir_field *fields, size_t field_count, size_t max_record_bytes, size_t max_depth) {
  return new weir::JSONDecoder(fields, field_count, max_record_bytes, max_depth);
}
