import NIOCore
import Testing

@testable import RedisClient

@Suite struct ReplyReaderTests {
  static let stream =
    "+OK\r\n:-42\r\n$-1\r\n$0\r\n\r\n$6\r\n\r\n\u{0}a\r\n\r\n*-1\r\n*0\r\n-ERR no\r\n"
    + "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n-ERR inside\r\n$-1\r\n*1\r\n*1\r\n*1\r\n*1\r\n+deep\r\n:9223372036854775807\r\n"
  static let values: [RedisValue] = [
    .status("OK"), .integer(-42), .null, .bulk([]), .bulk(Array("\r\n\u{0}a\r\n".utf8)), .null, .array([]),
    .error("ERR no"),
    .array([.integer(1), .array([.bulk(Array("x".utf8)), .error("ERR inside")]), .null]),
    .array([.array([.array([.array([.status("deep")])])])]), .integer(.max),
  ]

  func read(_ bytes: [UInt8], inPiecesOf size: Int) throws -> [RedisValue] {
    var reader = ReplyReader()
    var values: [RedisValue] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      let piece = bytes[start..<min(start + size, bytes.count)]
      try piece.withUnsafeBytes { try reader.feed($0) }
      while let value = try reader.next() { values.append(value) }
    }
    return values
  }

  @Test func piecesOfEverySizeGiveTheSameValues() throws {
    let bytes = Array(Self.stream.utf8)
    for size in 1...bytes.count { #expect(try read(bytes, inPiecesOf: size) == Self.values, "pieces of \(size)") }
  }

  @Test func randomValuesComeBackAsTheyWereWritten() throws {
    var random = SeededGenerator(seed: 20_240_607)
    for _ in 0..<200 {
      let values = (0..<random.next(in: 1...5)).map { _ in randomValue(depth: 4, &random) }
      let bytes = values.flatMap(encode)
      #expect(try read(bytes, inPiecesOf: random.next(in: 1...40)) == values)
    }
  }

  @Test(arguments: ["HTTP/1.1 400 Bad Request\r\n", "?\r\n", ":abc\r\n", "$x\r\n\r\n", "*1\r\n!\r\n", "\r\n"])
  func rubbishIsAViolationAndStaysOne(_ text: String) {
    var reader = ReplyReader()
    for _ in 0..<2 {
      let violation = #expect(throws: ReplyReader.Violation.self) {
        try Array(text.utf8).withUnsafeBytes { try reader.feed($0) }
        _ = try reader.next()
      }
      #expect(violation?.reason.isEmpty == false)
    }
  }

  @Test func randomBytesNeverCrash() {
    var random = SeededGenerator(seed: 7)
    let alphabet = Array("*$+-:0123456789\r\n\r\n\r\nab\u{0}".utf8)
    for _ in 0..<2_000 {
      // No more than two digits in a row, so that no length asks for gigabytes.
      let bytes = (0..<random.next(in: 1...30)).map { index in
        index % 3 == 2 ? UInt8(ascii: "\r") : alphabet[random.next(in: 0...(alphabet.count - 1))]
      }
      _ = try? read(bytes, inPiecesOf: random.next(in: 1...bytes.count))
    }
  }

  @Test func commandsAreWrittenAsRedisReadsThem() {
    var buffer = ByteBuffer()
    buffer.writeRedisCommand(["SET", RedisArgument([0, 13, 10, 255]), ""])
    #expect(
      Array(buffer.readableBytesView) == Array("*3\r\n$3\r\nSET\r\n$4\r\n".utf8) + [0, 13, 10, 255]
        + Array("\r\n$0\r\n\r\n".utf8))
  }

  func randomValue(depth: Int, _ random: inout SeededGenerator) -> RedisValue {
    switch random.next(in: 0...(depth == 0 ? 4 : 6)) {
    case 0: .status(String(repeating: "s", count: random.next(in: 0...20)))
    case 1: .integer(Int64(truncatingIfNeeded: Int(random.next() >> 1)))
    case 2: .null
    case 3: .error("ERR \(random.next(in: 0...9))")
    case 4: .bulk((0..<random.next(in: 0...300)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    default: .array((0..<random.next(in: 0...4)).map { _ in randomValue(depth: depth - 1, &random) })
    }
  }

  func encode(_ value: RedisValue) -> [UInt8] {
    switch value {
    case .status(let text): Array("+\(text)\r\n".utf8)
    case .error(let text): Array("-\(text)\r\n".utf8)
    case .integer(let number): Array(":\(number)\r\n".utf8)
    case .null: Array("$-1\r\n".utf8)
    case .bulk(let bytes): Array("$\(bytes.count)\r\n".utf8) + bytes + Array("\r\n".utf8)
    case .array(let values): Array("*\(values.count)\r\n".utf8) + values.flatMap(encode)
    }
  }
}

/// SplitMix64: the same numbers at every run.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  mutating func next(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}
