/// A push that was not tried: nothing was delivered. Whatever happens later is told in the `PushResult`.
public struct PushError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// The push is wrong; repeating it is in vain.
    case invalidArgument
    /// Too many pushes in flight; try again after a pause.
    case resourceExhausted
    /// No view of the cluster is known yet, or the Sender does not run.
    case unavailable
  }

  public let code: Code
  /// What is wrong, and what to do.
  public let message: String

  public init(code: Code, message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}

/// The Sender could not start, e.g. because its port is in use; the message says what to do.
public struct SenderError: Error, Sendable, CustomStringConvertible {
  public let message: String
  public init(message: String) { self.message = message }
  public var description: String { message }
}
