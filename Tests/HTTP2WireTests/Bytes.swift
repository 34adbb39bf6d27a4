import HTTP2Wire

/// The bytes that hexadecimal digits stand for, spaces aside.
func hex(_ text: String) -> [UInt8] {
  let digits = text.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue!) }
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func ascii(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

extension RandomNumberGenerator {
  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in .random(in: 0...255, using: &self) } }

  /// `bytes` in pieces of random length.
  mutating func pieces(of bytes: [UInt8], atMost most: Int) -> [ArraySlice<UInt8>] {
    var pieces: [ArraySlice<UInt8>] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = rest.prefix(.random(in: 1...most, using: &self))
      rest = rest.dropFirst(piece.count)
      pieces.append(piece)
    }
    return pieces
  }
}

/// A frame as it should not be, or as `FrameWriter` does not write it.
func rawFrame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
  let length = payload.count
  return [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
    + (0..<4).map { UInt8(truncatingIfNeeded: stream >> (24 - 8 * $0)) } + payload
}

extension FrameReader {
  /// All frames of one piece of input.
  mutating func frames(_ bytes: ArraySlice<UInt8>) throws(HTTP2Error) -> [Frame] {
    var input = bytes
    var frames: [Frame] = []
    while let frame = try next(from: &input) { frames.append(frame) }
    return frames
  }

  /// A reader that has the preface and the peer's SETTINGS behind it.
  static func started(
    _ role: Endpoint = .server, maximumFrameSize: Int = 16_384, maximumHeaderBlock: Int = 32_768
  ) throws(HTTP2Error) -> FrameReader {
    var reader = FrameReader(
      role: role, maximumFrameSize: maximumFrameSize, maximumHeaderBlock: maximumHeaderBlock)
    _ = try reader.frames((role == .server ? clientPreface : [])[...] + rawFrame(4)[...])
    return reader
  }
}
