/// What went wrong with a command or a configuration.
public struct RedisError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Code: Sendable, Hashable {
    /// No connection, or it was lost. `mayHaveRun` tells the commands that were sent from those that were not.
    case unavailable
    /// No reply within `RedisConfiguration.commandTimeout`.
    case timeout
    /// The bounded in-flight limit is reached; nothing was sent.
    case overloaded
    /// The server answered with an error; `message` contains it.
    case server
    /// The server refuses user or password. The client keeps trying, as an operator may repair it on the server.
    case authentication
    /// The other side does not speak Redis' protocol.
    case protocolViolation
    case configuration
    /// The calling task was cancelled.
    case cancelled
  }
  public let code: Code
  /// Which address, which command, what to do. Never a password.
  public let message: String
  /// True when bytes of the command were handed to a connection, so that the server may have carried it out.
  public let mayHaveRun: Bool
  public init(code: Code, message: String, mayHaveRun: Bool) {
    self.code = code
    self.message = message
    self.mayHaveRun = mayHaveRun
  }
  public var description: String { message }
}
