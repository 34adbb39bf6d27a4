/// What the application hears of its session.
public enum SessionEvent: Sendable, Hashable {
  /// The session is registered on a pod; the first time, and after every reconnect or move.
  case welcomed(Welcomed)
  case message(ReceivedMessage)
  /// So many messages did not come, because this client did not read fast enough. They are older than every message that
  /// follows.
  case missed(Int)
  /// The pod asks to go elsewhere; the session stays open meanwhile, and `welcomed` follows.
  case moving(reason: String, endpoint: String)
  /// The stream is lost or refused; another attempt follows, after `pause` if there is one.
  case reconnecting(reason: String, pause: Duration)
  /// The last event.
  case ended(SessionEndReason)
}

public struct Welcomed: Sendable, Hashable {
  public let session: String
  public let pod: String
  public let epoch: UInt64
  public let endpoint: String
  /// The user's owner and its successors, this pod left out.
  public let successors: [String]
}

public struct ReceivedMessage: Sendable, Hashable {
  public let id: String
  public let payload: [UInt8]
  public let headers: [String: String]
  /// The pod that delivered it.
  public let pod: String
  /// When the Sender accepted the push: microseconds since 1970, by the Sender's clock.
  public let sentAtUnixMicroseconds: Int64
}

public enum SessionEndReason: Sendable, Hashable, CustomStringConvertible {
  /// The application closed it.
  case closed
  /// The same session id connected elsewhere.
  case takenOver
  /// Every pod would refuse this request; the text says why.
  case refused(String)
  /// The configured number of attempts failed; the last problem.
  case gaveUp(String)
  /// Events were not read fast enough: the bounded queue is full.
  case tooSlow

  public var description: String {
    switch self {
    case .closed: "closed"
    case .takenOver: "taken over: the same session id connected elsewhere"
    case .refused(let why): "refused: \(why)"
    case .gaveUp(let why): "gave up: \(why)"
    case .tooSlow: "the application did not read its messages fast enough"
    }
  }
}
