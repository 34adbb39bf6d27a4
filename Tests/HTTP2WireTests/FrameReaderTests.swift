import HTTP2Wire
import Testing

@Suite struct FrameReaderTests {
  /// One of each frame, as the RFC's figures lay them out, and what they mean.
  static let examples: [(bytes: [UInt8], frame: Frame?)] = [
    (rawFrame(0, flags: 1, stream: 1, [7, 8]), .data(stream: 1, bytes: [7, 8], flowControlled: 2, endStream: true)),
    (
      rawFrame(0, flags: 8, stream: 1, [2, 7, 0, 0]),
      .data(stream: 1, bytes: [7], flowControlled: 4, endStream: false)
    ),
    (rawFrame(0, flags: 8, stream: 1, [0]), .data(stream: 1, bytes: [], flowControlled: 1, endStream: false)),
    (rawFrame(1, flags: 5, stream: 3, [0x82]), .headers(stream: 3, block: [0x82], endStream: true)),
    (
      rawFrame(1, flags: 0x2c, stream: 3, [1, 0, 0, 0, 5, 9, 0x82, 0]),
      .headers(stream: 3, block: [0x82], endStream: false)
    ),
    (
      rawFrame(1, flags: 1, stream: 3, [1]) + rawFrame(9, stream: 3, [2]) + rawFrame(9, flags: 4, stream: 3, [3]),
      .headers(stream: 3, block: [1, 2, 3], endStream: true)
    ),
    (rawFrame(2, stream: 5, [0, 0, 0, 1, 2]), .priority(stream: 5)),
    (rawFrame(3, stream: 5, [0, 0, 0, 8]), .reset(stream: 5, code: .cancel)),
    (rawFrame(4, [0, 3, 0, 0, 0, 100, 0xab, 0xcd, 0, 0, 0, 1]), .settings([Setting(.maximumConcurrentStreams, 100)])),
    (rawFrame(4, flags: 1), .settingsAcknowledged),
    (
      rawFrame(5, flags: 8, stream: 1, [1, 0, 0, 0, 2, 4, 0]) + rawFrame(9, flags: 4, stream: 1, [5]),
      .pushPromise(stream: 1, promised: 2, block: [4, 5])
    ),
    (rawFrame(6, [1, 2, 3, 4, 5, 6, 7, 8]), .ping(data: 0x0102_0304_0506_0708, acknowledgement: false)),
    (rawFrame(6, flags: 1, [0, 0, 0, 0, 0, 0, 0, 9]), .ping(data: 9, acknowledgement: true)),
    (
      rawFrame(7, [0x80, 0, 0, 7, 0, 0, 0, 11, 104, 105]),
      .goAway(lastStream: 7, code: .enhanceYourCalm, debugData: [104, 105])
    ),
    (rawFrame(8, [0x80, 0, 1, 0]), .windowUpdate(stream: 0, increment: 256)),
    (rawFrame(8, stream: 0x8000_0003, [0, 0, 0, 1]), .windowUpdate(stream: 3, increment: 1)),
    (rawFrame(0xfa, flags: 255, stream: 9, [1, 2, 3]), nil),
  ]

  @Test(arguments: examples) func eachFrameIsRead(bytes: [UInt8], frame: Frame?) throws {
    var reader = try FrameReader.started(.client)
    #expect(try reader.frames(bytes[...]) == [frame].compactMap { $0 })
    #expect(reader.isBetweenFrames)
  }

