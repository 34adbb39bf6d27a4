internal import BenchResults
internal import Foundation
internal import LoadClient

/// All load processes of a benchmark, as one: sessions are spread over them by user, so that all of a user's sessions are
/// in one process and a message that comes twice is noticed.
struct LoadGroup: Sendable {
  let workers: [LoadWorker]

  init(count: Int, seed: UInt64, dropEvery: Int) throws {
    workers = try (0..<count).map {
      try LoadWorker(sourceAddress: $0 + 1, seed: seed &+ UInt64($0), dropEvery: dropEvery)
    }
  }

  /// - Parameter places: for each session, ordered by user: the index of its endpoint.
  func open(endpoints: [String], firstUser: Int, sessionsPerUser: Int, places: [Int], rate: Double) async throws {
    let users = (places.count + sessionsPerUser - 1) / sessionsPerUser
    for (number, worker) in workers.enumerated() {
      let (first, end) = (users * number / workers.count, users * (number + 1) / workers.count)
      let share = Array(places[first * sessionsPerUser..<min(end * sessionsPerUser, places.count)])
      _ = try await worker.ask(
        LoadRequest(
          .open,
          plan: LoadPlan(
            endpoints: endpoints, firstUser: firstUser + first, sessionsPerUser: sessionsPerUser, places: share,
            rate: rate / Double(workers.count))))
    }
  }

  func all(_ request: LoadRequest) async throws { for worker in workers { _ = try await worker.ask(request) } }

  func churn(perSecond rate: Double) async throws {
    try await all(LoadRequest(.churn, rate: rate / Double(workers.count)))
  }

  func report() async throws -> LoadReport {
    var sum = LoadReport()
    for worker in workers {
      guard let report = try await worker.ask(LoadRequest(.report)).report else { continue }
      sum.live += report.live
      sum.connecting += report.connecting
      sum.waiting += report.waiting
      sum.welcomes += report.welcomes
      sum.lostStreams += report.lostStreams
      sum.failedConnects += report.failedConnects
      sum.moves += report.moves
      sum.failedMoves += report.failedMoves
      sum.messages += report.messages
      sum.duplicates += report.duplicates
      sum.strangers += report.strangers
      sum.reasons.merge(report.reasons, uniquingKeysWith: +)
    }
    return sum
  }

  func receipts() async throws -> LoadReceipts {
    var sum = LoadReceipts()
    for worker in workers {
      guard let receipts = try await worker.ask(LoadRequest(.receipts)).receipts else { continue }
      while sum.sessions.count < receipts.sessions.count { sum.sessions.append(0) }
      // A push goes to one user, whose sessions are in one process.
      for (push, sessions) in receipts.sessions.enumerated() { sum.sessions[push] |= sessions }
      sum.latencies.add(receipts.latencies)
      sum.connects.add(receipts.connects)
      sum.moves.add(receipts.moves)
      while sum.timeline.count < receipts.timeline.count { sum.timeline.append(LoadInterval()) }
      for (slot, interval) in receipts.timeline.enumerated() {
        sum.timeline[slot].messages += interval.messages
        sum.timeline[slot].welcomes += interval.welcomes
        sum.timeline[slot].lostStreams += interval.lostStreams
        sum.timeline[slot].latency = max(sum.timeline[slot].latency, interval.latency)
      }
    }
    return sum
  }

  func end() async { for worker in workers { await worker.end() } }
}

extension LatencyHistogram {
  init(_ buckets: LatencyBuckets) {
    self.init()
    for (value, count) in buckets.values { record(value, count: count) }
  }
}

extension LoadReceipts {
  var points: [TimelinePoint] {
    timeline.enumerated().map { slot, interval in
      TimelinePoint(
        second: Double(slot) / 10, messages: Double(interval.messages) * 10, welcomes: Double(interval.welcomes) * 10,
        lostStreams: Double(interval.lostStreams) * 10, latencyMs: Double(interval.latency) / 1_000)
    }
  }
}
