import Foundation
import TestSupport
import Testing

@testable import Views

struct SortedRunTests {
  private func run(_ entries: [(String, String?)]) -> SortedRun {
    var builder = SortedRunBuilder()
    for (key, value) in entries {
      Array(key.utf8).withUnsafeBytes { key in
        if let value { Array(value.utf8).withUnsafeBytes { builder.append(key, $0) } } else { builder.append(key, nil) }
      }
    }
    return builder.finish()
  }

  private func content(_ run: SortedRun) -> [String] {
    (0..<run.count).map { index in
      let key = String(decoding: run.key(index), as: UTF8.self)
      return key + "=" + (run.value(index).map { String(decoding: $0, as: UTF8.self) } ?? "gone")
    }
  }

  @Test func merging_putsTheNewerInThePlaceOfTheOlder() {
    let merged = SortedRun.merge(
      run([("a", "1"), ("b", "1"), ("d", "1")]), run([("b", nil), ("c", "2"), ("d", "2")]), spillFolder: nil)
    #expect(content(merged) == ["a=1", "b=gone", "c=2", "d=2"])
    #expect(content(SortedRun.merge(run([]), run([("a", "")]), spillFolder: nil)) == ["a="])
  }

  @Test func aLargeRun_liesInAFileThatHasNoName() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-run-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let value = String(repeating: "x", count: 1 << 20)
    let large = run((10..<30).map { ("key-\($0)", value) })
    let merged = SortedRun.merge(large, run([("key-15", "small")]), spillFolder: folder.path)
    #expect(merged.heapBytes == 0 && merged.sizeBytes > 19 << 20)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    #expect(content(merged)[5] == "key-15=small" && content(merged)[19].count == value.count + 7)
    // Where there is no room for it, memory has to do.
    #expect(SortedRun.merge(large, run([]), spillFolder: "/nowhere").heapBytes > 19 << 20)
  }
}
