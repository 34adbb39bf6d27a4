public import Logging
import NIOCore
import NIOPosix
import Synchronization

/// One Redis server, several commands in flight over one connection that is kept up by `run()`.
///
/// # Why a client of our own
///
/// The registry needs few things of Redis, and needs them exact: many callers' commands in one packet; a bound on what is
/// in flight; an immediate, truthful error when Redis is away; and after a failure to know whether a command may have
/// run. The protocol itself is not ours: hiredis, Redis' own C library, formats commands and parses replies
/// (`CommandEncoding`, `ReplyReader`).
///
/// # Shape
///
/// - `RedisConnection` is one TCP (or TLS) connection, of a SwiftNIO channel with two handlers: `ReplyDecoder`, and
///   `CommandHandler`, which keeps calls and replies together by `InFlightQueue`.
/// - `LinkStateMachine` decides when to connect again and what commands can expect meanwhile; `LinkRunner` carries it
///   out. `RedisSubscriber` uses both as well.
/// - `CommandBatch` is a call on its way, answered exactly once.
///
/// # Rules
///
/// - Replies match calls by order alone. So nothing leaves the queue out of order, and a call that times out takes its
///   connection with it.
/// - While there is no connection, commands fail at once with the reason; only in the first attempt do they wait.
/// - The client repeats nothing by itself, with one exception: NOSCRIPT, where Redis says that nothing ran.
/// - `RedisError.mayHaveRun` is true if and only if bytes were handed to a connection.
///
/// One connection and not a pool: Redis executes one command at a time, so a second connection would add only disorder.
public final class RedisClient: Sendable {
  private struct State {
    var link: LinkStateMachine
    var connection: RedisConnection?
    /// Counts connections, and the run id of the process at the other end of the last one.
    var server: (connections: Int, runID: String?) = (0, nil)
    /// Submitted during the first attempt.
    var waiting: [CommandBatch] = []
    var waitingCommands = 0
  }

  public let configuration: RedisConfiguration
  private let logger: Logger
  private let randomness: @Sendable () -> Double
  private let eventLoop: any EventLoop
  private let state: Mutex<State>
  private let scripts = Mutex<[RedisScript: RedisArgument]>([:])

  public convenience init(configuration: RedisConfiguration, logger: Logger) {
    self.init(configuration: configuration, logger: logger) { Double.random(in: 0...1) }
  }

  /// - Parameter randomness: gives numbers from 0 to 1 for the jitter of the back-off.
  init(configuration: RedisConfiguration, logger: Logger, randomness: @escaping @Sendable () -> Double) {
    self.configuration = configuration
    self.logger = logger
    self.randomness = randomness
    eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    state = Mutex(
      State(
        link: LinkStateMachine(
          initialBackoff: configuration.initialBackoff, maximumBackoff: configuration.maximumBackoff)))
  }

  /// Connects, reconnects with backoff and jitter; returns when the task is cancelled, after failing what is in flight.
  /// Call it once at a time.
  public func run() async {
    await LinkRunner(configuration: configuration, eventLoop: eventLoop).run(self)
  }

  /// Sends one command. Error replies of the server are thrown as `RedisError` with code `.server` (or
  /// `.authentication`).
  public func send(_ command: RedisCommand) async throws(RedisError) -> RedisValue {
    try await pipeline([command])[0].get()
  }

  /// Sends all commands back to back; one result each, in order. All or none are sent; more than
  /// `RedisConfiguration.maximumInFlight` at once are always refused as `.overloaded`. They share one deadline.
  public func pipeline(_ commands: [RedisCommand]) async -> [Result<RedisValue, RedisError>] {
    guard !commands.isEmpty else { return [] }
    let batch = CommandBatch(
      commands, address: configuration.address, deadline: .now + configuration.commandTimeout)
    return await batch.replies(afterSubmitting: submit)
  }

  /// As `pipeline`, with the run id of the process that gave the replies: another one may know less. Nil when it is not
  /// known, or when the connection changed meanwhile.
  public func identifiedPipeline(_ commands: [RedisCommand]) async -> (
    replies: [Result<RedisValue, RedisError>], runID: String?
  ) {
    let before = state.withLock { $0.server }
    let replies = await pipeline(commands)
    let after = state.withLock { $0.server }
    // What waited for the first connection was answered by it.
    let wasOne = max(before.connections, 1) == after.connections
    return (replies, wasOne ? after.runID : nil)
  }

  /// Commands that were given to the connection and are not answered; 0 without a connection.
  public func commandsInFlight() async -> Int {
    await state.withLock { $0.connection }?.commandsInFlight() ?? 0
  }

  private func submit(_ batch: CommandBatch) {
    let action = state.withLock { state -> (() -> Void) in
      switch state.link.admission(now: .now) {
      case .refuse(let code, let reason): return { batch.failed(code, reason) }
      case .wait: return wait(batch, &state)
      case .send:
        let connection = state.connection
        return { connection?.submit(batch) }
      }
    }
    action()
  }