  @Test func piecesOfAnySizeGiveTheSameFrames() throws {
    let bytes = Self.examples.flatMap(\.bytes)
    let frames = Self.examples.compactMap(\.frame)
    for size in [1, 2, 3, 7, 8, 9, 10, 11, bytes.count] {
      var reader = try FrameReader.started(.client)
      var read: [Frame] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        read += try reader.frames(bytes[start..<min(start + size, bytes.count)])
      }
      #expect(read == frames, "in pieces of \(size)")
    }
  }

  @Test func theClientPrefaceComesFirst() throws {
    var reader = FrameReader(role: .server)
    #expect(!reader.isBetweenFrames)
    var frames: [Frame] = []
    for byte in clientPreface + rawFrame(4) { frames += try reader.frames([byte]) }
    #expect(frames == [.settings([])])
    for index in clientPreface.indices {
      var wrong = clientPreface
      wrong[index] ^= 1
      var refusing = FrameReader(role: .server)
      #expect(throws: HTTP2Error.self) { try refusing.frames(wrong[...]) }
    }
  }

  @Test(arguments: [rawFrame(6, [0, 0, 0, 0, 0, 0, 0, 0]), rawFrame(4, flags: 1), rawFrame(0xfa)])
  func settingsComeFirst(frame: [UInt8]) throws {
    var client = FrameReader(role: .client)
    #expect(throws: HTTP2Error(.protocolError, "the first frame is not SETTINGS")) { try client.frames(frame[...]) }
  }

  @Test(arguments: [
    ("DATA on stream 0", rawFrame(0, [1]), ErrorCode.protocolError),
    ("HEADERS on stream 0", rawFrame(1, flags: 4), .protocolError),
    ("PRIORITY on stream 0", rawFrame(2, [0, 0, 0, 0, 0]), .protocolError),
    ("RST_STREAM on stream 0", rawFrame(3, [0, 0, 0, 0]), .protocolError),
    ("PUSH_PROMISE on stream 0", rawFrame(5, flags: 4, [0, 0, 0, 2]), .protocolError),
    ("SETTINGS on a stream", rawFrame(4, stream: 1), .protocolError),
    ("PING on a stream", rawFrame(6, stream: 1, hex("0000000000000000")), .protocolError),
    ("GOAWAY on a stream", rawFrame(7, stream: 1, hex("0000000000000000")), .protocolError),
    ("padding without its length", rawFrame(0, flags: 8, stream: 1), .frameSizeError),
    ("padding as long as DATA", rawFrame(0, flags: 8, stream: 1, [2, 0]), .protocolError),
    ("padding as long as HEADERS", rawFrame(1, flags: 12, stream: 1, [1]), .protocolError),
    ("HEADERS without its priority", rawFrame(1, flags: 0x24, stream: 1, [0, 0, 0, 0]), .frameSizeError),
    ("RST_STREAM of 3 bytes", rawFrame(3, stream: 1, [0, 0, 0]), .frameSizeError),
    ("SETTINGS of 5 bytes", rawFrame(4, [0, 1, 0, 0, 0]), .frameSizeError),
    ("SETTINGS with ACK and 6 bytes", rawFrame(4, flags: 1, [0, 1, 0, 0, 0, 0]), .frameSizeError),
    ("ENABLE_PUSH 2", rawFrame(4, [0, 2, 0, 0, 0, 2]), .protocolError),
    ("INITIAL_WINDOW_SIZE 2^31", rawFrame(4, [0, 4, 0x80, 0, 0, 0]), .flowControlError),
    ("MAX_FRAME_SIZE 16383", rawFrame(4, [0, 5, 0, 0, 0x3f, 0xff]), .protocolError),
    ("MAX_FRAME_SIZE 2^24", rawFrame(4, [0, 5, 1, 0, 0, 0]), .protocolError),
    ("PUSH_PROMISE of 3 bytes", rawFrame(5, flags: 4, stream: 1, [0, 0, 0]), .frameSizeError),
    ("PUSH_PROMISE of stream 0", rawFrame(5, flags: 4, stream: 1, [0, 0, 0, 0]), .protocolError),
    ("PUSH_PROMISE of an odd stream", rawFrame(5, flags: 4, stream: 1, [0, 0, 0, 3]), .protocolError),
    ("PING of 7 bytes", rawFrame(6, [0, 0, 0, 0, 0, 0, 0]), .frameSizeError),
    ("GOAWAY of 7 bytes", rawFrame(7, [0, 0, 0, 0, 0, 0, 0]), .frameSizeError),
    ("WINDOW_UPDATE of 5 bytes", rawFrame(8, [0, 0, 0, 1, 0]), .frameSizeError),
    ("WINDOW_UPDATE of 0 for the connection", rawFrame(8, [0x80, 0, 0, 0]), .protocolError),
    ("CONTINUATION of nothing", rawFrame(9, flags: 4, stream: 1, [1]), .protocolError),
    ("PING within a block", rawFrame(1, stream: 1) + rawFrame(6, hex("0000000000000000")), .protocolError),
    ("an unknown frame within a block", rawFrame(1, stream: 1) + rawFrame(0xfa), .protocolError),
    ("another stream's CONTINUATION", rawFrame(1, stream: 1) + rawFrame(9, flags: 4, stream: 3), .protocolError),
    ("a frame of 16385 bytes", rawFrame(0, stream: 1, [UInt8](repeating: 0, count: 16_385)), .frameSizeError),
    ("the head of a frame of 16385 bytes", [0, 0x40, 1, 0, 0, 0, 0, 0, 1], .frameSizeError),
  ])
  func brokenRulesEndTheConnection(what: String, bytes: [UInt8], code: ErrorCode) throws {
    for size in [1, bytes.count] {
      var reader = try FrameReader.started(.client)
      var errors: [HTTP2Error] = []
      do {
        for start in stride(from: 0, to: bytes.count, by: size) { _ = try reader.frames(bytes[start...].prefix(size)) }
      } catch { errors.append(error) }
      // And it throws the same from then on, even for what would be right.
      do { _ = try reader.frames(rawFrame(4)[...]) } catch { errors.append(error) }
      #expect(errors.map(\.code) == [code, code] && errors.allSatisfy { $0.stream == 0 }, "\(what)")
    }
  }

  @Test func someRulesEndTheirStreamOnly() throws {
    var reader = try FrameReader.started()
    let frames = try reader.frames(
      (rawFrame(2, stream: 3, [0, 0, 0, 0]) + rawFrame(8, stream: 5, [0, 0, 0, 0]) + rawFrame(4, flags: 1))[...])
    #expect(
      frames.map { frame -> [UInt32] in
        guard case .malformed(let error) = frame else { return [] }
        return [error.stream, error.code.rawValue]
      } == [[3, ErrorCode.frameSizeError.rawValue], [5, ErrorCode.protocolError.rawValue], []])
  }

  @Test func sidesHaveRulesOfTheirOwn() throws {
    var server = try FrameReader.started(.server)
    #expect(throws: HTTP2Error(.protocolError, "a client pushes nothing")) {
      try server.frames(rawFrame(5, flags: 4, stream: 1, [0, 0, 0, 2])[...])
    }
    let push = rawFrame(4, [0, 2, 0, 0, 0, 1])[...]
    var other = try FrameReader.started(.server)
    #expect(try other.frames(push) == [.settings([Setting(.enablePush, 1)])])
    var client = try FrameReader.started(.client)
    #expect(throws: HTTP2Error.self) { try client.frames(push) }
  }

  @Test func headerBlocksAreBounded() throws {
    func isCalm(_ bytes: [UInt8]) throws -> Bool {
      var reader = try FrameReader.started(maximumHeaderBlock: 100)
      do { _ = try reader.frames(bytes[...]) } catch {
        #expect(error.code == .enhanceYourCalm)
        return false
      }
      return true
    }
    let hundred = [UInt8](repeating: 0, count: 100)
    #expect(try isCalm(rawFrame(1, flags: 4, stream: 1, hundred)))
    #expect(try !isCalm(rawFrame(1, flags: 4, stream: 1, hundred + [0])))
    #expect(
      try isCalm(rawFrame(1, stream: 1, Array(hundred.prefix(81))) + rawFrame(9, stream: 1, [UInt8](hundred[..<10]))))
    #expect(
      try !isCalm(rawFrame(1, stream: 1, Array(hundred.prefix(82))) + rawFrame(9, stream: 1, [UInt8](hundred[..<10]))))
    // Empty continuations cannot go on for ever either.
    #expect(try isCalm(rawFrame(1, stream: 1) + (0..<11).flatMap { _ in rawFrame(9, stream: 1) }))
    #expect(try !isCalm(rawFrame(1, stream: 1) + (0..<12).flatMap { _ in rawFrame(9, stream: 1) }))
  }

  @Test func aLargerMaximumAllowsLargerFrames() throws {
    var reader = try FrameReader.started()
    reader.maximumFrameSize = 20_000
    #expect(try reader.frames(rawFrame(0, stream: 1, [UInt8](repeating: 0, count: 20_000))[...]).count == 1)
  }

  /// Random bytes behind heads that make sense often enough to get far.
  @Test(arguments: UInt64(1)...8) func randomInputGivesFramesOrErrors(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var frames = 0
    var errors = 0
    for _ in 0..<2_000 {
      var reader = try FrameReader.started(Bool.random(using: &generator) ? .client : .server)
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let type = Int.random(in: 0...10, using: &generator)
        let length = Int.random(in: 0...9, using: &generator) == 0 ? 20 : [8, 8, 5, 4, 6, 8, 8, 8, 4, 8, 3][type]
        let connection = [4, 6, 7].contains(type) != (Int.random(in: 0...9, using: &generator) == 0)
        let flags: UInt8 = Bool.random(using: &generator) ? 4 : generator.next()
        bytes += rawFrame(UInt8(type), flags: flags, stream: connection ? 0 : 1, generator.bytes(length))
      }
      bytes += generator.bytes(.random(in: 0...5, using: &generator))
      var twin = reader
      var read: [Frame] = []
      var pieces: [Frame] = []
      let error = Result { try all(bytes, &reader, &read) }.error
      let twinError = Result {
        for piece in generator.pieces(of: bytes, atMost: 7) { try all(Array(piece), &twin, &pieces) }
      }.error
      #expect(read == pieces && error == twinError)
      frames += read.count
      errors += error == nil ? 0 : 1
    }
    #expect(frames > 500 && errors > 500)
  }

  private func all(_ bytes: [UInt8], _ reader: inout FrameReader, _ frames: inout [Frame]) throws {
    var input = bytes[...]
    while let frame = try reader.next(from: &input) { frames.append(frame) }
  }
}

extension Result where Failure == any Error {
  fileprivate var error: HTTP2Error? {
    guard case .failure(let error) = self else { return nil }
    return error as? HTTP2Error
  }
}
