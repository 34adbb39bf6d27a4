/// What is to be taken away from the registry, or put right there, a batch at a time.
internal import Sessions

enum CleanUp: Hashable, Sendable {
  /// The record of a stream that is gone.
  case unregister(SessionRecord)
  /// A move that came to nothing: the second record was written in place of the first.
  case putBack(SessionRecord, insteadOf: SessionRecord)
  /// Of a session that was welcomed while the registry was away.
  case restore(SessionRecord)
  /// After a registration of unknown outcome: a record of ours that no stream backs must go.
  case verify(SessionKey)
  /// The same once more, when no command can be under way any more.
  case verifyFinally(SessionKey)
}

struct CleanUpQueue: Sendable {
  enum Result: Sendable {
    case done
    /// The session is being registered.
    case tooEarly
    case registryAway
  }

  /// What the caller has to wait for.
  struct Pauses: Hashable, Sendable {
    /// Nothing else has a chance before.
    var beforeNext = false
    /// Call `retryDeferred` after it.
    var beforeDeferred = false
  }

  private var waiting: [CleanUp] = []
  /// Those whose session is being registered wait apart: a session that comes and goes all the time, or thousands that come back at
  /// once, must not keep the records of others.
  private var deferred: [CleanUp] = []
  private var inFlight = 0
  private let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  /// Whether nothing waits, and nothing is on its way.
  var isIdle: Bool { waiting.isEmpty && deferred.isEmpty && inFlight == 0 }

  /// - Returns: false when there are too many, and it was not taken.
  mutating func add(_ cleanUp: CleanUp) -> Bool {
    guard waiting.count + deferred.count < capacity else { return false }
    waiting.append(cleanUp)
    return true
  }

  /// Up to `count`, for `finished`; nil when there are none.
  mutating func take(_ count: Int) -> [CleanUp]? {
    guard !waiting.isEmpty else { return nil }
    let batch = Array(waiting.prefix(count))
    waiting.removeFirst(batch.count)
    inFlight = batch.count
    return batch
  }

  /// What became of those that were taken.
  mutating func finished(_ results: [(CleanUp, Result)]) -> Pauses {
    inFlight = 0
    let away = results.filter { $0.1 == .registryAway }.map(\.0)
    let early = results.filter { $0.1 == .tooEarly }.map(\.0)
    let isFirst = deferred.isEmpty && !early.isEmpty
    waiting += away
    deferred += early
    return Pauses(beforeNext: !away.isEmpty, beforeDeferred: isFirst)
  }

  /// Of a session that came and went several times the last record counts: it has replaced those before. So one that does so without
  /// end takes one place.
  mutating func retryDeferred() {
    var last: [SessionKey: UInt64] = [:]
    for case .unregister(let record) in deferred {
      last[record.key] = max(last[record.key] ?? 0, record.epoch.rawValue)
    }
    waiting += deferred.filter { cleanUp in
      guard case .unregister(let record) = cleanUp else { return true }
      return record.epoch.rawValue == last[record.key]
    }
    deferred = []
  }
}
