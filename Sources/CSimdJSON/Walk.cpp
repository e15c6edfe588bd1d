// simdjson On-Demand at its best on usage records: the limit that decoding is measured against.
//
// On-Demand is compiled for one instruction set. A program that wants its speed is compiled for the machine; here this one
// file is, on x86-64, where the processor has AVX2.
#include <algorithm>
#include <atomic>
#include <cassert>
#include <cfloat>
#include <cinttypes>
#include <climits>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <iomanip>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "include/CSimdJSON.h"

#if defined(__x86_64__)
#define SIMDJSON_BUILTIN_IMPLEMENTATION haswell
#pragma clang attribute push(__attribute__((target("avx2,bmi,pclmul,lzcnt,popcnt"))), apply_to = function)
#endif
#include <simdjson.h>

namespace {

using namespace simdjson;

#define WALK_INLINE inline __attribute__((always_inline))

WALK_INLINE uint64_t mix(uint64_t sum, std::string_view text) {
  return sum * 31 + text.size() + (text.empty() ? 0 : uint8_t(text.back()));
}

// Names are literals where they are looked for, so that comparing them is a comparison of words.

WALK_INLINE void text(ondemand::object &record, std::string_view name, uint64_t &sum) {
  ondemand::value value;
  std::string_view string;
  if (!record.find_field(name).get(value) && !value.get_string().get(string)) sum = mix(sum, string);
}

WALK_INLINE void flag(ondemand::object &record, std::string_view name, uint64_t &sum) {
  bool value;
  if (!record.find_field(name).get_bool().get(value)) sum += value;
}

/// Reads one record's fields in their order; a null one counts as empty. Brief records have no msisdn, destination, cell_id.
template <bool brief>
WALK_INLINE bool walkRecord(ondemand::object &record, uint64_t &sum) {
  text(record, "record_id", sum);
  text(record, "account_id", sum);
  if (!brief) text(record, "msisdn", sum);
  text(record, "service", sum);
  text(record, "started_at", sum);
  ondemand::value quantity;
  if (record.find_field("quantity").get(quantity)) return false;
  sum = mix(sum, quantity.raw_json_token());
  if (!brief) text(record, "destination", sum);
  text(record, "country", sum);
  flag(record, "roaming", sum);
  flag(record, "international", sum);
  if (!brief) text(record, "cell_id", sum);
  return true;
}

/// Holds a stream without ever destroying the result that carries it: that destructor is made by the compiler, takes no
/// target from the pragma, and could not inline the stream's own.
class StreamHolder {
 public:
  StreamHolder(ondemand::parser &parser, const uint8_t *bytes, size_t length) {
    result = new (storage) Result(parser.iterate_many(bytes, length, 1 << 20));
  }
  ~StreamHolder() { result->value_unsafe().~document_stream(); }
  bool failed() const { return result->error() != SUCCESS; }
  ondemand::document_stream &stream() { return result->value_unsafe(); }

 private:
  using Result = simdjson_result<ondemand::document_stream>;
  alignas(Result) unsigned char storage[sizeof(Result)];
  Result *result;
};

template <bool brief>
int64_t walk(const uint8_t *bytes, size_t length, uint64_t *checksum) {
  ondemand::parser parser;
#ifdef SIMDJSON_THREADS_ENABLED
  parser.threaded = false;  // the limit is one core's
#endif
  StreamHolder holder(parser, bytes, length);
  if (holder.failed()) return -1;
  int64_t rows = 0;
  uint64_t sum = 0;
  for (auto document : holder.stream()) {
    ondemand::object record;
    if (document.get_object().get(record) || !walkRecord<brief>(record, sum)) return -1;
    ++rows;
  }
  *checksum = sum;
  return rows;
}

}  // namespace

extern "C" int64_t weir_simdjson_walk(const uint8_t *bytes, size_t length, uint64_t *checksum) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi")) return -1;
#endif
  std::string_view first(reinterpret_cast<const char *>(bytes), std::min<size_t>(length, 1024));
  bool isBrief = first.substr(0, first.find('\n')).find("\"msisdn\"") == std::string_view::npos;
  return isBrief ? walk<true>(bytes, length, checksum) : walk<false>(bytes, length, checksum);
}

#if defined(__x86_64__)
#pragma clang attribute pop
#endif
