#include "RowWriter.hpp"

extern "C" {

void weir_decoder_destroy(weir_decoder *decoder) { delete decoder; }

void weir_decoder_begin(weir_decoder *decoder, const uint8_t *bytes, size_t length, size_t from) {
  decoder->writer.beginChunk(bytes, length);
  decoder->begin(from);
}

bool weir_decoder_run(weir_decoder *decoder, const weir_column *columns, uint64_t *ranges, size_t row_capacity) {
  decoder->writer.setTargets(columns, ranges);
  return decoder->run(row_capacity);
}

size_t weir_decoder_row_count(const weir_decoder *decoder) { return decoder->writer.row; }

size_t weir_decoder_null_count(const weir_decoder *decoder, size_t field) { return decoder->writer.fields[field].nulls; }

bool weir_decoder_uses_text_area(const weir_decoder *decoder, size_t field) {
  return decoder->writer.fields[field].usesTextArea;
}

size_t weir_decoder_text_area(const weir_decoder *decoder, const uint8_t **bytes) {
  *bytes = decoder->writer.textArea.items;
  return decoder->writer.textArea.count;
}

size_t weir_decoder_bytes_area(const weir_decoder *decoder, const uint8_t **bytes) {
  *bytes = decoder->writer.bytesArea.items;
  return decoder->writer.bytesArea.count;
}

size_t weir_decoder_failures(const weir_decoder *decoder, const weir_failure **failures) {
  *failures = decoder->writer.failures.items;
  return decoder->writer.failures.count;
}

}  // extern "C"
