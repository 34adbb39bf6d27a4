public import RedisClient

/// Why a call to the registry failed. The message says which cluster, which address, and what to do.
public struct DirectoryError: Error, Sendable, CustomStringConvertible {
  public enum Code: Sendable, Hashable {
    /// Redis did not answer, or not in time.
    case unavailable
    /// What is stored is not what this version writes, or another program's settings differ.
    case incompatible
    case invalidArgument
    /// The incarnation left or was written off: it can't resume. Close all its streams and join anew.
    case departed
  }
  public let code: Code
  public let message: String
  public let cause: RedisError?

  public init(code: Code, message: String, cause: RedisError? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  public var description: String { message }
}
