import HTTP2Wire
import Testing

@Suite struct FrameWriterTests {
  @Test func writtenFramesAreReadAgain() throws {
    var bytes: [UInt8] = []
    let settings = [Setting(.initialWindowSize, 1 << 20), Setting(.maximumFrameSize, 1 << 20)]
    FrameWriter.appendSettings(settings, to: &bytes)
    FrameWriter.appendSettingsAcknowledgement(to: &bytes)
    FrameWriter.appendHeaders(stream: 7, endStream: true, to: &bytes) { $0 += [0x82, 0x86] }
    FrameWriter.appendData([1, 2, 3], stream: 7, endStream: false, to: &bytes)
    FrameWriter.appendData([], stream: 7, endStream: true, to: &bytes)
    FrameWriter.appendReset(stream: 0x7fff_ffff, code: .refusedStream, to: &bytes)
    FrameWriter.appendPing(data: 0xfedc_ba98_7654_3210, acknowledgement: false, to: &bytes)
    FrameWriter.appendPing(data: 1, acknowledgement: true, to: &bytes)
    FrameWriter.appendGoAway(lastStream: 9, code: .noError, debugData: [65], to: &bytes)
    FrameWriter.appendWindowUpdate(stream: 5, increment: 0x7fff_ffff, to: &bytes)
    var reader = FrameReader(role: .client)
    #expect(
      try reader.frames(bytes[...]) == [
        .settings(settings), .settingsAcknowledged, .headers(stream: 7, block: [0x82, 0x86], endStream: true),
        .data(stream: 7, bytes: [1, 2, 3], flowControlled: 3, endStream: false),
        .data(stream: 7, bytes: [], flowControlled: 0, endStream: true),
        .reset(stream: 0x7fff_ffff, code: .refusedStream), .ping(data: 0xfedc_ba98_7654_3210, acknowledgement: false),
        .ping(data: 1, acknowledgement: true), .goAway(lastStream: 9, code: .noError, debugData: [65]),
        .windowUpdate(stream: 5, increment: 0x7fff_ffff),
      ])
  }

  @Test func bytesAreLaidOutAsInTheRFC() {
    var bytes: [UInt8] = []
    FrameWriter.appendHeaders(stream: 1, endStream: false, to: &bytes) { $0 += [0x82] }
    #expect(bytes == hex("000001 01 04 00000001 82"))
    bytes = []
    FrameWriter.appendSettings([Setting(.maximumFrameSize, 0x12345)], to: &bytes)
    #expect(bytes == hex("000006 04 00 00000000 0005 00012345"))
  }

  @Test(arguments: [0, 1, 9, 10, 11, 20, 35]) func longPayloadsAreSplit(count: Int) throws {
    let payload = (0..<count).map { UInt8($0) }
    var bytes: [UInt8] = [0xee]
    FrameWriter.appendHeaders(stream: 3, endStream: true, maximumFrameSize: 10, to: &bytes) { $0 += payload }
    let headersEnd = bytes.count
    FrameWriter.appendData(payload[...], stream: 3, endStream: true, maximumFrameSize: 10, to: &bytes)
    let pieces = max(1, (count + 9) / 10)
    #expect(bytes.count == 1 + 2 * (9 * pieces + count))
    var reader = try FrameReader.started(maximumFrameSize: 10)
    #expect(try reader.frames(bytes[1..<headersEnd]) == [.headers(stream: 3, block: payload[...], endStream: true)])
    var data: [UInt8] = []
    var ends: [Bool] = []
    for case .data(3, let piece, let taken, let end) in try reader.frames(bytes[headersEnd...]) {
      #expect(taken == piece.count)
      data += piece
      ends.append(end)
    }
    #expect(data == payload)
    #expect(ends == (1...pieces).map { $0 == pieces })
  }

  @Test func settingsStartFromTheInitialValues() {
    var settings = Settings()
    #expect(settings.changesFromInitial.isEmpty)
    settings.headerTableSize = 0
    settings.enablePush = false
    settings.maximumConcurrentStreams = 0
    settings.initialWindowSize = 1
    settings.maximumFrameSize = 1 << 20
    settings.maximumHeaderListSize = 2
    var other = Settings()
    other.apply(settings.changesFromInitial)
    #expect(other == settings)
    other.apply([Setting(.initialWindowSize, 5), Setting(.initialWindowSize, 6)])
    #expect(other.initialWindowSize == 6)
  }
}
