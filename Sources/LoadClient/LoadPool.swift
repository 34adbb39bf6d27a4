internal import Polling
internal import Synchronization

/// Holds the client side of many sessions on one thread: an epoll loop and HTTP/2 in a few hundred bytes for each.
///
/// A gRPC library would cost tens of kilobytes for each stream and hide how long each message was on its way; what is
/// measured would be the client. Reconnects by itself with backoff and jitter, to the successors that Welcome named.
public final class LoadPool: Sendable {
  enum Command: Sendable {
    case open(LoadPlan)
    case close(Int)
    case churn(perSecond: Double)
    case startMeasuring
    case report(@Sendable (LoadReport) -> Void)
    case receipts(@Sendable (LoadReceipts) -> Void)
    case stop
  }

  private struct Mailbox {
    var commands: [Command] = []
    /// Set while the loop runs.
    var wake: PollerWake?
    var isStopped = false
  }

  private let mailbox = Mutex(Mailbox())
  private let sourceAddress: UInt32
  private let seed: UInt64
  private let dropsEvery: Int

  /// - Parameters:
  ///   - sourceAddress: a number from 1: connects come from 127.0.0.N, as each address has ports of its own, and 127.0.K.N with
  ///     more than 8,000 sessions.
  ///   - seed: of all chance.
  ///   - dropsEvery: overlooks every so manyth message, to see that a benchmark notices; 0: none.
  public init(sourceAddress: Int, seed: UInt64, dropsEvery: Int = 0) {
    self.dropsEvery = dropsEvery
    self.sourceAddress = UInt32(sourceAddress)
    self.seed = seed
  }

  public func open(_ plan: LoadPlan) { send(.open(plan)) }

  /// Closes this many live sessions, the newest first; they stay away.
  public func close(_ count: Int) { send(.close(count)) }

  /// From now on so many sessions a second go, and come again.
  public func churn(perSecond: Double) { send(.churn(perSecond: perSecond)) }

  /// Forgets what was received, and notes each message from now on.
  public func startMeasuring() { send(.startMeasuring) }

  public func report() async -> LoadReport {
    await withCheckedContinuation { continuation in
      if !send(.report { continuation.resume(returning: $0) }) { continuation.resume(returning: LoadReport()) }
    }
  }

  public func receipts() async -> LoadReceipts {
    await withCheckedContinuation { continuation in
      if !send(.receipts { continuation.resume(returning: $0) }) { continuation.resume(returning: LoadReceipts()) }
    }
  }

  /// Closes everything; `run` returns.
  public func stop() { send(.stop) }

  /// Blocks its thread until `stop`.
  public func run() throws {
    var loop = try LoadLoop(sourceAddress: sourceAddress, seed: seed, dropsEvery: dropsEvery)
    let wake = loop.wake
    mailbox.withLock { $0.wake = wake }
    defer {
      let left = mailbox.withLock { mailbox in
        mailbox.isStopped = true
        mailbox.wake = nil
        defer { mailbox.commands = [] }
        return mailbox.commands
      }
      for command in left { Self.refuse(command) }
    }
    while true {
      let commands = mailbox.withLock { mailbox in
        defer { mailbox.commands = [] }
        return mailbox.commands
      }
      for command in commands where !loop.perform(command) { return }
      loop.turn()
    }
  }

  /// - Returns: false when it has stopped.
  @discardableResult
  private func send(_ command: Command) -> Bool {
    mailbox.withLock { mailbox in
      guard !mailbox.isStopped else { return false }
      mailbox.commands.append(command)
      mailbox.wake?()
      return true
    }
  }

  private static func refuse(_ command: Command) {
    switch command {
    case .report(let answer): answer(LoadReport())
    case .receipts(let answer): answer(LoadReceipts())
    default: break
    }
  }
}
