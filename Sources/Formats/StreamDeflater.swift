/// Packs a stream piece by piece. The same bytes in give the same bytes out, however they are cut. One owner.
package protocol StreamDeflater: AnyObject {
  /// Packs all of `source` and appends what is ready to `target`.
  func deflate(_ source: UnsafeBufferPointer<UInt8>, into target: inout ByteBuffer)
  /// Appends what is left and the stream's end; nothing may follow.
  func finish(into target: inout ByteBuffer)
}

/// How a file is compressed, which the end of its name says.
package enum Compression: String, Sendable, CaseIterable {
  case gzip = ".gz"
  case zstd = ".zst"

  /// Nil for a name that says nothing of compression.
  package init?(ofFile name: String) {
    guard let compression = Compression.allCases.first(where: { name.hasSuffix($0.rawValue) }) else { return nil }
    self = compression
  }

  package func makeDeflater() -> any StreamDeflater {
    switch self {
    case .gzip: GzipDeflater()
    case .zstd: ZstdDeflater()
    }
  }

  package func makeInflater() -> any StreamInflater {
    switch self {
    case .gzip: GzipInflater()
    case .zstd: ZstdInflater()
    }
  }
}
