/// Does the hub's work at the registry: registers sessions, and takes away the records of those that ended.
///
/// Registrations that come in the same moment share a pipeline, and such pipelines run side by side; the hub bounds the number
/// of registrations. Taking away goes one batch after another and may wait: while the registry is away it is kept, up to a bound,
/// and tried again. What is dropped at the bound is counted; such a record says "gone" until the incarnation ends.
internal import Foundation
internal import Logging
internal import Placement
internal import RedisDirectory
internal import Sessions
internal import Synchronization

final class Registrar: Sendable {
  private let hub: SessionHub
  private let directory: RedisDirectory
  private let observer: any SessionManagerObserver
  private let logger: Logger
  private let state = Mutex(State())
  private let wake = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  private static let maximumCleanUps = 200_000
  private static let batch = 256
  /// Who comes within this of another one's registration waits until it is over, for company: waking the threads that a round
  /// trip takes costs more than the registration does.
  private static let gatheringTime = Duration.milliseconds(1)
  /// The same while there is company: one millisecond has too little of it to matter until thousands come in a second, and
  /// nobody who connects then minds four.
  private static let busyGatheringTime = Duration.milliseconds(4)
  /// So many share a round trip.
  private static let arrivalsAtOnce = 256
  /// What comes in a storm waits here and not at the registry, where it would make everything else late, the renewal of the
  /// lease among it, and run out of time itself: then each client comes again, and makes the storm a larger one.
  private static let roundTripsAtOnce = 4
  private static let retryInterval = Duration.milliseconds(500)
  private static let yearInMicroseconds: UInt64 = 31_557_600_000_000
  private static let lateCommandLimit = Duration.seconds(5)

  private struct State {
    /// Streams that have said Hello, and wait for a round trip.
    var arrivals: [Arrival] = []
    var roundTrips = 0
    var cleanUps = CleanUpQueue(capacity: Registrar.maximumCleanUps)

    /// For one more round trip, if there may be one.
    mutating func beginRegistering() -> [Arrival]? {
      guard roundTrips < Registrar.roundTripsAtOnce, !arrivals.isEmpty else { return nil }
      roundTrips += 1
      return takeArrivals()
    }

    /// For the next one in place of one that has ended.
    mutating func goOnRegistering() -> [Arrival]? {
      guard arrivals.isEmpty else { return takeArrivals() }
      roundTrips -= 1
      return nil
    }

    private mutating func takeArrivals() -> [Arrival] {
      let some = Array(arrivals.prefix(Registrar.arrivalsAtOnce))
      arrivals.removeFirst(some.count)
      // What a storm has left is given back.
      if arrivals.isEmpty { arrivals = [] }
      return some
    }
  }

  /// A stream that has said Hello.
  private struct Arrival: Sendable {
    let stream: StreamID
    let hello: Hello
    let isMove: Bool

    var request: RegistrationRequest {
      RegistrationRequest(key: hello.key, lastEpoch: hello.lastEpoch, reportsTakeover: !isMove)
    }
  }

  init(
    hub: SessionHub, directory: RedisDirectory, observer: any SessionManagerObserver, logger: Logger
  ) {
    self.hub = hub
    self.directory = directory
    self.observer = observer
    self.logger = logger
  }

