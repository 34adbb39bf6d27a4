import Placement
package import Sessions

/// A table that admits, and short ways to bring streams into it.
struct Fixture {
  var table: SessionTable

  init(_ change: (inout SessionLimits) -> Void = { _ in }) {
    var limits = SessionLimits()
    change(&limits)
    table = SessionTable(limits: limits)
    table.becameReady()
  }

  /// Opens a stream that waits for its registration.
  mutating func hello(_ stream: UInt64, user: String = "ann", session: String = "phone") -> SessionTable.OnHello {
    _ = table.streamOpened(StreamID(rawValue: stream), now: .zero)
    return table.helloReceived(
      StreamID(rawValue: stream), HelloRequest(userID: user, sessionID: session), chosenSessionID: "chosen")
  }

  /// Opens a live one.
  @discardableResult
  mutating func live(_ stream: UInt64, user: String = "ann", session: String = "phone", epoch: UInt64 = 1)
    throws -> SessionTable.OnRegistered
  {
    _ = hello(stream, user: user, session: session)
    return table.registered(StreamID(rawValue: stream), try record(user: user, session: session, epoch: epoch))
  }

  mutating func deliver(
    user: String = "ann", to targets: [(String, UInt64)] = [], bytes: Int = 100, payload: Int? = nil
  ) throws -> [SessionDelivery] {
    table.deliver(
      to: try UserID(user),
      targets: try targets.map { DeliveryTarget(session: try SessionID($0.0), epoch: Epoch(rawValue: $0.1)) },
      size: MessageSize(payloadBytes: payload ?? bytes, frameBytes: bytes))
  }
}

func record(user: String = "ann", session: String = "phone", epoch: UInt64 = 1) throws -> SessionRecord {
  SessionRecord(
    key: SessionKey(user: try UserID(user), session: try SessionID(session)), podID: "a",
    incarnation: Incarnation(rawValue: 7), epoch: Epoch(rawValue: epoch))
}

extension StreamID: ExpressibleByIntegerLiteral {
  package init(integerLiteral value: UInt64) { self.init(rawValue: value) }
}
