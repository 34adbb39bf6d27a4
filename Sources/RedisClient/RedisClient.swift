public import Logging

/// STUB. One Redis server, several commands in flight over one connection that is kept up by `run()`.
public final class RedisClient: Sendable {
  public let configuration: RedisConfiguration
  public init(configuration: RedisConfiguration, logger: Logger) { self.configuration = configuration }

  /// Connects, reconnects with backoff and jitter; returns when the task is cancelled, after failing what is in flight.
  public func run() async { fatalError("stub") }

  /// Sends one command. Error replies of the server are thrown as `RedisError` with code `.server`.
  public func send(_ command: RedisCommand) async throws(RedisError) -> RedisValue { fatalError("stub") }

  /// Sends all commands back to back; one result each, in order.
  public func pipeline(_ commands: [RedisCommand]) async -> [Result<RedisValue, RedisError>] { fatalError("stub") }

  /// EVALSHA, and on NOSCRIPT loads the script and tries once more.
  public func evaluate(_ script: RedisScript, keys: [String], arguments: [RedisArgument]) async throws(RedisError)
    -> RedisValue
  { fatalError("stub") }

  /// All in one pipeline; one result each, in order.
  public func evaluate(_ script: RedisScript, calls: [RedisScriptCall]) async -> [Result<RedisValue, RedisError>] {
    fatalError("stub")
  }
}

/// STUB. A connection of its own that stays subscribed to `channels` and resubscribes after every reconnect.
public final class RedisSubscriber: Sendable {
  public init(configuration: RedisConfiguration, channels: [String], logger: Logger) {}
  /// Keeps the subscription until the task is cancelled.
  public func run() async { fatalError("stub") }
  /// For one consumer. Bounded: when the consumer is too slow the oldest is dropped and a `.resubscribed` is given, so
  /// that the consumer reads the state afresh.
  public var events: AsyncStream<RedisSubscriptionEvent> { fatalError("stub") }
}

public enum RedisSubscriptionEvent: Sendable {
  /// (Re)subscribed to all channels: messages before this may have been missed.
  case subscribed
  case message(channel: String, payload: [UInt8])
  /// The connection is lost; it is being re-established.
  case disconnected
}

public struct RedisScript: Sendable, Hashable {
  public let name: String
  public let source: String
  public let sha1: String
  public init(name: String, source: String) {
    self.name = name
    self.source = source
    sha1 = ""
  }
}

public struct RedisScriptCall: Sendable {
  public var keys: [String]
  public var arguments: [RedisArgument]
  public init(keys: [String], arguments: [RedisArgument]) {
    self.keys = keys
    self.arguments = arguments
  }
}

/// One argument's bytes.
public struct RedisArgument: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
  public let bytes: [UInt8]
  public init(_ bytes: [UInt8]) { self.bytes = bytes }
  public init(_ text: some StringProtocol) { bytes = Array(text.utf8) }
  public init(_ integer: some BinaryInteger) { bytes = Array(String(integer).utf8) }
  public init(stringLiteral value: String) { self.init(value) }
  public init(integerLiteral value: Int) { self.init(value) }
}

public struct RedisCommand: Sendable, Hashable, ExpressibleByArrayLiteral {
  public let arguments: [RedisArgument]
  public init(_ arguments: [RedisArgument]) { self.arguments = arguments }
  public init(arrayLiteral elements: RedisArgument...) { arguments = elements }
}

public enum RedisValue: Sendable, Hashable {
  case status(String)
  case bulk([UInt8])
  case integer(Int64)
  case array([RedisValue])
  case null
  case error(String)
}

public struct RedisError: Error, Sendable, CustomStringConvertible {
  public enum Code: Sendable, Hashable {
    /// No connection, or it was lost. `mayHaveRun` tells the commands that were sent from those that were not.
    case unavailable
    case timeout
    /// The bounded in-flight limit is reached; nothing was sent.
    case overloaded
    /// The server answered with an error.
    case server
    case authentication
    case protocolViolation
    case configuration
    case cancelled
  }
  public let code: Code
  /// Which address, which command, what to do.
  public let message: String
  public let mayHaveRun: Bool
  public init(code: Code, message: String, mayHaveRun: Bool) {
    self.code = code
    self.message = message
    self.mayHaveRun = mayHaveRun
  }
  public var description: String { message }
}

public struct RedisConfiguration: Sendable, Hashable {
  public var host: String
  /// 1 to 65535.
  public var port: Int
  public var username: String?
  public var password: String?
  public var database: Int
  public var usesTLS: Bool
  /// PEM file of the certificate authority to trust instead of the system's; nil: the system's.
  public var tlsCertificateAuthorityFile: String?
  public var connectTimeout: Duration = .seconds(2)
  public var commandTimeout: Duration = .seconds(2)
  public var maximumInFlight: Int = 16_384
  public var initialBackoff: Duration = .milliseconds(50)
  public var maximumBackoff: Duration = .seconds(1)

  /// `redis://[user[:password]@]host[:port][/database]` or `rediss://…`; percent-encoding is decoded.
  /// - Throws: `RedisError` with code `.configuration`; the message never contains the password.
  public init(url: String) throws(RedisError) { fatalError("stub") }
  /// "redis://host:port/database", without user and password: for logs and errors.
  public var address: String { fatalError("stub") }
}
