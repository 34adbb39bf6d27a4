import EdgeEngine
import HTTP2Wire
import SessionEdge
import Testing

/// RFC 9113, section 5.1: what a frame means depends on the state of its stream.
@Suite struct StreamStateTests {
  private func goAway(_ served: inout ServedConnection) throws -> ErrorCode? {
    guard case .goAway(_, let code, _) = try served.said().last, served.engine.isFinished else { return nil }
    return code
  }

  @Test(arguments: ["DATA", "RST_STREAM", "WINDOW_UPDATE", "DATA of the server's streams"])
  func framesOfAStreamThatWasNeverOpenedEndTheConnection(name: String) throws {
    var (served, client) = try connected()
    switch name {
    case "DATA": client.data([1], 3)
    case "RST_STREAM": FrameWriter.appendReset(stream: 3, code: .cancel, to: &client.bytes)
    case "WINDOW_UPDATE": FrameWriter.appendWindowUpdate(stream: 3, increment: 1, to: &client.bytes)
    default: client.data([1], 2)
    }
    served.receive(client.take())
    #expect(try goAway(&served) == .protocolError)
  }

  @Test func aClientsStreamsHaveOddAndRisingNumbers() throws {
    var (served, client) = try connected()
    client.open(2)
    served.receive(client.take())
    #expect(try goAway(&served) == .protocolError)
    (served, client) = try connected()
    client.open(9)
    client.open(7)
    served.receive(client.take())
    // Whether that one was open once nobody remembers.
    #expect(try served.said() == [])
    #expect(!served.engine.isFinished)
  }

  /// As a proxy may pass them on: the connection is others' as well.
  @Test func trailersOfACallThatTheServerHasEndedEndNothingElse() throws {
    var (served, client) = try connected()
    served.end(1)
    served.produce()
    _ = try served.said()
    client.open(1, ["x": "y"], endStream: true)
    client.open(3)
    served.receive(client.take())
    #expect(try served.said() == [])
    #expect(!served.engine.isFinished)
  }

  @Test func whatIsOnItsWayToAClosedStreamIsIgnored() throws {
    var (served, client) = try connected()
    served.end(1)
    served.produce()
    _ = try served.said()
    client.message([1, 2, 3], 1, endStream: true)
    FrameWriter.appendWindowUpdate(stream: 1, increment: 10, to: &client.bytes)
    FrameWriter.appendReset(stream: 1, code: .cancel, to: &client.bytes)
    client.frame(2, 1, [0, 0, 0, 0, 0])
    served.receive(client.take())
    #expect(try served.said() == [])
    #expect(!served.engine.isFinished)
  }

  /// It is given back all the same (section 5.1: a closed stream's DATA counts for the connection).
  @Test func theConnectionsWindowIsGivenBackForClosedStreamsToo() throws {
    var (served, client) = try connected()
    served.end(1)
    served.produce()
    _ = try served.said()
    client.data([UInt8](repeating: 0, count: 40_000), 1)
    served.receive(client.take())
    #expect(try served.said() == [.windowUpdate(0, 32_768)])
  }

  @Test func aStreamTakesNothingAfterItsEnd() throws {
    for sendsHeaders in [false, true] {
      var (served, client) = try connected()
      client.data([], 1, endStream: true)
      if sendsHeaders { client.open(1, ["x": "y"], endStream: true) } else { client.data([1], 1) }
      served.receive(client.take())
      #expect(try served.said() == [.reset(1, .streamClosed)])
      #expect(!served.engine.isFinished)
    }
  }

  @Test func trailersOfTheClientEndItsInputAndHeadersInBetweenAreAnError() throws {
    var (served, client) = try connected()
    client.open(1, ["x": "y"], endStream: true)
    served.receive(client.take())
    #expect(served.takeHappened() == [.inputEnded(1)])
    (served, client) = try connected()
    client.open(1, ["x": "y"])
    served.receive(client.take())
    #expect(try served.said() == [.reset(1, .protocolError)])
  }

