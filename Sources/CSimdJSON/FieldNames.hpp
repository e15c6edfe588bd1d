// Finding fields by name: a hash table, and before it a prediction that a record's fields come in the order of the last one's.
#pragma once

#include "RowWriter.hpp"

namespace weir {

/// The raw text of a name that some record had at this place, quotes included, and the field it is.
///
/// Its *lead* is the text from the bracket or comma before the name to the value: the name, the colon and the blanks that the
/// feed puts there. A record that has the same text at the same place needs no look at its tokens.
struct alignas(64) NameSlot {
  static constexpr size_t kMostBytes = 62;  // below the padding behind a chunk
  uint64_t words[2] = {0, 0};
  uint64_t masks[2] = {~0ull, ~0ull};  // matches nothing: no lead begins with a zero byte
  Field *field = nullptr;              // null: a field that the schema lacks
  NameSlot *next = nullptr;  // the slot of the name that came behind it the last time
  uint16_t leadLength = 0;
  uint8_t nameStart = 0;
  uint8_t nameLength = 0;
  uint8_t text[64] = {};

  /// Whether the lead is what stands at `at`.
  bool leads(Text at) const {
    if ((((load8(at) ^ words[0]) & masks[0]) | ((load8(at + 8) ^ words[1]) & masks[1])) != 0) return false;
    return leadLength <= 16 || std::memcmp(at + 16, text + 16, leadLength - 16) == 0;
  }

  /// Whether the name is what stands at `at`.
  bool names(Text at) const { return nameLength > 0 && std::memcmp(at, text + nameStart, nameLength) == 0; }

  /// Takes over a name, with a lead that has no blanks.
  void learn(Text name, size_t length, Field *target) {
    NameSlot *follower = next;
    *this = NameSlot();
    next = follower;
    field = target;
    if (length >= kMostBytes) return;
    nameLength = uint8_t(length);
    std::memcpy(text, name, length);
    text[length] = ':';
    expectLead(length + 1);
  }

  /// Takes over how the name that is held stands in the text: `start` is behind the bracket or comma before it. Line ends
  /// are no part of a lead, so that none can lie in a record that is walked by its leads.
  void learnLead(Text start, Text name, Text value) {
    size_t length = size_t(value - start);
    if (length > kMostBytes || nameLength == 0) return;
    for (Text at = start; at != value; ++at) {
      if (at < name || at >= name + nameLength) {
        if (*at != ' ' && *at != '\t' && *at != ':') return;
      }
    }
    nameStart = uint8_t(name - start);
    std::memcpy(text, start, length);
    expectLead(length);
  }

 private:
  void expectLead(size_t length) {
    leadLength = uint16_t(length);
    for (int index = 0; index < 2; ++index) {
      words[index] = load8(text + 8 * index);
      size_t used = length > size_t(8 * index) ? length - size_t(8 * index) : 0;
      masks[index] = used >= 8 ? ~0ull : (1ull << (8 * used)) - 1;
    }
  }
};

/// Fields by the bytes of their names. Open addressing, half full at most.
class NameTable {
 public:
  NameTable(Field *fields, size_t count) : fields(fields) {
    size_t size = 8;
    while (size < count * 2) size *= 2;
    mask = size - 1;
    slots.reserve(size);
    for (size_t index = 0; index < size; ++index) slots.items[index] = -1;
    for (size_t index = 0; index < count; ++index) insert(int32_t(index));
  }

  Field *find(Text name, size_t length) const {
    for (size_t slot = hash(name, length) & mask; slots.items[slot] >= 0; slot = (slot + 1) & mask) {
      Field &field = fields[slots.items[slot]];
      if (field.nameLength == length && std::memcmp(field.name, name, length) == 0) return &field;
    }
    return nullptr;
  }

 private:
  Field *fields;
  size_t mask;
  Area<int32_t> slots;

  static size_t hash(Text name, size_t length) {
    uint64_t state = 0xcbf29ce484222325ull;  // FNV-1a
    for (size_t index = 0; index < length; ++index) state = (state ^ name[index]) * 0x100000001b3ull;
    return size_t(state ^ state >> 29);
  }

  void insert(int32_t index) {
    size_t slot = hash(fields[index].name, fields[index].nameLength) & mask;
    while (slots.items[slot] >= 0) slot = (slot + 1) & mask;
    slots.items[slot] = index;
  }
};

}  // namespace weir
