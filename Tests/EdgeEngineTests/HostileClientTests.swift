import EdgeEngine
import HTTP2Wire
import SessionEdge
import Testing

/// What strangers do, each against its bound.
@Suite struct HostileClientTests {
  typealias Flood = @Sendable (inout ClientBytes, StreamIdentifier) -> Void

  static let floods: [(String, Flood)] = [
    ("PING", { client, _ in FrameWriter.appendPing(data: 0, acknowledgement: false, to: &client.bytes) }),
    (
      "PING acknowledgements",
      { client, _ in FrameWriter.appendPing(data: 0, acknowledgement: true, to: &client.bytes) }
    ),
    ("SETTINGS", { client, _ in FrameWriter.appendSettings([], to: &client.bytes) }),
    ("SETTINGS acknowledgements", { client, _ in FrameWriter.appendSettingsAcknowledgement(to: &client.bytes) }),
    ("empty DATA", { client, _ in client.data([], 1) }),
    ("DATA of one byte", { client, _ in client.data([0], 1) }),
    ("DATA of a closed stream", { client, _ in client.data([0], 3) }),
    ("empty messages", { client, _ in client.message([], 1) }),
    ("PRIORITY", { client, _ in client.frame(2, 1, [0, 0, 0, 0, 0]) }),
    ("an unknown type", { client, _ in client.frame(77, 0, []) }),
    ("GOAWAY", { client, _ in FrameWriter.appendGoAway(lastStream: 0, code: .noError, to: &client.bytes) }),
    (
      "WINDOW_UPDATE by one byte",
      { client, _ in FrameWriter.appendWindowUpdate(stream: 1, increment: 1, to: &client.bytes) }
    ),
    (
      "rapid reset",
      { client, stream in
        client.open(stream)
        FrameWriter.appendReset(stream: stream, code: .cancel, to: &client.bytes)
      }
    ),
    // The server resets each of them itself ("MadeYouReset", CVE-2025-8671).
    (
      "calls that the server resets",
      { client, stream in
        client.open(stream)
        client.frame(8, stream, [0, 0, 0, 0])
      }
    ),
    ("calls that stay open", { client, stream in client.open(stream) }),
    (
      "calls of an unknown kind",
      { client, stream in client.open(stream, [":method": "GET", ":scheme": "a", ":path": "/"]) }
    ),
  ]

  @Test(arguments: 0..<floods.count) func aFloodEndsTheConnection(number: Int) throws {
    let (name, flood) = Self.floods[number]
    var (served, client) = try connected()
    client.open(3)
    FrameWriter.appendReset(stream: 3, code: .cancel, to: &client.bytes)
    for number in 0..<6_300 { flood(&client, StreamIdentifier(5 + 2 * number)) }
    served.receive(client.take())
    #expect(served.engine.isFinished, "\(name)")
    guard case .goAway(_, .enhanceYourCalm, _) = try served.said().last else {
      Issue.record("\(name) was not told to be calm")
      return
    }
  }

