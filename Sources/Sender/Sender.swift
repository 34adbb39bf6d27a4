public import Logging
public import RedisDirectory

/// STUB. Embeddable: pushes messages to users. Stateless; any number of Senders serve one cluster.
public final class Sender: Sendable {
  public init(configuration: SenderConfiguration, directory: RedisDirectory, follower: ViewFollower, logger: Logger) {}
  /// Holds the streams to the pods; returns when the task is cancelled and what was in flight is answered.
  public func run() async throws { fatalError("stub") }
  public func push(_ push: Push) async throws(PushError) -> PushResult { fatalError("stub") }
  public var notReadyReason: String? { fatalError("stub") }
}

/// STUB. The gRPC service `pushring.v1.Pushes` (and health) around a `Sender`.
public final class SenderServer: Sendable {
  public init(sender: Sender, host: String, port: Int, logger: Logger) {}
  /// Serves until the task is cancelled; then lets pushes in flight finish, bounded. Throws if it can't listen.
  public func run() async throws { fatalError("stub") }
  public func address() async throws -> String { fatalError("stub") }
}

public struct SenderConfiguration: Sendable, Hashable {
  public enum Strategy: String, Sendable, Hashable, CaseIterable { case ring, directory, modulo }
  public var strategy: Strategy = .ring
  public var groupsByPod: Bool = true
  public var maximumInFlight: Int = 10_000
  public var pushTimeout: Duration = .seconds(5)
  public init() {}
}

/// STUB
public struct Push: Sendable { public init() {} }
public struct PushResult: Sendable {}
public struct PushError: Error, Sendable {}
