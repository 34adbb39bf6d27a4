/// The nine bytes before each payload (RFC 9113, section 4.1).
struct FrameHeader {
  static let count = 9

  /// Of the payload, in bytes; 24 bits.
  let length: Int
  let type: UInt8
  let flags: UInt8
  let stream: StreamIdentifier

  init(length: Int, type: FrameType, flags: UInt8, stream: StreamIdentifier) {
    self.length = length
    self.type = type.rawValue
    self.flags = flags
    self.stream = stream
  }

  /// The first nine of `bytes`; the reserved bit is ignored, as the RFC says.
  init(_ bytes: ArraySlice<UInt8>) {
    let start = bytes.startIndex
    length = Int(bytes.bigEndian32(at: start) >> 8)
    type = bytes[start + 3]
    flags = bytes[start + 4]
    stream = bytes.bigEndian32(at: start + 5) & 0x7fff_ffff
  }

  func has(_ flag: UInt8) -> Bool { flags & flag != 0 }
}

enum FrameType: UInt8 {
  case data, headers, priority, reset, settings, pushPromise, ping, goAway, windowUpdate, continuation
}

enum FrameFlag {
  static let endStream: UInt8 = 0x1
  static let acknowledgement: UInt8 = 0x1
  static let endHeaders: UInt8 = 0x4
  static let padded: UInt8 = 0x8
  static let priority: UInt8 = 0x20
}

extension ArraySlice<UInt8> {
  func bigEndian32(at index: Int) -> UInt32 {
    UInt32(self[index]) << 24 | UInt32(self[index + 1]) << 16 | UInt32(self[index + 2]) << 8 | UInt32(self[index + 3])
  }
}

extension [UInt8] {
  mutating func appendBigEndian(_ value: UInt32) {
    append(UInt8(truncatingIfNeeded: value >> 24))
    append(UInt8(truncatingIfNeeded: value >> 16))
    append(UInt8(truncatingIfNeeded: value >> 8))
    append(UInt8(truncatingIfNeeded: value))
  }
}