  /// The known attack of 2024, CVE-2024-27316: a header block without an end.
  @Test(arguments: [0, 1, 1_000]) func aHeaderBlockWithoutEndEndsTheConnection(fragment: Int) throws {
    var (served, client) = try connected()
    client.frame(1, flags: 0, 3, [0x82])
    for _ in 0..<20_000 { client.frame(9, flags: 0, 3, [UInt8](repeating: 0x82, count: fragment)) }
    served.receive(client.take())
    guard case .goAway(_, .enhanceYourCalm, _) = try served.said().last else { return #expect(Bool(false)) }
  }

  @Test func aClientThatAcknowledgesWhatItReadsIsNoFlood() throws {
    var (served, client) = try connected()
    for _ in 0..<5_000 {
      served.send([UInt8](repeating: 1, count: 200), on: 1)
      served.produce()
      FrameWriter.appendWindowUpdate(stream: 1, increment: 205, to: &client.bytes)
      FrameWriter.appendWindowUpdate(stream: 0, increment: 205, to: &client.bytes)
      FrameWriter.appendPing(data: 1, acknowledgement: false, to: &client.bytes)
      client.message([1], 1)
      served.receive(client.take())
    }
    #expect(!served.engine.isFinished)
  }

  /// Each within its own frame, as gRPC's clients do.
  @Test func aBurstIsAcknowledgedAfterAllOfItIsSent() throws {
    var (served, client) = try connected()
    FrameWriter.appendWindowUpdate(stream: 0, increment: 1 << 24, to: &client.bytes)
    FrameWriter.appendWindowUpdate(stream: 1, increment: 1 << 24, to: &client.bytes)
    served.receive(client.take())
    for _ in 0..<15_000 { served.send([1, 2, 3], on: 1) }
    served.produce()
    for _ in 0..<15_000 { client.message([1], 1) }
    served.receive(client.take())
    #expect(!served.engine.isFinished)
  }

  /// What is asked is paid for by who asks, however it is answered.
  /// What waits for a client that does not read costs memory beyond its bytes, the more the smaller it is.
  @Test func answersAreReportedWithWhatTheyCost() throws {
    var (served, _) = try connected()
    served.answer([1, 2], on: 1)
    served.send([3, 4], on: 1)
    served.produce()
    let written = served.takeHappened().reduce(0) { if case .written(_, let count) = $1 { $0 + count } else { $0 } }
    #expect(written == 2 + EdgeAnswer.overheadBytes + 2)
  }

  @Test func answersEarnNothing() throws {
    var (served, client) = try connected()
    var answered = 0
    while !served.engine.isFinished, answered < 7_000 {
      client.message([1], 1)
      served.receive(client.take())
      served.engine.send([1], on: 1, isAnswer: true)
      served.produce()
      answered += 1
    }
    guard case .goAway(_, .enhanceYourCalm, _) = try served.said().last else {
      Issue.record("after \(answered) questions the client was not told to be calm")
      return
    }
    #expect(answered > 6_000)
  }

  @Test func messagesWithinOneFrameCountAsFrames() throws {
    var (served, client) = try connected()
    let frame = [UInt8](repeating: 0, count: 5 * 3_000)
    client.data(frame, 1)
    client.data(frame, 1)
    served.receive(client.take())
    #expect(!served.engine.isFinished)
    client.data(frame, 1)
    served.receive(client.take())
    guard case .goAway(_, .enhanceYourCalm, _) = try served.said().last else {
      Issue.record("9,000 messages in three frames were not too many")
      return
    }
  }

  /// What a frame holds is work too, whether it is many messages or one.
  @Test func twoKibibytesCountAsAFrame() throws {
    var (served, client) = try connected()
    var count = 0
    while !served.engine.isFinished, count < 1_000 {
      client.message([UInt8](repeating: 1, count: 16_379), 1)
      served.receive(client.take())
      count += 1
    }
    guard case .goAway(_, .enhanceYourCalm, _) = try served.said().last else {
      Issue.record("\(count) large messages were not too many")
      return
    }
    // Of 6,144, at nine each.
    #expect((670...690).contains(count))
  }

  /// The second one is not handed on, however soon it comes.
  @Test(arguments: [false, true]) func aCallOfOneMessageEndsWithAnother(inOneFrame: Bool) throws {
    var (served, client) = try connected()
    served.step { engine, now, _, _ in engine.takeOneMessage(of: 1, now: now) }
    if inOneFrame {
      client.data([0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 1, 8], 1)
    } else {
      client.message([7], 1)
      client.message([8], 1)
    }
    client.message([9], 1)
    served.receive(client.take())
    served.produce()
    #expect(served.takeHappened() == [.message(1, [7]), .closed(1, .ended)])
    let trailers = try served.said().first
    guard case .headers(1, let fields, true) = trailers else {
      Issue.record("\(String(describing: trailers))")
      return
    }
    #expect(fields["grpc-status"] == "3")
  }

  /// A proxy's connection bears more sustained frames than a client's: each call may be kept alive by messages of its own.
  @Test(arguments: [1, 300]) func eachOpenCallMaySendAFrameASecond(calls: Int) throws {
    var (served, client) = try connected()
    for number in 1..<calls { client.open(StreamIdentifier(2 * number + 1)) }
    served.receive(client.take())
    // Three hundred frames a second, which 200 and the calls allow or don't; ninety seconds are beyond the burst.
    for _ in 0..<90 {
      for number in 0..<300 { client.message([1], StreamIdentifier(2 * (number % calls) + 1)) }
      served.receive(client.take())
      served.pass(1_000)
    }
    #expect(served.engine.isFinished == (calls == 1))
  }

  /// As many calls as may be open, at once, each after another one that asked where to go.
  @Test func aProxyBringsAllItsClientsBackAtOnce() throws {
    let limits = EngineLimits()
    var client = ClientBytes()
    var served = ServedConnection(limits)
    for number in 1..<limits.concurrentCalls {
      let (asking, staying) = (StreamIdentifier(4 * number + 1), StreamIdentifier(4 * number + 3))
      for stream in [asking, staying] {
        client.open(stream)
        client.message([1, 2, 3], stream, endStream: stream == asking)
      }
      served.receive(client.take())
      for stream in [asking, staying] { served.send([1], on: stream) }
      served.end(asking)
      served.produce()
    }
    #expect(!served.engine.isFinished)
    #expect(served.takeHappened().filter { if case .opened = $0 { true } else { false } }.count == 2_046)
  }

  /// Each is read by the client, which is what a flood of Hellos looks like: nothing else would hold it back.
  @Test func callsThatAreOpenedTooFastAreResetUntilTimePasses() throws {
    var (served, client) = try connected()
    var stream: StreamIdentifier = 3
    func call() throws -> [Said] {
      client.open(stream)
      client.message([1], stream)
      served.receive(client.take())
      served.send([1], on: stream)
      served.produce()
      FrameWriter.appendReset(stream: stream, code: .cancel, to: &client.bytes)
      served.receive(client.take())
      defer { stream += 2 }
      return try served.said()
    }
    // One was opened before.
    for _ in 1..<2_048 { #expect(try !call().contains(.reset(stream, .enhanceYourCalm))) }
    #expect(try call() == [.reset(stream - 2, .enhanceYourCalm)])
    served.pass(1_000)
    for _ in 0..<100 { #expect(try !call().contains(.reset(stream, .enhanceYourCalm))) }
    #expect(try call() == [.reset(stream - 2, .enhanceYourCalm)])
    #expect(!served.engine.isFinished)
  }

  @Test func aHeaderListThatIsTooLargeIsRefusedAndTheConnectionStays() throws {
    var (served, client) = try connected()
    var request = ClientBytes.request
    for number in 0..<300 { request.append("x-\(number)", String(repeating: "\u{7f}", count: 20)) }
    #expect(request.size > 16_384)
    client.open(3, request)
    client.message([7], 1)
    served.receive(client.take())
    #expect(
      try served.said() == [.headers(3, [":status": "431", "content-length": "0"], end: true), .reset(3, .noError)])
    #expect(served.takeHappened() == [.message(1, [7])])
  }

  /// Compressed little, so that the block is as long as the list.
  @Test func aHeaderBlockThatIsLongerThanTheListMayBeIsNoEndOfTheConnection() throws {
    var (served, client) = try connected()
    let value = [UInt8](repeating: 0x61, count: 126)
    var block: [UInt8] = [0x83, 0x86, 0x04, 1, 0x2f]
    for _ in 0..<200 { block += [0x00, 1, 0x78, 126] + value }
    #expect(block.count > 24_000)
    client.frame(1, flags: 0, 3, Array(block[..<16_000]))
    client.frame(9, flags: 4, 3, Array(block[16_000...]))
    client.message([7], 1)
    served.receive(client.take())
    #expect(
      try served.said() == [.headers(3, [":status": "431", "content-length": "0"], end: true), .reset(3, .noError)])
    #expect(served.takeHappened() == [.message(1, [7])])
  }

  /// A long entry of the table, and then references to it by one byte each.
  @Test func anHPACKBombEndsTheConnection() throws {
    var client = ClientBytes()
    client.open(1)
    var served = ServedConnection()
    served.receive(client.take())
    var bomb: [UInt8] = [0x40, 1, 0x78, 0x7f, 0x81, 0x1e] + [UInt8](repeating: 0x61, count: 4_000)
    bomb += [UInt8](repeating: 0xbe, count: 12_000)
    client.frame(1, flags: 4, 3, bomb)
    served.receive(client.take())
    guard case .goAway(_, .enhanceYourCalm, _) = try served.said().last else { return #expect(Bool(false)) }
  }

  // MARK: Windows

  /// A window may shrink below what is sent (section 6.9.2). Who then goes on as if it had something to write does so for ever.
  @Test(arguments: [1, 3]) func aWindowThatShrinksLeavesNothingToDo(calls: Int) throws {
    var (served, client) = try connected()
    for number in 1..<calls { client.open(StreamIdentifier(1 + 2 * number)) }
    FrameWriter.appendSettings([Setting(.initialWindowSize, 1 << 20)], to: &client.bytes)
    served.receive(client.take())
    for number in 0..<calls { served.send([UInt8](repeating: 1, count: 90_000), on: StreamIdentifier(1 + 2 * number)) }
    served.produce()
    #expect(!served.engine.hasOutput, "the connection's window is used up")
    FrameWriter.appendSettings([Setting(.initialWindowSize, 0)], to: &client.bytes)
    FrameWriter.appendWindowUpdate(stream: 0, increment: 1_000_000, to: &client.bytes)
    served.receive(client.take())
    _ = try served.said()
    served.produce()
    #expect(try served.said().isEmpty)
    #expect(!served.engine.hasOutput)
    // And all is sent when it may be.
    FrameWriter.appendSettings([Setting(.initialWindowSize, 1 << 20)], to: &client.bytes)
    served.receive(client.take())
    while served.engine.hasOutput { served.produce() }
    let sent = served.takeHappened().reduce(0) { if case .written(_, let count) = $1 { $0 + count } else { $0 } }
    #expect(sent == calls * 90_000)
  }

  @Test func trailersNeedNoWindow() throws {
    var (served, client) = try connected()
    for stream in [3, 5, 7] as [StreamIdentifier] { client.open(stream) }
    served.receive(client.take())
    for stream in [1, 3, 5] as [StreamIdentifier] { served.send([UInt8](repeating: 1, count: 70_000), on: stream) }
    served.produce()
    _ = try served.said()
    served.end(7, EdgeStatus(.aborted))
    #expect(served.engine.hasOutput)
    served.produce()
    let said = try served.said()
    #expect(said.count == 2 && said.last == .reset(7, .noError), "\(said)")
    #expect(!served.engine.hasOutput)
  }

  @Test func aWindowThatOverflowsEndsItsStreamOrTheConnection() throws {
    var (served, client) = try connected()
    FrameWriter.appendWindowUpdate(stream: 1, increment: 0x7fff_ffff, to: &client.bytes)
    served.receive(client.take())
    #expect(try served.said() == [.reset(1, .flowControlError)])
    FrameWriter.appendWindowUpdate(stream: 0, increment: 0x7fff_ffff, to: &client.bytes)
    served.receive(client.take())
    guard case .goAway(1, .flowControlError, _) = try served.said().last else { return #expect(Bool(false)) }
  }

  @Test func settingsThatOverflowAWindowEndTheConnection() throws {
    var (served, client) = try connected()
    FrameWriter.appendWindowUpdate(stream: 1, increment: 1_000_000, to: &client.bytes)
    FrameWriter.appendSettings([Setting(.initialWindowSize, 0x7fff_ffff)], to: &client.bytes)
    served.receive(client.take())
    guard case .goAway(1, .flowControlError, _) = try served.said().last else { return #expect(Bool(false)) }
  }

  @Test func anUpdateOfNothingIsAnErrorOfItsStreamOrTheConnection() throws {
    var (served, client) = try connected()
    client.frame(8, 1, [0, 0, 0, 0])
    served.receive(client.take())
    #expect(try served.said() == [.reset(1, .protocolError)])
    client.frame(8, 0, [0, 0, 0, 0])
    served.receive(client.take())
    guard case .goAway(1, .protocolError, _) = try served.said().last else { return #expect(Bool(false)) }
  }

  /// Frames of a byte each, which only the client's updates ask for.
  @Test func aWindowThatOpensAByteAtATimeCostsABoundedNumberOfFrames() throws {
    var (served, client) = try connected(settings: [Setting(.initialWindowSize, 0)])
    served.send([UInt8](repeating: 1, count: 100_000), on: 1)
    var frames = 0
    while !served.engine.isFinished, frames < 10_000 {
      FrameWriter.appendWindowUpdate(stream: 1, increment: 1, to: &client.bytes)
      served.receive(client.take())
      served.produce()
      for case .data(1, let bytes) in try served.said() {
        #expect(bytes.count == 1)
        frames += 1
      }
    }
    #expect((1_000..<6_150).contains(frames))
  }

  // MARK: Slowness

  @Test func aMessageThatDripsEndsItsCallAndNoOther() throws {
    var (served, client) = try connected()
    client.open(3)
    client.data([0, 0, 0, 0, 99], 1)
    served.receive(client.take())
    _ = served.takeHappened()
    // Whole frames, whole messages of the other call, and never this message's end.
    for _ in 0..<19 {
      served.pass(500)
      client.data([7], 1)
      client.message([1], 3)
      FrameWriter.appendPing(data: 0, acknowledgement: false, to: &client.bytes)
      served.receive(client.take())
    }
    #expect(served.takeHappened() == Array(repeating: .message(3, [1]), count: 19))
    _ = try served.said()
    served.pass(499)
    #expect(try served.said() == [])
    served.pass(1)
    guard case .headers(1, let trailers, end: true) = try served.said().first else { return #expect(Bool(false)) }
    #expect(trailers["grpc-status"] == "4")
    #expect(!served.engine.isFinished)
    guard case .closed(1, .connectionLost) = served.takeHappened().last else { return #expect(Bool(false)) }
  }

  @Test func messagesThatFollowOneAnotherInPiecesAreNotOverdue() throws {
    var (served, client) = try connected()
    for _ in 0..<30 {
      // The end of one and the beginning of the next.
      client.data([0, 0, 0, 0, 1, 7, 0, 0], 1)
      served.receive(client.take())
      served.pass(9_000)
      client.data([0, 0, 1, 7], 1)
      served.receive(client.take())
    }
    #expect(served.takeHappened().count == 60)
    served.pass(10_000)
    #expect(!served.engine.isFinished)
  }

  @Test(arguments: [0, 5, 24, 30]) func aGreetingThatDripsEndsTheConnection(count: Int) throws {
    let greeting = ClientBytes().bytes
    var served = ServedConnection()
    served.receive(Array(greeting.prefix(count)))
    for byte in greeting.dropFirst(count).prefix(3) {
      served.pass(2_000)
      served.receive([byte])
    }
    served.pass(4_000)
    #expect(served.engine.isFinished)
    if count > 0 {
      guard case .goAway(0, .settingsTimeout, _) = try served.said().last else { return #expect(Bool(false)) }
    }
  }

  @Test func aFrameOrHeaderBlockThatDripsEndsTheConnection() throws {
    for isBlock in [false, true] {
      var (served, client) = try connected()
      if isBlock { client.frame(1, flags: 0, 3, [0x82]) } else { client.bytes += [0, 0, 100, 0, 0, 0, 0, 0, 1] }
      served.receive(client.take())
      for _ in 0..<9 {
        served.pass(1_000)
        if isBlock { client.frame(9, flags: 0, 3, [0x82]) } else { client.bytes += [1] }
        served.receive(client.take())
      }
      #expect(!served.engine.isFinished)
      served.pass(1_000)
      guard case .goAway(1, .enhanceYourCalm, _) = try served.said().last else { return #expect(Bool(false)) }
    }
  }

  @Test func callsWhoseMessagesAreIncompleteShareABound() throws {
    var (served, client) = try connected()
    for number in 0..<5 {
      client.open(StreamIdentifier(3 + 2 * number))
      for piece in 0..<4 {
        client.data(
          (piece == 0 ? [0, 0, 0, 255, 255] : []) + [UInt8](repeating: 1, count: 16_000),
          StreamIdentifier(3 + 2 * number))
      }
      served.receive(client.take())
    }
    served.produce()
    let ended = try served.said().compactMap {
      if case .headers(let stream, let fields, true) = $0 { (stream, fields["grpc-status"]) } else { nil }
    }
    #expect(ended.map(\.0) == [11])
    #expect(ended.first?.1 == "8")
    #expect(!served.engine.isFinished)
  }
}