  /// Half of the window is always open, which is more than a frame may have; so it cannot be exceeded either.
  @Test func aClientNeverWaitsForItsWindow() throws {
    var (served, client) = try connected()
    for _ in 0..<8 { client.message([UInt8](repeating: 0, count: 16_379), 1) }
    served.receive(client.take())
    #expect(try served.said().count { $0 == .windowUpdate(1, 32_768) } == 4)
    #expect(!served.engine.isFinished)
  }

  @Test func paddingIsGivenBackAsWell() throws {
    var (served, client) = try connected()
    for _ in 0..<130 { client.frame(0, flags: 8, 1, [255] + [UInt8](repeating: 0, count: 255)) }
    served.receive(client.take())
    // 130 times 256 bytes of which none is data.
    let said = try served.said()
    #expect(said.contains(.windowUpdate(0, 32_768)) && said.contains(.windowUpdate(1, 32_768)))
    #expect(served.takeHappened().isEmpty)
  }

  @Test func aPINGIsAnsweredWithTheSameBytesAndAnAnswerIsNot() throws {
    var (served, client) = try connected()
    FrameWriter.appendPing(data: 0x0102_0304_0506_0708, acknowledgement: false, to: &client.bytes)
    FrameWriter.appendPing(data: 9, acknowledgement: true, to: &client.bytes)
    served.receive(client.take())
    #expect(try served.said() == [.ping(0x0102_0304_0506_0708, acknowledgement: true)])
  }

  @Test func everySETTINGSIsAcknowledgedInOrderAndUnknownOnesAreIgnored() throws {
    var (served, client) = try connected()
    FrameWriter.appendSettings([Setting(.maximumFrameSize, 20_000)], to: &client.bytes)
    client.frame(4, 0, [0xab, 0xcd, 0, 0, 0, 1])
    FrameWriter.appendPing(data: 1, acknowledgement: false, to: &client.bytes)
    served.receive(client.take())
    #expect(try served.said() == [.settingsAcknowledged, .settingsAcknowledged, .ping(1, acknowledgement: true)])
  }

  @Test func framesAreAsLargeAsTheClientTakesThem() throws {
    let window = [Setting(.initialWindowSize, 1 << 20), Setting(.maximumFrameSize, 50_000)]
    for (settings, most) in [([window[0]], 16_384), (window, 50_000)] {
      var (served, client) = try connected(settings: settings)
      FrameWriter.appendWindowUpdate(stream: 0, increment: 1 << 20, to: &client.bytes)
      served.receive(client.take())
      served.send([UInt8](repeating: 1, count: 100_000), on: 1)
      var sizes: [Int] = []
      served.produce()
      for case .data(1, let bytes) in try served.said(frameSize: 50_000) { sizes.append(bytes.count) }
      #expect(sizes.reduce(0, +) == 100_005 && sizes.max() == most)
    }
  }

  @Test func aClientWithoutTableGetsAnUpdateFirst() throws {
    var (served, _) = try connected(settings: [Setting(.headerTableSize, 0)])
    served.end(1)
    var output: [UInt8] = []
    served.step { engine, _, bytes, events in
      let start = bytes.count
      engine.produce(atMost: 1_000, into: &bytes, events: &events)
      output = Array(bytes[start...])
    }
    // HEADERS, and the block begins with a table size update to 0 (RFC 7541, section 4.2).
    #expect(output[3] == 1 && output[9] == 0x20)
  }

  @Test func aGOAWAYOfTheClientLeavesItsCallsAlone() throws {
    var (served, client) = try connected()
    FrameWriter.appendGoAway(lastStream: 0, code: .noError, to: &client.bytes)
    client.message([1], 1)
    served.receive(client.take())
    #expect(served.takeHappened() == [.message(1, [1])])
  }
}
