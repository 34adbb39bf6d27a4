/// Server frames as bytes.
internal import Foundation
internal import Placement
internal import Rebalancing
internal import SessionEdge
internal import Sessions
internal import SwiftProtobuf
internal import Wire

/// Encoding one of our own messages can't fail: no required fields, and sizes far below 2 GiB.
func encoded(_ message: some SwiftProtobuf.Message) -> [UInt8] {
  guard let bytes: [UInt8] = try? message.serializedBytes() else {
    preconditionFailure("\(type(of: message)) could not be encoded")
  }
  return bytes
}

/// A message as it goes to each of its sessions.
struct MessageFrame: Sendable {
  let bytes: [UInt8]
  let size: MessageSize

  init(_ message: Pushring_V1_Message) {
    var frame = Pushring_V1_ServerFrame()
    frame.message = message
    bytes = encoded(frame)
    size = MessageSize(payloadBytes: message.payload.count, frameBytes: bytes.count)
  }
}

func pongFrame(nonce: UInt64) -> [UInt8] {
  var frame = Pushring_V1_ServerFrame()
  frame.pong.nonce = nonce
  return encoded(frame)
}

func droppedFrame(messages: UInt32) -> [UInt8] {
  var frame = Pushring_V1_ServerFrame()
  frame.dropped.messages = messages
  return encoded(frame)
}

func welcomeFrame(
  _ record: SessionRecord, view: ViewStamp, successors: [Member], maximumMessageBytes: Int
) -> [UInt8] {
  var welcome = Pushring_V1_Welcome()
  welcome.sessionID = record.key.session.text
  welcome.podID = record.podID
  welcome.epoch = record.epoch.rawValue
  welcome.incarnation = record.incarnation.rawValue
  welcome.view = Pushring_V1_ViewStamp(view)
  welcome.successors = successors.map { Pushring_V1_PodEndpoint($0.description) }
  welcome.maxMessageBytes = UInt32(clamping: maximumMessageBytes)
  var frame = Pushring_V1_ServerFrame()
  frame.welcome = welcome
  return encoded(frame)
}

/// Names one endpoint and no successors: a session that could not go there stays, and does not become another stray.
func reconnectFrame(
  to target: Member, deadline: Duration, ticket: MoveTicket, reason: Pushring_V1_Reconnect.Reason
) -> [UInt8] {
  var reconnect = Pushring_V1_Reconnect()
  reconnect.deadlineMillis = UInt32(clamping: deadline.milliseconds)
  reconnect.reason = reason
  reconnect.endpoint = Pushring_V1_PodEndpoint(target.description)
  reconnect.ticket = Data(ticket.bytes)
  var frame = Pushring_V1_ServerFrame()
  frame.reconnect = reconnect
  return encoded(frame)
}

extension Duration {
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

extension EdgeStatus {
  /// The trailers tell a client's program why and where to go; Docs/protocol.md lists them.
  init(_ end: StreamEnd, endpoints: [Member]) {
    var trailers = ["pushring-reason": end.reason.rawValue]
    if end.reason.sendsElsewhere, !endpoints.isEmpty {
      trailers["pushring-endpoints"] = endpoints.map(\.description.endpoint).joined(separator: ",")
    }
    self.init(end.reason.code, end.message, trailers: trailers)
  }
}

extension EndReason {
  fileprivate var code: EdgeStatus.Code {
    switch self {
    case .takenOver: .aborted
    case .leaving, .rebalanced, .membershipLost, .notReady, .registryUnavailable: .unavailable
    case .badHello, .badFrame: .invalidArgument
    case .helloTimeout: .deadlineExceeded
    case .slow, .full: .resourceExhausted
    }
  }

  fileprivate var sendsElsewhere: Bool {
    switch self {
    case .leaving, .rebalanced, .membershipLost, .notReady, .registryUnavailable, .full: true
    case .takenOver, .badHello, .badFrame, .helloTimeout, .slow: false
    }
  }
}
