/// Integers with a prefix of 1 to 8 bits (RFC 7541, section 5.1).
enum HPACKInteger {
  /// No index, length or table size comes near it; larger ones are refused, as the RFC allows.
  static let maximum = 0x7fff_ffff

  /// - Parameter pattern: the bits above the prefix.
  static func append(_ value: Int, prefix: Int, pattern: UInt8, to output: inout [UInt8]) {
    let full = (1 << prefix) - 1
    guard value >= full else { return output.append(pattern | UInt8(value)) }
    output.append(pattern | UInt8(full))
    var rest = value - full
    while rest >= 128 {
      output.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    output.append(UInt8(rest))
  }

  /// Reads from `offset` on and moves it behind the integer.
  ///
  /// - Throws: COMPRESSION_ERROR when it is cut off, above `maximum` or longer than any below that.
  static func read(prefix: Int, from bytes: Span<UInt8>, at offset: inout Int) throws(HTTP2Error) -> Int {
    let full = (1 << prefix) - 1
    guard offset < bytes.count else { throw cutOff }
    let first = Int(bytes[offset]) & full
    offset += 1
    if first < full { return first }
    return full + (try readRest(from: bytes, at: &offset, atMost: maximum - full))
  }

  private static func readRest(
    from bytes: Span<UInt8>, at offset: inout Int, atMost most: Int
  ) throws(HTTP2Error) -> Int {
    var value = 0
    for shift in stride(from: 0, to: 35, by: 7) {
      guard offset < bytes.count else { throw cutOff }
      let byte = Int(bytes[offset])
      offset += 1
      value |= (byte & 0x7f) << shift
      guard value <= most else { break }
      if byte < 128 { return value }
    }
    throw HTTP2Error(.compressionError, "an integer in a header block is too large")
  }

  private static var cutOff: HTTP2Error { HTTP2Error(.compressionError, "a header block ends within a field") }
}