  /// Until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask { await self.cleanUpWhenWoken() }
      for await _ in hub.work.signals {
        for work in hub.work.take() {
          switch work {
          case .register(let stream, let hello, let ticket):
            state.withLock { $0.arrivals.append(Arrival(stream: stream, hello: hello, isMove: ticket != nil)) }
          case .release(let old, let new): group.addTask { await self.directory.release(old, by: new) }
          case .unregister(let record): self.later(.unregister(record))
          case .putBack(let old, let new): self.later(.putBack(old, insteadOf: new))
          case .lookAfter(let record, let attempt): group.addTask { await self.lookAfter(record, attempt) }
          case .restore(let record): self.later(.restore(record))
          case .verify(let key): self.later(.verify(key))
          }
        }
        var count = 0
        while let some = state.withLock({ $0.beginRegistering() }) {
          group.addTask { await self.registerAll(some) }
          count += some.count
        }
        if count > 0 { try? await Task.sleep(for: count > 1 ? Self.busyGatheringTime : Self.gatheringTime) }
      }
      group.cancelAll()
    }
  }

  /// Whether nothing waits to be taken away.
  var isIdle: Bool { state.withLock { $0.cleanUps.isIdle } }

  // MARK: Registering

  private func registerAll(_ first: [Arrival]) async {
    var next: [Arrival]? = first
    while let some = next {
      await register(hub.stillThere(some, stream: \.stream))
      next = state.withLock { $0.goOnRegistering() }
    }
  }

  private func register(_ arrivals: [Arrival]) async {
    guard !arrivals.isEmpty else { return }
    guard let incarnation = hub.incarnation else {
      for arrival in arrivals { hub.registrationGivenUp(arrival.stream, arrival.hello, .leaseEnded) }
      return
    }
    let start = ContinuousClock.now
    let resumes = hub.resumes
    let results = await directory.register(arrivals.map(\.request), podID: hub.podID, incarnation: incarnation)
    var registered: [SessionHub.Registered] = []
    for (arrival, result) in zip(arrivals, results) {
      switch result {
      case .success(let registration):
        registered.append(
          .init(
            stream: arrival.stream, record: registration.record,
            movedFrom: arrival.isMove ? registration.replaced : nil))
      case .failure(let error):
        notRegistered(arrival, error, incarnation, after: start.duration(to: .now))
      }
    }
    hub.registered(registered, after: start.duration(to: .now))
    // Written before the registry lost its data, answered after all was written again.
    guard hub.resumes != resumes else { return }
    for case (let arrival, .success(let registration)) in zip(arrivals, results) {
      if arrival.isMove { hub.giveUpMoves() } else { later(.restore(registration.record)) }
    }
  }

  private func notRegistered(
    _ arrival: Arrival, _ error: DirectoryError, _ incarnation: Incarnation, after duration: Duration
  ) {
    let hello = arrival.hello
    logger.debug(
      "A session was not registered", metadata: ["user.id": "\(hello.key.user)", "error": "\(error.message)"])
    guard error.code == .unavailable, hub.isOutageConfirmed else {
      return hub.registrationFailed(arrival.stream, hello, error)
    }
    let record = provisional(hello, incarnation)
    hub.registered([.init(stream: arrival.stream, record: record)], after: duration)
    later(.restore(record))
    // The call that failed may run all the same, now or later.
    later(.verify(hello.key))
  }

  /// While no pod reaches the registry. It is written when the registry is back, and loses against a larger epoch then.
  private func provisional(_ hello: Hello, _ incarnation: Incarnation) -> SessionRecord {
    let now = UInt64(max(0, Date().timeIntervalSince1970 * 1_000_000))
    // As register.lua has it: nobody gave an epoch from so far ahead.
    let last = hello.lastEpoch.rawValue > now + Self.yearInMicroseconds ? 0 : hello.lastEpoch.rawValue
    return SessionRecord(
      key: hello.key, podID: hub.podID, incarnation: incarnation, epoch: Epoch(rawValue: max(last + 1, now)))
  }

  // MARK: Taking away

  private func later(_ cleanUp: CleanUp) {
    if !state.withLock({ $0.cleanUps.add(cleanUp) }) { observer.cleanUpDropped(1) }
    wake.continuation.yield()
  }

  private func cleanUpWhenWoken() async {
    for await _ in wake.stream {
      while !Task.isCancelled, let batch = state.withLock({ $0.cleanUps.take(Self.batch) }) {
        let results = await cleanUp(batch)
        let pauses = state.withLock { $0.cleanUps.finished(results) }
        if pauses.beforeDeferred { retryDeferredLater() }
        if pauses.beforeNext { try? await Task.sleep(for: Self.retryInterval) }
      }
    }
  }

  private func retryDeferredLater() {
    // Unstructured, and over in a moment.
    Task {
      try? await Task.sleep(for: Self.retryInterval)
      state.withLock { $0.cleanUps.retryDeferred() }
      wake.continuation.yield()
    }
  }

  private func cleanUp(_ batch: [CleanUp]) async -> [(CleanUp, CleanUpQueue.Result)] {
    await withTaskGroup(of: (CleanUp, CleanUpQueue.Result).self) { group in
      for cleanUp in batch {
        group.addTask { (cleanUp, await self.result(of: cleanUp)) }
      }
      return await group.reduce(into: []) { results, result in results.append(result) }
    }
  }

  private func result(of cleanUp: CleanUp) async -> CleanUpQueue.Result {
    do {
      switch cleanUp {
      case .unregister(let record):
        // Registrations may run in another order than their streams came: then this record has replaced that of a live
        // stream, which takes its epoch, or of one that is on its way, which is waited for.
        if hub.adopt(record) { return .done }
        if hub.isRegistering(record.key) { return .tooEarly }
        _ = try await directory.unregister(record)
      case .putBack(let old, let new):
        if hub.adopt(new) { return .done }
        if hub.isRegistering(new.key) { return .tooEarly }
        let isGone = hub.window?.current.standing(of: old.incarnation) == .void
        _ = try await directory.unregister(new, puttingBack: isGone ? nil : old)
      case .restore(let record):
        try await restore(record)
      case .verify(let key):
        // What a stream on its way is about to be told is not another's to take.
        if hub.isRegistering(key) { return .tooEarly }
        try await takeAwayUnbacked(key)
        verifyAgain(key)
      case .verifyFinally(let key):
        if hub.isRegistering(key) { return .tooEarly }
        try await takeAwayUnbacked(key)
      }
      return .done
    } catch {
      // What the registry can't read or refuses does not get better by asking again.
      if error.code == .unavailable { return .registryAway }
      logger.warning("A session's record could not be taken away", metadata: ["error": "\(error.message)"])
      return .done
    }
  }

  /// A command that was given up may sit in a server's socket while another connection is already served.
  private func verifyAgain(_ key: SessionKey) {
    // Unstructured, and over in a moment.
    Task {
      try? await Task.sleep(for: Self.lateCommandLimit)
      later(.verifyFinally(key))
    }
  }

  /// A client was asked to move, and is still here. Should its record name a pod that is gone, one that had registered the
  /// session and died before it welcomed it, it is put back; should it name one that lives, that one will welcome the
  /// session or give the record back.
  private func lookAfter(_ record: SessionRecord, _ attempt: Int) async {
    guard hub.backs(record) else { return }
    do {
      guard let stored = try await directory.records(of: record.key.user).first(where: { $0.key == record.key }) else {
        return later(.restore(record))
      }
      if stored.incarnation == record.incarnation {
        // A client that came to the other pod in the last moment may be on its way into the registry.
        if attempt == 0 { await lookAfterLater(record, attempt, in: Self.lateCommandLimit) }
        return
      }
      guard hub.window?.current.standing(of: stored.incarnation) == .void else {
        return await lookAfterLater(record, attempt, in: Self.lookAfterPause)
      }
      // Compares, so that nobody is overwritten who comes in between. Should our stream end meanwhile, the registry tells
      // us of our own record, which then goes.
      if hub.backs(record) { _ = try await directory.unregister(stored, puttingBack: record) }
    } catch {
      await lookAfterLater(record, attempt, in: Self.lookAfterPause)
    }
  }

  private static let lookAfterPause = Duration.seconds(2)
  /// A lease and a grace of the longest kind; after that the sweeper has had its turn as well.
  private static let lookAfterAttempts = 100

  private func lookAfterLater(_ record: SessionRecord, _ attempt: Int, in pause: Duration) async {
    guard attempt < Self.lookAfterAttempts else { return }
    try? await Task.sleep(for: pause)
    hub.later(.lookAfter(record, attempt: attempt + 1))
  }

  private func restore(_ record: SessionRecord) async throws(DirectoryError) {
    // An earlier attempt may have written it without an answer.
    guard hub.backs(record) else { return later(.unregister(record)) }
    for stored in try await directory.restore([record]) { hub.superseded(by: stored) }
    if !hub.backs(record), !hub.adopt(record) { _ = try await directory.unregister(record) }
  }

  /// After a registration whose outcome is unknown: the record goes if no stream stands behind it. It may also have been
  /// written over that of a later stream, which then takes its epoch: the record is what Senders go by.
  private func takeAwayUnbacked(_ key: SessionKey) async throws(DirectoryError) {
    let records = try await directory.records(of: key.user)
    for record in records where record.key == key && record.incarnation == hub.incarnation {
      if hub.adopt(record) || hub.holds(key) { continue }
      _ = try await directory.unregister(record)
    }
  }
}
