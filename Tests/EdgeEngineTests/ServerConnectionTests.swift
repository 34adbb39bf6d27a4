import HTTP2Wire
import SessionEdge
import Testing

@testable import EdgeEngine

@Suite struct ServerConnectionTests {
  /// The shell's object for a connection is 60 bytes more: together they just fit what the allocator gives.
  @Test func aConnectionAndACallTakeFewBytes() {
    #expect(MemoryLayout<ServerConnection>.size <= 172)
    #expect(MemoryLayout<ServerStream>.size <= 72)
  }

  @Test(arguments: [Int.max, 1, 2, 3, 7, 64]) func aCallRunsFromHeadersToTrailers(pieces: Int) throws {
    var client = ClientBytes()
    client.open(1)
    client.message([1, 2, 3], 1)
    client.message([], 1, endStream: true)
    var served = ServedConnection()
    served.receive(client.take(), pieces: pieces)
    #expect(
      served.takeHappened() == [
        .opened(1, "test.Echo/Echo"), .message(1, [1, 2, 3]), .message(1, []), .inputEnded(1),
      ])
    served.send([9, 8], on: 1)
    served.end(1, EdgeStatus(.ok, trailers: ["more": "yes"]))
    served.produce()
    #expect(served.takeHappened() == [.written(1, 2), .closed(1, .ended)])
    #expect(
      try served.said() == [
        .settings, .settingsAcknowledged,
        .headers(
          1, [":status": "200", "content-type": "application/grpc", "grpc-accept-encoding": "identity"], end: false),
        .data(1, [0, 0, 0, 0, 2, 9, 8]),
        .headers(1, ["grpc-status": "0", "more": "yes"], end: true),
      ])
  }

  @Test func aCallThatIsEndedBeforeAMessageHasTrailersOnlyAndTheClientIsToldToStop() throws {
    var (served, _) = try connected()
    served.end(1, EdgeStatus(.unavailable, "später", trailers: [:]))
    served.produce()
    #expect(
      try served.said() == [
        .headers(
          1,
          [
            ":status": "200", "content-type": "application/grpc", "grpc-accept-encoding": "identity",
            "grpc-status": "14", "grpc-message": "sp%C3%A4ter",
          ], end: true), .reset(1, .noError),
      ])
  }

  @Test func whatExceedsTheStreamsWindowWaitsForAnUpdate() throws {
    var (served, client) = try connected(settings: [Setting(.initialWindowSize, 10)])
    served.send([UInt8](repeating: 5, count: 20), on: 1)
    served.end(1)
    served.produce()
    #expect(try served.said().contains(.data(1, [0, 0, 0, 0, 20] + [UInt8](repeating: 5, count: 5))))
    #expect(served.takeHappened() == [.written(1, 5)])
    #expect(!served.engine.hasOutput)
    FrameWriter.appendWindowUpdate(stream: 1, increment: 100, to: &client.bytes)
    served.receive(client.take())
    #expect(served.engine.hasOutput)
    served.produce()
    #expect(served.takeHappened() == [.written(1, 15), .closed(1, .ended)])
    #expect(try served.said().first == .data(1, [UInt8](repeating: 5, count: 15)))
  }

  @Test func theConnectionsWindowHoldsAllStreamsBackAndIsSharedInTurn() throws {
    var (served, client) = try connected(settings: [Setting(.initialWindowSize, 1 << 20)])
    client.open(3)
    served.receive(client.take())
    for stream: StreamIdentifier in [1, 3] { served.send([UInt8](repeating: 1, count: 100_000), on: stream) }
    served.produce()
    var went: [StreamIdentifier: Int] = [:]
    for case .data(let stream, let bytes) in try served.said() { went[stream, default: 0] += bytes.count }
    #expect(went.values.reduce(0, +) == 65_535)
    #expect((went[1] ?? 0) > 16_000 && (went[3] ?? 0) > 16_000)
    #expect(!served.engine.hasOutput)
    FrameWriter.appendWindowUpdate(stream: 0, increment: 1 << 20, to: &client.bytes)
    served.receive(client.take())
    served.produce()
    for case .data(let stream, let bytes) in try served.said() { went[stream, default: 0] += bytes.count }
    #expect(went == [1: 100_005, 3: 100_005])
  }

  @Test func aSettingThatLowersTheWindowHoldsOpenStreamsBack() throws {
    var (served, client) = try connected()
    FrameWriter.appendSettings([Setting(.initialWindowSize, 0)], to: &client.bytes)
    served.receive(client.take())
    served.send([1], on: 1)
    served.produce()
    #expect(try !served.said().contains { if case .data = $0 { true } else { false } })
    FrameWriter.appendSettings([Setting(.initialWindowSize, 65_535)], to: &client.bytes)
    served.receive(client.take())
    served.produce()
    #expect(try served.said().contains(.data(1, [0, 0, 0, 0, 1, 1])))
  }

  @Test func manyMessagesAreOneFrame() throws {
    var (served, _) = try connected()
    for number in 0..<10 { served.send([UInt8(number)], on: 1) }
    served.produce()
    let data = try served.said().filter { if case .data = $0 { true } else { false } }
    #expect(data == [.data(1, (0..<10).flatMap { [0, 0, 0, 0, 1, UInt8($0)] })])
  }

  @Test func aPeerIsGivenBackWhatItSent() throws {
    var (served, client) = try connected()
    client.message([UInt8](repeating: 0, count: 40_000), 1)
    served.receive(client.take())
    let said = try served.said()
    #expect(said.contains(.windowUpdate(0, 32_768)))
    #expect(said.contains(.windowUpdate(1, 32_768)))
  }

  @Test func aCallOverTheLimitIsRefusedAndTheOthersStay() throws {
    var limits = EngineLimits()
    limits.concurrentCalls = 1
    var (served, client) = try connected(limits)
    client.open(3)
    client.message([1], 1)
    served.receive(client.take())
    #expect(try served.said() == [.reset(3, .refusedStream)])
    #expect(served.takeHappened() == [.message(1, [1])])
  }

  @Test func aMessageThatIsTooLargeOrCompressedEndsItsCall() throws {
    for (data, status) in [([0, 0, 1, 0, 1], "8"), ([1, 0, 0, 0, 1, 7], "13"), ([2, 0, 0, 0, 0], "13")] {
      var (served, client) = try connected()
      client.data(data.map { UInt8($0) }, 1)
      served.receive(client.take())
      served.produce()
      guard case .headers(1, let fields, end: true) = try served.said().first else {
        Issue.record("no trailers for \(data)")
        continue
      }
      #expect(fields["grpc-status"] == status)
    }
  }

  /// `Compressed-Flag` with the encoding that the call declares: one that is not taken, none.
  @Test(arguments: [("gzip", "12"), ("identity", "13")])
  func aCompressedMessageEndsItsCallByWhatIsDeclared(encoding: String, status: String) throws {
    var (served, client) = try connected()
    var headers = ClientBytes.request
    headers.append("grpc-encoding", encoding)
    client.open(3, headers)
    client.data([1, 0, 0, 0, 1, 7], 3)
    served.receive(client.take())
    served.produce()
    guard case .headers(3, let fields, end: true) = try served.said().first else {
      return #expect(Bool(false), "no trailers")
    }
    #expect(fields["grpc-status"] == status)
    #expect(fields["grpc-accept-encoding"] == "identity")
  }

  @Test func goAwayLetsOpenCallsEndAndRefusesNewOnes() throws {
    var (served, client) = try connected()
    served.step { engine, _, output, _ in engine.goAway(into: &output) }
    client.open(3)
    served.receive(client.take())
    #expect(try served.said() == [.goAway(1, .noError, ""), .reset(3, .refusedStream)])
    served.end(1)
    served.produce()
    #expect(served.engine.isFinished)
    #expect(served.takeHappened() == [.closed(1, .ended)])
  }

  @Test func aBrokenRuleEndsTheConnectionAndEveryCall() throws {
    var (served, client) = try connected()
    client.open(3)
    client.frame(0, 99, [1])
    served.receive(client.take())
    guard case .goAway(3, .protocolError, _) = try served.said().last else { return #expect(Bool(false), "no GOAWAY") }
    #expect(served.engine.isFinished)
    #expect(served.takeHappened().filter { if case .closed = $0 { true } else { false } }.count == 2)
  }

  @Test func aSilentPeerIsAskedAndThenGivenUp() throws {
    var (served, client) = try connected()
    served.pass(29_999)
    #expect(try served.said() == [])
    served.pass(1)
    guard case .ping(let data, acknowledgement: false) = try served.said().first else { return #expect(Bool(false)) }
    FrameWriter.appendPing(data: data, acknowledgement: true, to: &client.bytes)
    served.receive(client.take())
    served.pass(30_000)
    served.pass(9_999)
    #expect(!served.engine.isFinished)
    served.pass(1)
    #expect(served.engine.isFinished)
    guard case .closed(1, .connectionLost) = served.takeHappened().last else { return #expect(Bool(false)) }
  }

  @Test func aGreetingOrACallThatDoesNotComeEndsTheConnection() throws {
    var greeting = ServedConnection()
    greeting.receive(Array(clientPreface.prefix(5)))
    greeting.pass(10_000)
    #expect(greeting.engine.isFinished)
    var (idle, leaving) = try connected()
    FrameWriter.appendReset(stream: 1, code: .cancel, to: &leaving.bytes)
    idle.receive(leaving.take())
    #expect(idle.takeHappened() == [.closed(1, .cancelledByClient)])
    idle.pass(60_000)
    #expect(idle.engine.isFinished)
  }

  /// It may become a call, so it gets patience; but who always sends half of one does not stay for ever.
  @Test func halfAHeaderBlockIsWaitedForOnAnIdleConnection() throws {
    var limits = EngineLimits()
    limits.idle = 2_000
    limits.patience = 2_000
    limits.keepAliveInterval = 60_000
    func greeted() -> ServedConnection {
      var client = ClientBytes()
      client.acknowledgeSettings()
      var served = ServedConnection(limits)
      served.receive(client.take())
      return served
    }
    let half: [UInt8] = [0, 0, 1, 1, 0, 0, 0, 0, 1, 0x83]
    var late = greeted()
    late.pass(1)
    late.receive(half)
    late.pass(1_999)
    #expect(!late.engine.isFinished)
    late.pass(1)
    #expect(late.engine.isFinished)
    #expect(try late.lastCode() == .enhanceYourCalm)

    var always = greeted()
    let ping: [UInt8] = [0, 0, 8, 6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    always.receive(Array(ping.prefix(5)))
    for _ in 0..<3 {
      always.pass(1_000)
      always.receive(Array(ping.dropFirst(5)) + ping.prefix(5))
    }
    #expect(!always.engine.isFinished)
    always.pass(1_000)
    #expect(always.engine.isFinished)
    #expect(try always.lastCode() == .noError)
  }

  @Test func aCallsTimeLimitIsKept() throws {
    var client = ClientBytes()
    var request = ClientBytes.request
    request.append("grpc-timeout", "50m")
    client.open(1, request)
    var served = ServedConnection()
    served.receive(client.take())
    served.pass(50)
    guard
      case .headers(1, let fields, end: true) = try served.said().first(where: {
        if case .headers = $0 { true } else { false }
      })
    else { return #expect(Bool(false), "no trailers") }
    #expect(fields["grpc-status"] == "4")
  }

  @Test func anEndThatNobodyReadsIsReset() throws {
    var (served, _) = try connected(settings: [Setting(.initialWindowSize, 0)])
    served.send([1], on: 1)
    served.end(1)
    served.produce()
    served.pass(10_000)
    #expect(try served.said().contains(.reset(1, .cancel)))
  }

  @Test func whatIsNoGRPCIsRefused() throws {
    let cases: [(HeaderList, Said)] = [
      (
        [":method": "GET", ":scheme": "http", ":path": "/a/b"],
        .headers(3, [":status": "405", "content-length": "0"], end: true)
      ),
      (
        [":method": "POST", ":scheme": "http", ":path": "/a/b", "content-type": "text/html"],
        .headers(3, [":status": "415", "content-length": "0"], end: true)
      ),
      ([":method": "POST", ":scheme": "http"], .reset(3, .protocolError)),
      ([":method": "POST", ":scheme": "http", ":path": "/a/b", "Upper": "x"], .reset(3, .protocolError)),
      ([":method": "POST", ":scheme": "http", ":path": "/a/b", "connection": "close"], .reset(3, .protocolError)),
      (
        [":method": "POST", ":scheme": "http", ":path": "/a/b", "x": "y", ":authority": "z"], .reset(3, .protocolError)
      ),
      ([":method": "POST", ":method": "POST", ":scheme": "http", ":path": "/a/b"], .reset(3, .protocolError)),
    ]
    for (headers, answer) in cases {
      var (served, client) = try connected()
      client.open(3, headers)
      served.receive(client.take())
      #expect(try served.said().first == answer)
      #expect(!served.engine.isFinished)
    }
  }
}
