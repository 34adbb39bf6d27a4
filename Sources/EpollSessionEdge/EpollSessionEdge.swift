/// The session edge: the engine (`EdgeEngine`) around which threads move bytes.
///
/// *Threads.* One loop for each core, with an epoll instance, its connections and a wheel of timers of its own; a connection
/// stays with its loop for life. The first loop also accepts, and hands new connections out in turn. What other threads
/// want (`send`, `end`) goes through the loop's inbox, which is emptied as a whole, so that many messages for one session
/// are one write, and one wake-up serves all that came while the loop was busy.
///
/// *Memory.* Bytes are kept for a connection only while its socket does not take them or a frame is incomplete. Reading and
/// writing go through one buffer for each loop.
///
/// *Rejected:* a listener for each loop by SO_REUSEPORT, because then a second pod on the same port would start and take
/// half of the clients, instead of saying that the port is in use; EPOLLEXCLUSIVE on one listener, because the kernel
/// wakes the same loop again and again; io_uring, which is switched off in many containers.
internal import EdgeEngine
internal import Foundation
public import Logging
internal import Polling
public import SessionEdge
internal import Synchronization

public final class EpollSessionEdge: SessionEdge {
  private let configuration: EdgeConfiguration
  private let logger: Logger
  private let bound = OneShot<String>()
  private let state = Mutex(State.idle)

  /// idle → serving → stopping; idle → stopping when it is stopped before it ran.
  private enum State {
    case idle
    case serving([EdgeLoop])
    case stopping
  }

  public init(configuration: EdgeConfiguration, logger: Logger) {
    self.configuration = configuration
    self.logger = logger
  }

  public func address() async throws -> String { try await bound.value() }

  // MARK: Serving

  public func run(_ application: any EdgeApplication) async throws {
    do {
      try await serve(application)
      bound.fail(EdgeError(message: "the session edge was stopped; make a new one to listen again"))
    } catch {
      bound.fail(error)
      throw error
    }
  }

  private func serve(_ application: any EdgeApplication) async throws {
    let listener = try ListeningSocket(configuration)
    let shared = EdgeShared(configuration: configuration, application: application, logger: logger)
    let count = configuration.threads > 0 ? configuration.threads : ProcessInfo.processInfo.activeProcessorCount
    let loops: [EdgeLoop]
    do {
      loops = try (0..<count).map { _ in try EdgeLoop(shared) }
    } catch {
      throw EdgeError(message: "the session edge could not start: \(error)")
    }
    let isStarted = state.withLock { state in
      guard case .idle = state else { return false }
      state = .serving(loops)
      return true
    }
    guard isStarted else { return }
    for (index, loop) in loops.enumerated() {
      loop.start(index == 0 ? Acceptor(listener: listener, loops: loops) : nil)
    }
    logger.info(
      "Session edge is listening", metadata: ["edge.address": "\(listener.address)", "edge.threads": "\(count)"])
    bound.succeed(listener.address)
    // Cancelled, the loops are stopped, and still waited for.
    let ending = Task { for loop in loops { try await loop.ended.value() } }
    await withTaskCancellationHandler {
      _ = await ending.result
    } onCancel: {
      Task { await self.stop(deadline: .zero) }
    }
  }

  // MARK: Stopping

  /// How long what was ended at the deadline may take to be written.
  private static let lastWrites = Duration.milliseconds(200)

  public func stop(deadline: Duration) async {
    let end = ContinuousClock.now.advanced(by: deadline)
    let loops = state.withLock { state -> [EdgeLoop] in
      defer { state = .stopping }
      guard case .serving(let loops) = state else { return [] }
      return loops
    }
    for loop in loops { loop.post(.goAway) }
    for loop in loops { _ = await loop.drained.value(before: end) }
    for loop in loops { loop.post(.abort) }
    let last = max(end, .now.advanced(by: Self.lastWrites))
    for loop in loops { _ = await loop.emptied.value(before: last) }
    for loop in loops { loop.post(.stop) }
    for loop in loops { _ = try? await loop.ended.value() }
  }
}
