/// One thread of the edge as others see it: an inbox, and signals of how far its end is.
internal import EdgeEngine
internal import Foundation
internal import Polling
internal import SessionEdge
internal import Synchronization

final class EdgeLoop: EdgeWake {
  enum Command: Sendable {
    case send(EdgeStream, [UInt8], isAnswer: Bool)
    case sendDisplacing(EdgeStream, [UInt8], limit: Int)
    case end(EdgeStream, EdgeStatus)
    case endNow(EdgeStream, EdgeStatus)
    case adopt(Int32, PeerAddress)
    /// No new connections and calls.
    case goAway
    /// Ends connections without a call, because descriptors have run out.
    case shed
    /// Ends all calls.
    case abort
    /// Closes everything and ends the thread.
    case stop
  }

  private struct Inbox {
    var commands: [Command] = []
    /// Whether the loop waits, or is about to, without knowing of what is in the inbox. Not while it serves: it looks into the
    /// inbox before it waits again.
    var mustWake = true
    var isClosed = false

    /// - Returns: whether the loop is to be woken, which the caller does: nobody else will.
    mutating func take(_ command: Command) -> Bool {
      guard !isClosed else { return false }
      commands.append(command)
      defer { mustWake = false }
      return mustWake
    }
  }

  let shared: EdgeShared
  /// All calls are closed, after `goAway`.
  let drained = OneShot<Void>()
  /// All connections are closed as well.
  let emptied = OneShot<Void>()
  let ended = OneShot<Void>()
  /// Of connections; for handing new ones out.
  let load = Atomic<Int>(0)
  private let inbox = Mutex(Inbox())
  private let pollerWake: PollerWake
  /// Until the thread takes it.
  private let poller: Mutex<Poller?>

  init(_ shared: EdgeShared) throws(SystemCallError) {
    self.shared = shared
    let poller = try Poller()
    pollerWake = poller.wake
    self.poller = Mutex(poller)
  }

  func start(_ acceptor: Acceptor?) {
    let thread = Thread { [self] in
      // From within, or the system does not hear of it.
      Thread.current.name = "session-edge"
      guard let poller = poller.withLock({ $0.take() }) else { return }
      var state = LoopState(self, poller, acceptor)
      state.run()
      ended.succeed(())
    }
    thread.start()
  }

  /// From any thread; never blocks. What comes after the loop has ended is dropped, as nobody is left to hear it.
  func post(_ command: Command) { if enqueue(command) { wake() } }

  /// - Returns: whether the caller has to `wake` the loop.
  func enqueue(_ command: Command) -> Bool { inbox.withLock { $0.take(command) } }

  /// Not under a lock that the loop's thread may want next: on a busy machine it runs at once, and the caller waits.
  func wake() { pollerWake() }

  /// On the loop's thread.
  ///
  /// - Parameter spare: an empty array whose memory is used for what comes next.
  func takeCommands(into spare: inout [Command]) {
    inbox.withLock { swap(&$0.commands, &spare) }
  }

  /// On the loop's thread, before it waits.
  ///
  /// - Returns: whether there is nothing to do; from then on `post` wakes it.
  func mayWait() -> Bool {
    inbox.withLock { inbox in
      guard inbox.commands.isEmpty else { return false }
      inbox.mustWake = true
      return true
    }
  }

  /// On the loop's thread, after it has waited.
  func hasWaited() { inbox.withLock { $0.mustWake = false } }

  func close() -> [Command] {
    inbox.withLock { inbox in
      inbox.isClosed = true
      defer { inbox.commands = [] }
      return inbox.commands
    }
  }
}
