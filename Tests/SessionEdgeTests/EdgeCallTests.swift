import GRPCCore
import SessionEdge
import TestCalls
import TestServers
import Testing

@Suite struct EdgeCallTests {
  @Test func messagesComeBackInOrderThenTheStatusWithItsTrailers() async throws {
    try await withEdge { address, application, _ in
      let client = try TestClient(address)
      let call = client.call("test.Echo/Echo")
      for number in 0..<500 { call.send(bytes("\(number)")) }
      for number in 0..<500 { #expect(try await call.next() == bytes("\(number)")) }
      call.finish()
      let status = try await call.status()
      #expect(status.isOK)
      #expect(status.trailers["echoed"] == "yes")
      #expect(try await application.closeReason() == .ended)
      #expect(application.now.mostInside == 1)
      await client.close()
    }
  }

  @Test func aConnectionBearsManyCallsAtOnce() async throws {
    try await withEdge { address, _, _ in
      let client = try TestClient(address)
      let calls = (0..<300).map { _ in client.call("test.Echo/Echo") }
      for (number, call) in calls.enumerated() { call.send(bytes("\(number)")) }
      for (number, call) in calls.enumerated() { #expect(try await call.next() == bytes("\(number)")) }
      for call in calls { call.finish() }
      for call in calls { #expect(try await call.status().isOK) }
      await client.close()
    }
  }

  @Test func anErrorStatusArrivesAfterWhatWasQueued() async throws {
    try await withEdge { address, application, _ in
      let client = try TestClient(address)
      let (call, served) = try await application.parked(client)
      for number in 0..<20 { served.send(bytes("\(number)")) }
      served.end(EdgeStatus(.aborted, "enough", trailers: ["pushring-reason": "test"]))
      served.end(EdgeStatus(.ok, "too late"))
      served.send(bytes("too late"))
      for number in 0..<20 { #expect(try await call.next() == bytes("\(number)")) }
      let status = try await call.status()
      #expect(status.code == .aborted)
      #expect(status.message == "enough")
      #expect(status.trailers["pushring-reason"] == "test")
      await client.close()
    }
  }

  @Test func theApplicationHasAWordBeforeTheEnd() async throws {
    try await withEdge { address, application, _ in
      let client = try TestClient(address)
      application.endCalls(with: bytes("last"))
      let (call, served) = try await application.parked(client)
      served.send(bytes("queued"))
      served.end(EdgeStatus(.aborted))
      served.end(EdgeStatus(.ok, "too late"))
      #expect(try await call.next() == bytes("queued"))
      #expect(try await call.next() == bytes("last"))
      #expect(try await call.next() == nil)
      #expect(try await call.status().code == .aborted)
      await client.close()
    }
  }

  @Test func whatADroppingSendDropsIsTold() async throws {
    try await withEdge { address, application, _ in
      let slow = try SilentPeer(address)
      try slow.openCall("/test.Echo/Park")
      let served = try await application.call()
      let message = [UInt8](repeating: 7, count: 16 * 1024)
      served.queue(message, displacingBeyond: 64 * 1024)?.wake()
      try await eventually("the first is written") { application.now.written > 0 }
      for _ in 1..<1024 { served.queue(message, displacingBeyond: 64 * 1024)?.wake() }
      served.endNow(EdgeStatus(.resourceExhausted))
      // What it has taken are 64 KiB of window, at most.
      try await eventually("the rest is dropped") { application.now.dropped >= 1024 - 5 }
      #expect(application.now.dropped < 1024)
      slow.close()
      _ = try await application.closeReason()
    }
  }

  @Test func aPeerThatGivesNoWindowStopsTheReportOfWrittenBytes() async throws {
    try await withEdge { address, application, _ in
      let slow = try SilentPeer(address)
      try slow.openCall("/test.Echo/Park")
      let served = try await application.call()
      let message = [UInt8](repeating: 7, count: 16 * 1024)
      for _ in 0..<1024 { served.send(message) }
      try await eventually("the first bytes are written") { application.now.written > 0 }
      // What goes out unread goes out while another connection does its round trips.
      try await roundTrips(address, 100)
      let written = application.now.written
      #expect(written < 256 * 1024, "\(written) bytes were reported as written to a peer that takes 64 KiB")
      slow.close()
      _ = try await application.closeReason()
    }
  }

  private func roundTrips(_ address: String, _ count: Int) async throws {
    let client = try TestClient(address)
    let call = client.call("test.Echo/Echo")
    for number in 0..<count {
      call.send(bytes("\(number)"))
      #expect(try await call.next() == bytes("\(number)"))
    }
    call.finish()
    _ = try await call.status()
    await client.close()
  }

  /// More than is encoded at a time, to a client whose window takes it all: nothing but the edge itself goes on with it.
  @Test func aMessageOfMegabytesArrives() async throws {
    try await withEdge { address, application, _ in
      let client = try TestClient(address)
      let (call, served) = try await application.parked(client)
      let message = [UInt8](repeating: 7, count: 3 * 1024 * 1024)
      served.send(message)
      #expect(try await call.next() == message)
      call.cancel()
      await client.close()
    }
  }

  @Test func aCancelledCallIsClosedAsCancelled() async throws {
    try await withEdge { address, application, _ in
      let client = try TestClient(address)
      let (call, _) = try await application.parked(client)
      call.cancel()
      #expect(try await application.closeReason() == .cancelledByClient)
      await client.close()
    }
  }

  @Test func aHalfClosedParkedCallIsStillFoundCancelled() async throws {
    try await withEdge { address, application, _ in
      let client = try TestClient(address)
      let call = client.call("test.Echo/Park")
      call.send(bytes("hello"))
      call.finish()
      try await eventually("the input ended") { application.now.inputEnds == 1 }
      call.cancel()
      #expect(try await application.closeReason() == .cancelledByClient)
      await client.close()
    }
  }

  @Test func anUnknownMethodIsUnimplemented() async throws {
    try await withEdge { address, application, _ in
      let client = try TestClient(address)
      let call = client.call("test.Echo/Nothing")
      call.send(bytes("hello"))
      #expect(try await call.status().code == .unimplemented)
      #expect(application.now.calls.isEmpty)
      await client.close()
    }
  }

  @Test func anOversizeMessageEndsOnlyItsCall() async throws {
    try await withEdge({ $0.maximumReceivedMessageBytes = 1000 }) { address, application, _ in
      let client = try TestClient(address)
      let good = client.call("test.Echo/Echo")
      let bad = client.call("test.Echo/Echo")
      bad.send([UInt8](repeating: 1, count: 1001))
      let status = try await bad.status()
      #expect(status.code == .resourceExhausted)
      #expect(status.message.contains("at most 1000"))
      good.send([UInt8](repeating: 1, count: 1000))
      #expect(try await good.next()?.count == 1000)
      good.cancel()
      await client.close()
    }
  }
}
