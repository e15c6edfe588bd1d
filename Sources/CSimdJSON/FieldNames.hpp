// Finding fields by name: a hash table, and before it a prediction that a record's fields come in the order of the last one's.
#pragma once

#include "RowWriter.hpp"

namespace weir {

/// The raw text of a name that some record had at this place, quotes included, and the field it is.
struct alignas(64) NameSlot {
  static constexpr size_t kMostBytes = 62;  // below the padding behind a chunk
  uint64_t words[2] = {0, 0};
  uint64_t masks[2] = {~0ull, ~0ull};  // matches nothing: no name begins with a zero byte
  Field *field = nullptr;              // null: a field that the schema lacks
  NameSlot *next = nullptr;  // the slot of the name that came behind it the last time
  uint32_t length = 0;
  uint8_t text[64] = {};

  bool matches(Text at) const {
    if ((((load8(at) ^ words[0]) & masks[0]) | ((load8(at + 8) ^ words[1]) & masks[1])) != 0) return false;
    return length <= 16 || std::memcmp(at + 16, text + 16, length - 16) == 0;
  }

  void learn(Text at, size_t textLength, Field *target) {
    NameSlot *follower = next;
    *this = NameSlot();
    next = follower;
    field = target;
    if (textLength > kMostBytes) return;
    length = uint32_t(textLength);
    std::memcpy(text, at, textLength);
    for (int index = 0; index < 2; ++index) {
      words[index] = load8(text + 8 * index);
      size_t used = textLength > size_t(8 * index) ? textLength - size_t(8 * index) : 0;
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
