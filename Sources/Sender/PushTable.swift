internal import Synchronization

// The pushes in flight: their number is bounded here, and their time.
//
// One timer serves all: a push puts itself into the bucket of the tick at which its time is up, and is not taken out
// when it ends earlier. The tick's error is small beside any sensible time-out, and nothing is paid per push but an
// entry in an array.

final class PushTable: Sendable {
  private let maximum: Int
  private let observer: any SenderObserver
  private let state = Mutex(State())
  private let started = ContinuousClock.now
  private let arrivals = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  static let tick = Duration.milliseconds(10)

  private struct State {
    var isOpen = false
    var lastID: UInt64 = 0
    var runs: [UInt64: PushRun] = [:]
    var buckets: [Int64: [Alarm]] = [:]
    var whenEmpty: CheckedContinuation<Void, Never>?
  }

  private struct Alarm {
    let id: UInt64
    let kind: PushRun.Alarm
  }

  init(maximum: Int, observer: any SenderObserver) {
    self.maximum = maximum
    self.observer = observer
  }

  var isOpen: Bool { state.withLock { $0.isOpen } }

  func open() { state.withLock { $0.isOpen = true } }

  /// Refuses the push when there are too many, or the Sender does not run.
  func admit(_ run: PushRun) throws(PushError) -> UInt64 {
    let now = started.duration(to: .now)
    let outcome = state.withLock { state -> Result<(id: UInt64, count: Int), PushError> in
      guard state.isOpen else {
        return .failure(
          PushError(code: .unavailable, message: "the Sender does not run, or is stopping; use another one"))
      }
      guard state.runs.count < maximum else {
        return .failure(
          PushError(
            code: .resourceExhausted,
            message: "\(maximum) pushes are in flight already; nothing was delivered, try again after a pause"))
      }
      state.lastID += 1
      let id = state.lastID
      state.runs[id] = run
      state.buckets[Self.bucket(now + run.timeout), default: []].append(Alarm(id: id, kind: .deadline))
      state.buckets[Self.bucket(now + run.patience), default: []].append(Alarm(id: id, kind: .ownerIsLate))
      return .success((id, state.runs.count))
    }
    let (id, count) = try outcome.get()
    if count == 1 { arrivals.continuation.yield() }
    observer.pushesInFlight(count)
    return id
  }

  func remove(_ id: UInt64) {
    let (count, whenEmpty) = state.withLock { state in
      state.runs[id] = nil
      guard state.runs.isEmpty else { return (state.runs.count, nil as CheckedContinuation<Void, Never>?) }
      defer { state.whenEmpty = nil }
      return (0, state.whenEmpty)
    }
    observer.pushesInFlight(count)
    whenEmpty?.resume()
  }

  /// Rings the alarms until the task is cancelled.
  func run() async {
    for await _ in arrivals.stream {
      while !Task.isCancelled, state.withLock({ !$0.runs.isEmpty || !$0.buckets.isEmpty }) {
        try? await Task.sleep(for: Self.tick)
        ring(upTo: Self.ticks(in: started.duration(to: .now)))
      }
    }
  }

  /// Takes no more pushes, and returns when none is left: at once all are over after `limit`.
  func drain(limit: Duration) async {
    state.withLock { $0.isOpen = false }
    let cutOff = Task {
      guard (try? await Task.sleep(for: limit)) != nil else { return }
      for run in self.state.withLock({ Array($0.runs.values) }) { run.ring(.deadline) }
    }
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLock { state in
        if state.runs.isEmpty { return true }
        state.whenEmpty = continuation
        return false
      }
      if isEmpty { continuation.resume() }
    }
    cutOff.cancel()
  }

  private func ring(upTo tick: Int64) {
    let due = state.withLock { state in
      let keys = state.buckets.keys.filter { $0 <= tick }
      return keys.flatMap { key in
        (state.buckets.removeValue(forKey: key) ?? []).compactMap { alarm in
          state.runs[alarm.id].map { ($0, alarm.kind) }
        }
      }
    }
    for (run, kind) in due { run.ring(kind) }
  }

  /// The tick at which an alarm for `moment` rings: the first that is wholly after it, so that none rings early.
  private static func bucket(_ moment: Duration) -> Int64 { ticks(in: moment) + 1 }

  /// How many ticks are over after `duration`.
  private static func ticks(in duration: Duration) -> Int64 { Int64(duration / tick) }
}
