/// The Huffman code for strings in header blocks (RFC 7541, section 5.2 and appendix B).
///
/// The code is canonical: codes of one length are consecutive numbers in the order of their symbols, and a longer code
/// goes on from the last shorter one. So the lengths say it all, and the codes are computed from them, once.
enum HuffmanCode {
  /// The symbol that ends a string and is never sent.
  static let endOfString = 256

  /// Bits of each symbol's code: bytes 0 to 255, 16 a line, and the end of string.
  static let lengths: [UInt8] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
  ]

  /// Each symbol's code, in the lowest bits.
  static let codes: [UInt32] = {
    var codes = [UInt32](repeating: 0, count: lengths.count)
    var next: UInt32 = 0
    for length in 5...30 {
      for symbol in lengths.indices where lengths[symbol] == length {
        codes[symbol] = next
        next += 1
      }
      next <<= 1
    }
    return codes
  }()

  /// Bytes that `text` takes when encoded.
  static func encodedCount(_ text: ArraySlice<UInt8>) -> Int {
    let lengths = lengths
    var bits = 7
    for byte in text { bits += Int(lengths[Int(byte)]) }
    return bits / 8
  }

  static func append(_ text: ArraySlice<UInt8>, to output: inout [UInt8]) {
    let (codes, lengths) = (codes, lengths)
    var pending: UInt64 = 0
    var count = 0
    for byte in text {
      count += Int(lengths[Int(byte)])
      pending = pending << UInt64(lengths[Int(byte)]) | UInt64(codes[Int(byte)])
      while count >= 8 {
        count -= 8
        output.append(UInt8(truncatingIfNeeded: pending >> UInt64(count)))
      }
    }
    // The first bits of the end of string are ones.
    if count > 0 { output.append(UInt8(truncatingIfNeeded: pending << UInt64(8 - count)) | UInt8(0xff) >> count) }
  }
}
