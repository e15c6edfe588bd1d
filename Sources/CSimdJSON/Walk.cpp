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
// Functions that the compiler makes by itself take no target from the pragma and could not inline others by force; the walk
// is `flatten` instead.
#define simdjson_inline inline
#include <simdjson.h>

namespace {

using namespace simdjson;

inline uint64_t mix(uint64_t sum, std::string_view text) {
  uint64_t word = 0;
  std::memcpy(&word, text.data(), text.size() < 8 ? text.size() : 8);
  return (sum ^ word) * 0x9E3779B97F4A7C15ull + text.size();
}

/// Reads one record's fields in their order; a missing or null one counts as empty.
inline bool walkRecord(ondemand::object record, uint64_t &sum) {
  auto text = [&](std::string_view name) {
    ondemand::value value;
    if (record.find_field_unordered(name).get(value)) return;
    std::string_view string;
    if (!value.get_string().get(string)) sum = mix(sum, string);
  };
  auto flag = [&](std::string_view name) {
    bool value;
    if (!record.find_field_unordered(name).get_bool().get(value)) sum += value;
  };
  text("record_id");
  text("account_id");
  text("msisdn");
  text("service");
  text("started_at");
  ondemand::value quantity;
  if (record.find_field_unordered("quantity").get(quantity)) return false;
  sum = mix(sum, quantity.raw_json_token());
  text("destination");
  text("country");
  flag("roaming");
  flag("international");
  text("cell_id");
  return true;
}

__attribute__((flatten)) int64_t walk(const uint8_t *bytes, size_t length, uint64_t *checksum) {
  ondemand::parser parser;
#ifdef SIMDJSON_THREADS_ENABLED
  parser.threaded = false;  // the limit is one core's
#endif
  ondemand::document_stream stream;
  if (parser.iterate_many(bytes, length, 1 << 20).get(stream)) return -1;
  int64_t rows = 0;
  uint64_t sum = 0;
  for (auto document : stream) {
    ondemand::object record;
    if (document.get_object().get(record) || !walkRecord(record, sum)) return -1;
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
  return walk(bytes, length, checksum);
}

#if defined(__x86_64__)
#pragma clang attribute pop
#endif
