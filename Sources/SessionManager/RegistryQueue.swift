/// What waits for the `Registrar`, taken as a whole: what came in the same moment shares a round trip.
internal import Placement
internal import Rebalancing
internal import Sessions
internal import Synchronization

/// What the registry has to be asked for, besides membership.
enum RegistryWork: Sendable {
  /// With a ticket: the session's old stream lives until this one is welcomed.
  case register(StreamID, Hello, MoveTicket?)
  /// The record of a stream that is gone.
  case unregister(SessionRecord)
  /// The session that moved here is welcomed: its old stream is to end.
  case release(SessionRecord, by: SessionRecord)
  /// A move that came to nothing: the first record was replaced by the second.
  case putBack(SessionRecord, insteadOf: SessionRecord)
  /// A client did not move in time: its record may have moved all the same, to a pod that is gone.
  case lookAfter(SessionRecord, attempt: Int)
  /// Welcomed while the registry was away: to be written when it is back.
  case restore(SessionRecord)
  /// A registration of unknown outcome: a record of ours that no stream backs must go.
  case verify(SessionKey)
}

final class RegistryQueue: Sendable {
  private let waiting = Mutex<[RegistryWork]>([])
  private let signal = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  /// From any thread; never blocks. The hub bounds how many registrations there are.
  func add(_ work: RegistryWork) {
    let isFirst = waiting.withLock { waiting in
      waiting.append(work)
      return waiting.count == 1
    }
    if isFirst { signal.continuation.yield() }
  }

  /// Each says that there may be something to take. For one reader.
  var signals: AsyncStream<Void> { signal.stream }

  func take() -> [RegistryWork] {
    waiting.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
  }
}
