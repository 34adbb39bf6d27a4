/// Why a pod ended a stream: the text of the trailer `pushring-reason` (Docs/protocol.md says what a client does).
public enum EndReason: String, Hashable, Sendable, CaseIterable {
  /// The same session id connected again, here or elsewhere.
  case takenOver = "taken-over"
  /// The pod is being shut down.
  case leaving
  /// The session belongs on another pod, and its client can't move by itself.
  case rebalanced
  /// The pod lost its membership for longer than its grace.
  case membershipLost = "membership-lost"
  /// The Hello was missing, repeated, malformed, or asked for what is not allowed.
  case badHello = "bad-hello"
  /// A frame that can't be read.
  case badFrame = "bad-frame"
  case helloTimeout = "hello-timeout"
  /// The client asks for answers and does not read them.
  case slow
  /// The pod holds as many sessions as it may.
  case full
  /// The pod has not joined its cluster yet.
  case notReady = "not-ready"
  /// The registry can't be reached, so no session can be registered.
  case registryUnavailable = "registry-unavailable"
}

/// How a stream ends: the reason for programs, the message for people.
public struct StreamEnd: Hashable, Sendable {
  public let reason: EndReason
  public let message: String

  public init(_ reason: EndReason, _ message: String) {
    self.reason = reason
    self.message = message
  }
}
