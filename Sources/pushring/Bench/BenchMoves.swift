internal import BenchResults
internal import Foundation
internal import HashRing
internal import LoadClient
internal import Placement
internal import Rebalancing
internal import Routing

// Workloads in which sessions change pods while pushes go on.

extension BenchWorkload {
  /// A pod joins under load, and the sessions that are its own now are moved to it.
  func rebalance(_ run: BenchRun) async throws {
    guard let local = run.cluster.local else {
      throw Failure("rebalance starts a pod: it needs a cluster of its own (no --sender)")
    }
    try await run.connect()
    try await warmUp(run)
    let newcomer = local.pods[run.options.pods]
    let before = try await run.cluster.view()
    try await run.measurePushes(during: run.options.duration, seed: run.options.seed &+ 1, isTimelineKept: true) {
      start in
      try await Task.sleep(for: .seconds(run.options.duration / 4))
      try local.start(newcomer)
      run.mark(start, "a pod starts")
      let began = ContinuousClock.now
      try await run.cluster.waitSettled(pods: run.options.pods + 1)
      run.note("recoverySeconds", began.duration(to: .now) / .seconds(1))
      run.mark(start, "the view with it has settled")
      try await Task.sleep(for: .seconds(run.options.duration / 4))
      if run.options.strategy == .ring { try await rebalance(run, local, start) }
      let left = run.options.duration - start.duration(to: .now) / .seconds(1)
      if left > 0 { try await Task.sleep(for: .seconds(left)) }
    }
    guard let before, let after = try await run.cluster.view() else { return }
    try await noteStrays(run, before, after)
    if run.options.strategy != .ring {
      run.note("Only the ring has a place for each session that it can be moved to; here they stay where they are.")
    }
  }

  private func rebalance(_ run: BenchRun, _ local: LocalCluster, _ start: ContinuousClock.Instant) async throws {
    run.mark(start, "rebalance apply")
    let began = ContinuousClock.now
    let done = try await local.command([
      "rebalance", "apply", "--rate", "\(run.options.moveRate)", "--concurrency", "100000", "--output", "json",
    ])
    run.note("moveSeconds", began.duration(to: .now) / .seconds(1))
    run.mark(start, "all have moved")
    guard done.code == 0 || done.code == 1 else {
      throw Failure("rebalance apply ended with \(done.code): \(done.output)")
    }
  }

  /// A pod is asked to end under load: its sessions move, and it ends with 0.
  func drain(_ run: BenchRun) async throws {
    guard let local = run.cluster.local, run.options.pods > 1 else {
      throw Failure("drain ends a pod: it needs a cluster of its own (no --sender) and --pods 2 or more")
    }
    try await run.connect()
    try await warmUp(run)
    for repetition in 0..<run.options.repetitions {
      let before = try await run.cluster.view()
      let leaving = local.pods[repetition % run.options.pods]
      try await run.measurePushes(
        during: run.options.duration, seed: run.options.seed &+ UInt64(repetition) + 1,
        isTimelineKept: repetition == 0
      ) { start in
        try await Task.sleep(for: .seconds(run.options.duration / 4))
        if repetition == 0 { run.mark(start, "SIGTERM \(leaving.id)") }
        let began = ContinuousClock.now
        let code = try await local.drain(leaving, limit: .seconds(BenchCluster.drainSeconds + 10))
        guard code == 0 else {
          throw Failure("\(leaving.id) ended with \(code.map(String.init) ?? "SIGKILL"), not with 0")
        }
        run.note("moveSeconds", began.duration(to: .now) / .seconds(1))
        if repetition == 0 { run.mark(start, "it has ended with 0") }
        let left = run.options.duration - start.duration(to: .now) / .seconds(1)
        if left > 0 { try await Task.sleep(for: .seconds(left)) }
      }
      if let before, let after = try await run.cluster.view() { try await noteStrays(run, before, after) }
      try local.start(leaving)
      try await run.cluster.waitSettled(pods: run.options.pods)
      // Those that are its own again.
      if repetition + 1 < run.options.repetitions {
        _ = try await local.command(["rebalance", "apply", "--rate", "1000", "--concurrency", "100000"])
      }
    }
    run.note(
      "The pod that leaves paces its moves by the time that it has, \(BenchCluster.drainSeconds) s, and by what the others take."
    )
  }

  /// What had to move by the two views, and what is astray now by the pods' own count.
  private func noteStrays(_ run: BenchRun, _ before: View, _ after: View) async throws {
    guard run.options.strategy == .ring || run.options.strategy == .modulo else { return }
    let owners = (0..<run.options.sessions).count { session in
      let hash = keyHash("user-\(session / run.options.sessionsPerUser)".utf8)
      if run.options.strategy == .modulo {
        return before.memberByModulo(ofUserHash: hash)?.incarnation
          != after.memberByModulo(ofUserHash: hash)?.incarnation
      }
      return before.owner(ofUserHash: hash)?.incarnation != after.owner(ofUserHash: hash)?.incarnation
    }
    let sessions = Double(run.options.sessions)
    run.note("idealMoveShare", Double(owners) / sessions)
    guard run.options.strategy == .ring, let local = run.cluster.local else {
      return run.note("strayShare", Double(owners) / sessions)
    }
    let plan = try await local.withRegistry { directory in try await makePlan(.init(), directory) }
    run.note("strayShare", Double(plan.strays) / sessions)
  }
}
