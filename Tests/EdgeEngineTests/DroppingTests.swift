import EdgeEngine
import HTTP2Wire
import SessionEdge
import Testing

/// Queued messages that give way to later ones.
@Suite struct DroppingTests {
  /// A call whose window lets `window` bytes out, prefixes included, and no more.
  private func blocked(window: UInt32) throws -> (ServedConnection, ClientBytes) {
    var client = ClientBytes(settings: [Setting(.initialWindowSize, window)])
    client.open(1)
    client.acknowledgeSettings()
    var served = ServedConnection()
    served.receive(client.take())
    _ = try served.said()
    _ = served.takeHappened()
    return (served, client)
  }

  private func data(_ served: inout ServedConnection) throws -> [UInt8] {
    try served.said().flatMap { said -> [UInt8] in if case .data(1, let bytes) = said { bytes } else { [] } }
  }

  private func framed(_ messages: [UInt8]...) -> [UInt8] {
    messages.flatMap { [0, 0, 0, 0, UInt8($0.count)] + $0 }
  }

  private func message(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 10) }

  @Test func theOldestMakeRoomForTheNewest() throws {
    var (served, client) = try blocked(window: 0)
    for number in 1...5 { served.send(message(UInt8(number)), on: 1, displacingBeyond: 30) }
    #expect(served.takeHappened() == [.dropped(1, 1, bytes: 10), .dropped(1, 1, bytes: 10)])
    FrameWriter.appendWindowUpdate(stream: 1, increment: 1_000, to: &client.bytes)
    served.receive(client.take())
    served.produce()
    #expect(try data(&served) == framed(message(3), message(4), message(5)))
    #expect(served.takeHappened() == [.written(1, 30)])
  }

  @Test func whatHasBegunIsSentToItsEnd() throws {
    var (served, client) = try blocked(window: 8)
    served.send(message(1), on: 1, displacingBeyond: 20)
    served.produce()
    for number in 2...5 { served.send(message(UInt8(number)), on: 1, displacingBeyond: 20) }
    FrameWriter.appendWindowUpdate(stream: 1, increment: 1_000, to: &client.bytes)
    served.receive(client.take())
    served.produce()
    #expect(try data(&served) == framed(message(1), message(5)))
  }

  @Test func whatIsSentOfAMessageDoesNotCount() throws {
    var (served, _) = try blocked(window: 13)
    served.send(message(1), on: 1, displacingBeyond: 22)
    served.produce()
    for number in 2...3 { served.send(message(UInt8(number)), on: 1, displacingBeyond: 22) }
    #expect(served.takeHappened() == [.written(1, 8)])
    served.send(message(4), on: 1, displacingBeyond: 22)
    #expect(served.takeHappened() == [.dropped(1, 1, bytes: 10)])
  }

  @Test func otherMessagesStayWhereTheyAre() throws {
    var (served, client) = try blocked(window: 0)
    served.send(message(1), on: 1)
    served.send(message(2), on: 1, displacingBeyond: 30)
    served.send(message(3), on: 1)
    for number in 4...6 { served.send(message(UInt8(number)), on: 1, displacingBeyond: 30) }
    FrameWriter.appendWindowUpdate(stream: 1, increment: 1_000, to: &client.bytes)
    served.receive(client.take())
    served.produce()
    #expect(try data(&served) == framed(message(1), message(3), message(6)))
  }

  @Test func afterADropTheAccountIsOfWhatStays() throws {
    var (served, client) = try blocked(window: 0)
    served.send(message(1), on: 1)
    served.send(message(2), on: 1, displacingBeyond: 30)
    served.send(message(3), on: 1)
    for number in 4...5 { served.send(message(UInt8(number)), on: 1, displacingBeyond: 30) }
    // 1, 3, 5 wait now: 30 bytes.
    served.send(message(6), on: 1, displacingBeyond: 40)
    #expect(served.takeHappened() == [.dropped(1, 1, bytes: 10), .dropped(1, 1, bytes: 10)])
    served.send(message(7), on: 1, displacingBeyond: 30)
    #expect(served.takeHappened() == [.dropped(1, 2, bytes: 20)])
    FrameWriter.appendWindowUpdate(stream: 1, increment: 1_000, to: &client.bytes)
    served.receive(client.take())
    served.produce()
    #expect(try data(&served) == framed(message(1), message(3), message(7)))
  }

  @Test func theNewestStaysHoweverLargeItIs() throws {
    var (served, _) = try blocked(window: 0)
    served.send(message(1), on: 1, displacingBeyond: 5)
    served.send(message(2), on: 1, displacingBeyond: 5)
    #expect(served.takeHappened() == [.dropped(1, 1, bytes: 10)])
    #expect(served.engine.hasOutput == false)
  }

  @Test func manyDropsKeepTheOrderAndTheAccount() throws {
    var (served, client) = try blocked(window: 0)
    for number in 0..<1_000 { served.send([UInt8(number % 251)], on: 1, displacingBeyond: 100) }
    let dropped = served.takeHappened().reduce(0) { sum, event in
      if case .dropped(1, let count, let bytes) = event, count == bytes { sum + count } else { sum }
    }
    #expect(dropped == 900)
    FrameWriter.appendWindowUpdate(stream: 1, increment: 10_000, to: &client.bytes)
    served.receive(client.take())
    served.produce()
    #expect(try data(&served) == (900..<1_000).flatMap { framed([UInt8($0 % 251)]) })
  }

  @Test func anEndAtOnceDropsWhatIsQueued() throws {
    var (served, _) = try blocked(window: 0)
    for number in 1...3 { served.send(message(UInt8(number)), on: 1, displacingBeyond: .max) }
    served.send(message(4), on: 1)
    served.endNow(1, EdgeStatus(.resourceExhausted))
    served.produce()
    #expect(served.takeHappened() == [.dropped(1, 3, bytes: 30), .closed(1, .ended)])
    let said = try served.said()
    guard case .headers(1, let trailers, end: true) = said.first else {
      Issue.record("\(said)")
      return
    }
    #expect(trailers["grpc-status"] == "8")
  }

  @Test func anEndAtOnceWaitsForTheMessageThatHasBegun() throws {
    var (served, client) = try blocked(window: 8)
    for number in 1...3 { served.send(message(UInt8(number)), on: 1, displacingBeyond: .max) }
    served.produce()
    _ = served.takeHappened()
    served.endNow(1, EdgeStatus(.resourceExhausted))
    #expect(served.takeHappened() == [.dropped(1, 2, bytes: 20)])
    FrameWriter.appendWindowUpdate(stream: 1, increment: 1_000, to: &client.bytes)
    served.receive(client.take())
    served.produce()
    #expect(served.takeHappened() == [.written(1, 7), .closed(1, .ended)])
  }
}
