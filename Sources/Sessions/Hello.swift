/// What a client said first, before and after it was checked.

/// As it came over the wire.
public struct HelloRequest: Hashable, Sendable {
  public var userID: String
  /// Empty: the pod chooses one.
  public var sessionID: String
  /// The epoch of the client's last Welcome; 0 for none.
  public var epoch: UInt64
  public var labels: [String: String]
  public var moves: Bool
  public var acknowledges: Bool

  public init(
    userID: String, sessionID: String = "", epoch: UInt64 = 0, labels: [String: String] = [:], moves: Bool = false,
    acknowledges: Bool = false
  ) {
    self.userID = userID
    self.sessionID = sessionID
    self.epoch = epoch
    self.labels = labels
    self.moves = moves
    self.acknowledges = acknowledges
  }
}

/// A checked Hello.
public struct Hello: Hashable, Sendable {
  public static let maximumLabels = 16
  public static let maximumLabelKeyBytes = 64
  public static let maximumLabelValueBytes = 256

  public let key: SessionKey
  public let lastEpoch: Epoch
  public let labels: [String: String]
  public let moves: Bool
  public let acknowledges: Bool

  /// - Parameter chosenSessionID: taken when the client named none.
  /// - Throws: what is wrong, for the client's developer to read.
  public init(_ request: HelloRequest, chosenSessionID: String) throws(IdentifierError) {
    let user = try UserID(request.userID)
    let session = try SessionID(request.sessionID.isEmpty ? chosenSessionID : request.sessionID)
    try Self.check(request.labels)
    // Epochs are microseconds; far beyond that, the registry could no longer count on.
    guard request.epoch < UInt64(1) << 62 else {
      throw IdentifierError(message: "the epoch \(request.epoch) is none that a Welcome gave; send that one, or 0")
    }
    key = SessionKey(user: user, session: session)
    lastEpoch = Epoch(rawValue: request.epoch)
    labels = request.labels
    moves = request.moves
    acknowledges = request.acknowledges
  }

  /// What was checked before.
  init(key: SessionKey, lastEpoch: Epoch, labels: [String: String], moves: Bool, acknowledges: Bool) {
    self.key = key
    self.lastEpoch = lastEpoch
    self.labels = labels
    self.moves = moves
    self.acknowledges = acknowledges
  }

  private static func check(_ labels: [String: String]) throws(IdentifierError) {
    guard labels.count <= maximumLabels else {
      throw IdentifierError(message: "there are \(labels.count) labels; at most \(maximumLabels) are allowed")
    }
    for (key, value) in labels {
      guard (1...maximumLabelKeyBytes).contains(key.utf8.count) else {
        throw IdentifierError(
          message: "a label's key has \(key.utf8.count) bytes; 1 to \(maximumLabelKeyBytes) are allowed")
      }
      guard value.utf8.count <= maximumLabelValueBytes else {
        throw IdentifierError(
          message: "a label's value has \(value.utf8.count) bytes; at most \(maximumLabelValueBytes) are allowed")
      }
    }
  }
}
