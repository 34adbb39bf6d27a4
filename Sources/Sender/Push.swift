/// One message to one user, as a backend wants it delivered.
public struct Push: Sendable, Hashable {
  /// 1 to 256 bytes of UTF-8 without control characters.
  public var user: String
  /// Nil: all sessions of the user. Otherwise as `user`.
  public var session: String?
  /// Opaque; at most `SenderConfiguration.maximumPayloadBytes`.
  public var payload: [UInt8]
  /// At most 32, keys of 1 to 64 bytes, values of at most 1,024.
  public var headers: [String: String] = [:]
  /// At most 128 bytes of UTF-8 without control characters. Nil: the Sender makes one. Repeat a push with the same id,
  /// and clients drop the repeat.
  public var messageID: String?
  /// Instead of the Sender's own.
  public var strategy: SenderConfiguration.Strategy?
  /// Instead of the Sender's own.
  public var groupsByPod: Bool?
  /// Instead of the Sender's own; at most 300 s.
  public var timeout: Duration?

  public init(user: String, session: String? = nil, payload: [UInt8]) {
    self.user = user
    self.session = session
    self.payload = payload
  }

  /// - Parameter text: sent as UTF-8.
  public init(user: String, session: String? = nil, text: String) {
    self.init(user: user, session: session, payload: Array(text.utf8))
  }
}
