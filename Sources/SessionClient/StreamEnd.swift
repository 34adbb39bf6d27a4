/// How one stream, or the attempt to open one, ended, and what follows from it. The pod says why in the trailer
/// "pushring-reason", and where to go in "pushring-endpoints"; without them the gRPC status decides.
struct StreamEnd: Sendable, Hashable {
  /// gRPC status code.
  let code: Int
  let message: String
  /// "pushring-reason"; empty when the pod gave none.
  let reason: String
  /// "pushring-endpoints": where to go, best first.
  let endpoints: [String]

  init(code: Int, message: String, reason: String = "", endpoints: [String] = []) {
    self.code = code
    self.message = message
    self.reason = reason
    self.endpoints = endpoints
  }

  enum Verdict: Sendable, Hashable {
    /// Worth trying again, there or elsewhere.
    case tryAgain
    /// The same session id connected somewhere else: coming back would take it away from there again.
    case takenOver
    /// The request itself is wrong; every pod would say the same.
    case refused
  }

  var verdict: Verdict {
    if reason == Self.takenOverReason { return .takenOver }
    switch code {
    // INVALID_ARGUMENT, PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED
    case 3, 7, 12, 16: return .refused
    default: return .tryAgain
    }
  }

  var text: String {
    let status = Self.statusNames.indices.contains(code) ? Self.statusNames[code] : "status \(code)"
    return [status, reason.isEmpty ? "" : "(\(reason))", message].filter { !$0.isEmpty }.joined(separator: " ")
  }

  static let takenOverReason = "taken-over"

  private static let statusNames = [
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
  ]
}
