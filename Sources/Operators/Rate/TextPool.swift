import StreamModel

/// Texts that come again and again in a column, each stored once: views into one area that batches share.
///
/// One owner. `area` holds every text given so far and is never written again; later texts go to a new one.
final class TextPool {
  private var bytes: [UInt8] = []
  private var views: [String: UInt64] = [:]
  private var frozen: Memory?

  /// The view of `text`.
  func view(of text: String) -> UInt64 {
    if let view = views[text] { return view }
    let view = packView(start: bytes.count, length: text.utf8.count)
    bytes.append(contentsOf: text.utf8)
    views[text] = view
    frozen = nil
    return view
  }

  /// What the views point into.
  var area: Memory {
    if let frozen { return frozen }
    let area = Memory(capacityBytes: bytes.count)
    bytes.withUnsafeBytes { source in
      if let start = source.baseAddress { area.base.copyMemory(from: start, byteCount: source.count) }
    }
    frozen = area
    return area
  }
}
