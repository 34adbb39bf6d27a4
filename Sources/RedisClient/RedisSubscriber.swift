public import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A connection of its own that stays subscribed to `channels` and resubscribes after every reconnect.
///
/// Redis' publish and subscribe promises nothing: what is published while a subscriber is away is gone. So this type
/// hands over the gaps together with the messages, and the consumer reads the state afresh at each `.subscribed`.
public final class RedisSubscriber: Sendable {
  private let configuration: RedisConfiguration
  private let channels: [String]
  private let logger: Logger
  private let eventLoop: any EventLoop
  private let buffer: SubscriptionBuffer
  private let link: Mutex<LinkStateMachine>

  /// - Parameter channels: at least one, no name twice.
  public init(configuration: RedisConfiguration, channels: [String], logger: Logger) {
    precondition(!channels.isEmpty && Set(channels).count == channels.count, "channels: at least one, none twice")
    self.configuration = configuration
    self.channels = channels
    self.logger = logger
    eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    buffer = SubscriptionBuffer(limit: configuration.subscriptionBufferLimit)
    link = Mutex(
      LinkStateMachine(initialBackoff: configuration.initialBackoff, maximumBackoff: configuration.maximumBackoff))
  }

  /// Keeps the subscription until the task is cancelled; then `events` ends. Call it once.
  public func run() async {
    await LinkRunner(configuration: configuration, eventLoop: eventLoop).run(self)
  }

  /// For one consumer. Bounded: when the consumer is too slow the events that wait are dropped and one `.subscribed` is
  /// given in their place, so that the consumer reads the state afresh.
  public var events: AsyncStream<RedisSubscriptionEvent> {
    AsyncStream { [buffer] in
      await buffer.next()
    } onCancel: { [buffer] in
      buffer.cancelConsumer()
    }
  }
}

public enum RedisSubscriptionEvent: Sendable, Hashable {
  /// (Re)subscribed to all channels, or events were dropped: messages before this may have been missed.
  case subscribed
  case message(channel: String, payload: [UInt8])
  /// There is no connection, at the start or because it was lost; it is being re-established. Given once per loss.
  case disconnected
}

extension RedisSubscriber: LinkOwner {
  func connectStarted() { link.withLock { $0.connectStarted() } }

  func connectionMade() { link.withLock { $0.connectionMade() } }

  func serve(_ connection: RedisConnection, runID: String?) async -> RedisError {
    do throws(RedisError) {
      try await connection.subscribe { [channels, configuration] in
        SubscriptionHandler(channels: channels, interval: configuration.subscriptionIdleTimeout, emit: self.received)
      }
    } catch {
      return error
    }
    return await connection.closed()
  }

  private func received(_ event: RedisSubscriptionEvent) {
    if event == .subscribed {
      link.withLock { $0.greeted(now: .now) }
      logger.info("Subscribed at Redis", metadata: ["redis.address": "\(configuration.address)"])
    }
    buffer.append(event)
  }

  func connectionLost(_ error: RedisError) -> Duration {
    let lost = link.withLock { $0.connectionLost(error, now: .now, random: .random(in: 0...1)) }
    if lost.isFirst { buffer.append(.disconnected) }
    logger.log(
      level: lost.isFirst ? .warning : .debug, "No subscription at Redis, retrying",
      metadata: [
        "redis.address": "\(configuration.address)", "redis.retry_after": "\(lost.retryAfter)",
        "error.message": "\(error.message)",
      ])
    return lost.retryAfter
  }

  func stopped(_ error: RedisError) {
    link.withLock { $0.stopped() }
    buffer.finish()
  }
}
