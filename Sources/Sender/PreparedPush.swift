internal import Foundation
internal import HashRing
internal import Routing
internal import Sessions
internal import Wire

/// A push that was checked: what is wrong with it is said before anything is sent.
struct PreparedPush: Sendable {
  let user: UserID
  let target: RouteTarget
  let message: OutboundMessage
  let strategy: RoutingStrategy
  let groupsByPod: Bool
  let timeout: Duration

  var userHash: UInt64 { keyHash(user.text.utf8) }
}

/// A message on its way; one object however many pods and users it goes to, so that a frame holds it once.
final class OutboundMessage: Sendable {
  let wire: Pushring_V1_Message
  /// In bytes, roughly as it travels.
  let size: Int

  var id: String { wire.id }

  init(id: String, payload: [UInt8], headers: [String: String]) {
    var message = Pushring_V1_Message()
    message.id = id
    message.payload = Data(payload)
    message.headers = headers
    message.sentAtUnixMicros = Int64(Date().timeIntervalSince1970 * 1_000_000)
    wire = message
    size = payload.count + id.utf8.count + headers.reduce(64) { $0 + $1.key.utf8.count + $1.value.utf8.count + 8 }
  }
}

extension PreparedPush {
  static let maximumHeaders = 32
  static let maximumHeaderKeyBytes = 64
  static let maximumHeaderValueBytes = 1024
  static let maximumMessageIDBytes = 128
  static let maximumTimeout = Duration.seconds(300)

  init(_ push: Push, _ configuration: SenderConfiguration) throws(PushError) {
    try self.init(push, configuration, message: Self.message(of: push, configuration))
  }

  /// For many users of one message.
  init(_ push: Push, _ configuration: SenderConfiguration, message: OutboundMessage) throws(PushError) {
    do {
      user = try UserID(push.user)
      target = if let session = push.session { .session(try SessionID(session)) } else { .allSessions }
    } catch {
      throw PushError(code: .invalidArgument, message: "\(error)")
    }
    let timeout = push.timeout ?? configuration.pushTimeout
    guard timeout > .zero, timeout <= Self.maximumTimeout else {
      throw PushError(code: .invalidArgument, message: "the time-out is \(timeout); give up to 300 seconds")
    }
    self.timeout = timeout
    self.message = message
    groupsByPod = push.groupsByPod ?? configuration.groupsByPod
    strategy =
      switch push.strategy ?? configuration.strategy {
      case .ring: .ring
      case .directory: .directory
      case .modulo: .modulo
      }
  }

  static func message(of push: Push, _ configuration: SenderConfiguration) throws(PushError) -> OutboundMessage {
    guard push.payload.count <= configuration.maximumPayloadBytes else {
      throw PushError(
        code: .invalidArgument,
        message: "the payload has \(push.payload.count) bytes; at most \(configuration.maximumPayloadBytes) are "
          + "allowed (--max-message of the Sender)"
      )
    }
    try checkHeaders(push.headers)
    let id = push.messageID ?? newMessageID()
    try checkMessageID(id)
    return OutboundMessage(id: id, payload: push.payload, headers: push.headers)
  }

  private static func checkHeaders(_ headers: [String: String]) throws(PushError) {
    guard headers.count <= maximumHeaders else {
      throw PushError(
        code: .invalidArgument, message: "\(headers.count) headers; at most \(maximumHeaders) are allowed")
    }
    for (key, value) in headers {
      guard (1...maximumHeaderKeyBytes).contains(key.utf8.count) else {
        throw PushError(
          code: .invalidArgument,
          message: "a header's key has \(key.utf8.count) bytes; give 1 to \(maximumHeaderKeyBytes)")
      }
      guard value.utf8.count <= maximumHeaderValueBytes else {
        throw PushError(
          code: .invalidArgument,
          message: "a header's value has \(value.utf8.count) bytes; at most \(maximumHeaderValueBytes) are allowed")
      }
    }
  }

  private static func checkMessageID(_ id: String) throws(PushError) {
    guard id.utf8.count <= maximumMessageIDBytes else {
      throw PushError(
        code: .invalidArgument,
        message: "the message id has \(id.utf8.count) bytes; at most \(maximumMessageIDBytes) are allowed")
    }
    guard !id.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }) else {
      throw PushError(
        code: .invalidArgument, message: "the message id has a control character in it; leave control characters out")
    }
  }

  /// Not `UUID()`, which on Linux opens, reads and closes /dev/urandom for each.
  private static func newMessageID() -> String {
    identifierText(.random(in: .min ... .max), .random(in: .min ... .max))
  }
}