  private func wait(_ batch: CommandBatch, _ state: inout State) -> (() -> Void) {
    guard state.waitingCommands + batch.count <= configuration.maximumInFlight else {
      let waiting = state.waitingCommands
      return { batch.failed(.overloaded, "\(waiting) commands already wait for the first connection") }
    }
    state.waiting.append(batch)
    state.waitingCommands += batch.count
    let timeout = configuration.commandTimeout
    return { [self] in
      _ = eventLoop.scheduleTask(in: TimeAmount(timeout)) { [self] in
        let reason = self.state.withLock { $0.link.waitingReason(usesTLS: configuration.usesTLS) }
        // Answers only if nobody has: a batch that was sent meanwhile has the same deadline at its connection.
        batch.failedUnlessWritten(.timeout, "no connection within \(timeout.formatted): \(reason)")
      }
    }
  }

  /// Commands that waited, in their order, are sent before any that comes later.
  private func takeWaiting(_ state: inout State) -> [CommandBatch] {
    defer {
      state.waiting = []
      state.waitingCommands = 0
    }
    return state.waiting
  }
}

// MARK: - The connection

extension RedisClient: LinkOwner {
  func connectStarted() { state.withLock { $0.link.connectStarted() } }

  func connectionMade() { state.withLock { $0.link.connectionMade() } }

  func serve(_ connection: RedisConnection, runID: String?) async -> RedisError {
    state.withLock { state in
      state.server = (state.server.connections + 1, runID)
      state.link.greeted(now: .now)
      state.connection = connection
      // Under the lock, so that no later command overtakes them on the way to the event loop.
      for batch in takeWaiting(&state) { connection.submit(batch) }
    }
    logger.info("Connected to Redis", metadata: ["redis.address": "\(configuration.address)"])
    return await connection.closed()
  }

  func connectionLost(_ error: RedisError) -> Duration {
    let (lost, waiting) = state.withLock { state in
      state.connection = nil
      let lost = state.link.connectionLost(error, now: .now, random: randomness())
      return (lost, takeWaiting(&state))
    }
    for batch in waiting { batch.failed(error.code, "no connection: \(error.message)") }
    logger.log(
      level: lost.isFirst ? .warning : .debug, "No connection to Redis, retrying",
      metadata: [
        "redis.address": "\(configuration.address)", "redis.retry_after": "\(lost.retryAfter)",
        "error.message": "\(error.message)",
      ])
    return lost.retryAfter
  }

  func stopped(_ error: RedisError) {
    let waiting = state.withLock { state in
      state.connection = nil
      state.link.stopped()
      return takeWaiting(&state)
    }
    for batch in waiting { batch.failed(error.code, error.message) }
  }
}

// MARK: - Scripts

extension RedisClient {
  /// EVALSHA, and on NOSCRIPT loads the script and tries once more. Its first call of a script takes a round trip more.
  public func evaluate(
    _ script: RedisScript, keys: [String], arguments: [RedisArgument]
  ) async throws(RedisError) -> RedisValue {
    try await evaluate(script, calls: [RedisScriptCall(keys: keys, arguments: arguments)])[0].get()
  }

  /// All in one pipeline; one result each, in order. Scripts that the server answered with NOSCRIPT did not run: they are
  /// sent once more, after the script was loaded, without the commands before and after, which have run.
  public func evaluate(
    _ script: RedisScript, calls: [RedisScriptCall]
  ) async -> [Result<RedisValue, RedisError>] {
    guard !calls.isEmpty else { return [] }
    do throws(RedisError) {
      let known = scripts.withLock { $0[script] }
      let sha1 = if let known { known } else { try await load(script) }
      var results = await results(of: calls, sha1: sha1)
      let missing = results.indices.filter { Self.isMissingScript(results[$0]) }
      guard !missing.isEmpty else { return results }
      let reloaded = try await load(script)
      let repeated = await self.results(of: missing.map { calls[$0].withoutCompanions }, sha1: reloaded)
      for (index, result) in zip(missing, repeated) { results[index] = result }
      return results
    } catch {
      return calls.map { _ in .failure(error) }
    }
  }

  private func results(
    of calls: [RedisScriptCall], sha1: RedisArgument
  ) async -> [Result<RedisValue, RedisError>] {
    let commands = calls.map { $0.commands(sha1: sha1) }
    var replies = await pipeline(commands.flatMap { $0 })[...]
    return zip(calls, commands).map { call, commands in
      defer { replies = replies.dropFirst(commands.count) }
      return call.result(replies.prefix(commands.count))
    }
  }

  private func load(_ script: RedisScript) async throws(RedisError) -> RedisArgument {
    do throws(RedisError) {
      guard case .bulk(let bytes) = try await send(["SCRIPT", "LOAD", RedisArgument(script.source)]) else {
        throw RedisError(
          code: .protocolViolation, message: "\(configuration.address): SCRIPT LOAD gave no SHA-1", mayHaveRun: false)
      }
      let sha1 = RedisArgument(bytes)
      scripts.withLock { $0[script] = sha1 }
      return sha1
    } catch {
      // Loading is repeatable, and the script itself did not run.
      throw RedisError(code: error.code, message: "script '\(script.name)': \(error.message)", mayHaveRun: false)
    }
  }

  private static func isMissingScript(_ result: Result<RedisValue, RedisError>) -> Bool {
    if case .failure(let error) = result { ServerErrors.isMissingScript(error) } else { false }
  }
}
