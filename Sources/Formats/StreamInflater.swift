/// Unpacks a compressed stream piece by piece, whatever the cuts. One owner.
///
/// Call `inflate` while there is input or it fills its output, and `finish` where the input ends.
package protocol StreamInflater: AnyObject {
  /// Unpacks from the front of `source` to the front of `target`, until one of them is used up. `isAtEnd` says whether the
  /// stream may end behind what was consumed: all of it is out.
  func inflate(
    from source: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>
  ) throws(FormatError) -> (consumed: Int, produced: Int, isAtEnd: Bool)
  /// Says that no input follows. Throws where the stream is cut short.
  func finish() throws(FormatError)
}
