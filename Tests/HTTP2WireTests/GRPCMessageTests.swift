import HTTP2Wire
import Testing

@Suite struct GRPCMessageTests {
  private func messages(_ pieces: [ArraySlice<UInt8>], _ reader: inout GRPCMessageReader) throws -> [GRPCMessage] {
    try pieces.flatMap { piece in
      var input = piece
      var messages: [GRPCMessage] = []
      while let message = try reader.next(from: &input) { messages.append(message) }
      #expect(input.isEmpty)
      return messages
    }
  }

  @Test(arguments: UInt64(1)...20) func messagesComeOutAsTheyWentIn(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let sent = (0..<20).map { _ in generator.bytes(.random(in: 0...40, using: &generator)) }
    var wire: [UInt8] = []
    for message in sent { GRPCMessageWriter.append(message[...], compressed: message.count > 20, to: &wire) }
    for most in [1, 5, 6, 60, wire.count] {
      var reader = GRPCMessageReader(maximumMessageSize: 40)
      let received = try messages(generator.pieces(of: wire, atMost: most), &reader)
      #expect(received.map { Array($0.bytes) } == sent)
      #expect(received.map(\.compressed) == sent.map { $0.count > 20 })
      #expect(reader.isBetweenMessages)
    }
  }

  @Test func thePrefixIsAFlagAndABigEndianLength() {
    var bytes: [UInt8] = []
    GRPCMessageWriter.appendPrefix(count: 0x0102_0304, compressed: true, to: &bytes)
    #expect(bytes == [1, 1, 2, 3, 4])
  }

  @Test func aMessageAboveTheBoundIsRefusedByItsPrefix() throws {
    var reader = GRPCMessageReader(maximumMessageSize: 2)
    #expect(try messages([[0, 0, 0, 0, 2, 7, 8]], &reader).map(\.bytes) == [[7, 8]])
    let error = try #require(
      #expect(throws: GRPCFramingError.self) { try messages([[0], [0, 0, 0, 3]], &reader) })
    #expect(error.status == 8)
    #expect(throws: error) { try messages([[0, 0, 0, 0, 0]], &reader) }
  }

  @Test func anUnknownFlagIsRefused() throws {
    var reader = GRPCMessageReader()
    let error = #expect(throws: GRPCFramingError.self) { try messages([[2, 0, 0, 0, 0]], &reader) }
    #expect(error?.status == 13)
  }

  @Test func aCutOffMessageIsSeen() throws {
    var reader = GRPCMessageReader()
    #expect(try messages([[0, 0, 0, 0, 2, 7]], &reader).isEmpty)
    #expect(!reader.isBetweenMessages)
  }

  @Test func statusMessagesArePercentEncoded() {
    #expect(ascii(GRPCStatusMessage.encoded("50% of ü\n~")) == "50%25 of %C3%BC%0A~")
    for (encoded, text) in [
      ("50%25 of %C3%bc%0a~", "50% of ü\n~"), ("100%", "100%"), ("%4", "%4"), ("%zz%41", "%zzA"), ("%%41", "%A"),
      ("%FF", "\u{fffd}"), ("", ""),
    ] {
      #expect(GRPCStatusMessage.decoded(Array(encoded.utf8)[...]) == text)
    }
  }

  @Test(arguments: UInt64(1)...20) func anyTextSurvivesAndAnyBytesAreTaken(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<100 {
      let bytes = generator.bytes(.random(in: 0...30, using: &generator))
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(GRPCStatusMessage.decoded(GRPCStatusMessage.encoded(text)[...]) == text)
      _ = GRPCStatusMessage.decoded(bytes.map { $0 % 4 == 0 ? 37 : $0 }[...])
    }
  }
}
