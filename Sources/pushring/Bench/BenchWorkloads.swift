internal import BenchResults
internal import Foundation
internal import LoadClient
internal import Logging
internal import Placement

/// What a benchmark does. Each gets a run whose cluster is up.
enum BenchWorkload: String, CaseIterable, Sendable {
  case connect, idle, push, failover, outage, rebalance, drain, churn, mixed

  func perform(_ run: BenchRun) async throws {
    switch self {
    case .connect: try await connect(run)
    case .idle: try await idle(run)
    case .push: try await push(run)
    case .failover: try await failover(run)
    case .outage: try await outage(run)
    case .rebalance: try await rebalance(run)
    case .drain: try await drain(run)
    case .churn: try await churn(run)
    case .mixed: try await mixed(run)
    }
  }

  /// All sessions connect, again and again: at `--connect-rate`, or at once.
  private func connect(_ run: BenchRun) async throws {
    for repetition in 0..<run.options.repetitions {
      if repetition > 0 {
        try await run.load.all(LoadRequest(.close, count: run.options.sessions))
        // Their records are taken away, too.
        try await Task.sleep(for: .seconds(1))
      }
      try await run.connect(measured: true)
    }
    run.note("A connect is TCP, HTTP/2, Hello, the record in Redis and the Welcome, on a connection of its own.")
  }

  /// What sessions cost that do nothing: memory in user space and kernel, CPU.
  private func idle(_ run: BenchRun) async throws {
    // A first session, so that what every pod has once is not counted for each.
    let before = run.use()
    let slabBefore = ProcessProbe.socketBytes
    try await run.connect(measured: true)
    try await Task.sleep(for: .seconds(run.options.warmUp))
    let sessions = Double(run.options.sessions)
    func pods(_ use: [ProcessUse]) -> [ProcessUse] { use.filter { $0.name.hasPrefix("pod-") } }
    for _ in 0..<run.options.repetitions {
      let start = run.use()
      try await Task.sleep(for: .seconds(run.options.duration))
      let end = run.use()
      let grown =
        pods(end).reduce(0.0) { $0 + Double($1.userBytes) } - pods(before).reduce(0.0) { $0 + Double($1.userBytes) }
      run.note("userBytesPerSession", grown / sessions)
      let slab = Double(ProcessProbe.socketBytes) - Double(slabBefore)
      run.note("kernelBytesPerSession", slab / sessions / 2)
      let cpu = pods(run.difference(start, end)).reduce(0) { $0 + $1.cpuSeconds }
      run.note("idleCPUMicrosecondsPerSession", cpu * 1e6 / sessions / run.options.duration)
    }
    try await burst(run)
    try await Task.sleep(for: .seconds(run.options.warmUp))
    let grown =
      pods(run.use()).reduce(0.0) { $0 + Double($1.userBytes) }
      - pods(before).reduce(0.0) { $0 + Double($1.userBytes) }
    run.note("userBytesPerSessionAfterBurst", grown / sessions)
    run.note(
      "Kernel memory is what the caches for sockets and their buffers grew by, halved: both ends are on this machine.")
  }

  /// Several messages to about every session: what a pod keeps of that is not idle.
  private func burst(_ run: BenchRun) async throws {
    run.progress("a burst to all sessions")
    let users = max(1, run.options.sessions / run.options.sessionsPerUser)
    let driver = PushDriver(try await run.plan(seed: run.options.seed))
    let running = Task { try await driver.run() }
    let end = ContinuousClock.now.advanced(by: .seconds(30))
    while driver.soFar.pushes < 3 * users, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(50)) }
    driver.stop()
    try await running.value
  }

  /// Pushes at `--rate`, or as fast as it goes.
  private func push(_ run: BenchRun) async throws {
    try await run.connect()
    try await warmUp(run)
    if run.options.churn > 0 { try await run.load.churn(perSecond: run.options.churn) }
    for repetition in 0..<run.options.repetitions {
      try await run.measurePushes(during: run.options.duration, seed: run.options.seed &+ UInt64(repetition) + 1)
    }
  }

  func warmUp(_ run: BenchRun) async throws {
    guard run.options.warmUp > 0 else { return }
    run.progress("warming up")
    let driver = PushDriver(try await run.plan(seed: run.options.seed))
    let running = Task { try await driver.run() }
    try await Task.sleep(for: .seconds(run.options.warmUp))
    driver.stop()
    try await running.value
  }

  /// A pod is killed under load; how long until all its sessions are back, and what pushes saw meanwhile.
  private func failover(_ run: BenchRun) async throws {
    guard let local = run.cluster.local, run.options.pods > 1 else {
      throw Failure("failover kills a pod: it needs a cluster of its own (no --sender) and --pods 2 or more")
    }
    try await run.connect()
    try await warmUp(run)
    if run.options.mode == .stream { try await run.pushToAll() }
    for repetition in 0..<run.options.repetitions {
      let victim = local.pods[repetition % run.options.pods]
      try await run.measurePushes(
        during: run.options.duration, seed: run.options.seed &+ UInt64(repetition) + 1,
        isTimelineKept: repetition == 0
      ) { start in
        try await Task.sleep(for: .seconds(min(3, run.options.duration / 3)))
        local.kill(victim)
        let killed = ContinuousClock.now
        if repetition == 0 { run.mark(start, "SIGKILL \(victim.id)") }
        // Until the load has noticed.
        try await Task.sleep(for: .milliseconds(20))
        try await run.waitLive(run.options.sessions, limit: .seconds(60))
        run.note("recoverySeconds", killed.duration(to: .now) / .seconds(1))
        if repetition == 0 { run.mark(start, "all sessions are live") }
        let left = run.options.duration - start.duration(to: .now) / .seconds(1)
        if left > 0 { try await Task.sleep(for: .seconds(left)) }
      }
      try local.start(victim)
      try await run.cluster.waitSettled(pods: run.options.pods)
    }
    run.note("Lost are messages that the killed pod had taken for a stream, and that died with it.")
  }

  /// Redis is killed, and comes back empty.
  private func outage(_ run: BenchRun) async throws {
    guard let local = run.cluster.local, run.options.redis == nil else {
      throw Failure("outage kills Redis: it needs a cluster and a Redis of its own (no --sender, no --redis)")
    }
    try await run.connect()
    try await warmUp(run)
    for repetition in 0..<run.options.repetitions {
      try await run.measurePushes(
        during: run.options.duration, seed: run.options.seed &+ UInt64(repetition) + 1,
        isTimelineKept: repetition == 0
      ) { start in
        try await Task.sleep(for: .seconds(run.options.duration / 4))
        local.killRedis()
        if repetition == 0 { run.mark(start, "Redis is killed") }
        try await Task.sleep(for: .seconds(run.options.duration / 2))
        try local.startRedis()
        let back = ContinuousClock.now
        if repetition == 0 { run.mark(start, "Redis is back, empty") }
        try await run.cluster.waitSettled(pods: run.options.pods)
        run.note("recoverySeconds", back.duration(to: .now) / .seconds(1))
        if repetition == 0 { run.mark(start, "the view has settled") }
        try await Task.sleep(for: .seconds(run.options.duration / 4))
      }
      try await run.waitLive(run.options.sessions, limit: .seconds(30))
    }
    run.note("While Redis is away pushes ask all pods, and say that nobody vouches for completeness.")
  }

  /// Sessions come and go, and nothing else happens.
  private func churn(_ run: BenchRun) async throws {
    try await run.connect()
    let rate = run.options.churn > 0 ? run.options.churn : Double(run.options.sessions) / 20
    try await run.load.churn(perSecond: rate)
    try await Task.sleep(for: .seconds(run.options.warmUp))
    for _ in 0..<run.options.repetitions {
      try await run.load.all(LoadRequest(.measure))
      let before = run.use()
      let welcomed = try await run.load.report().welcomes
      try await Task.sleep(for: .seconds(run.options.duration))
      let connects = Double(try await run.load.report().welcomes - welcomed)
      let pods = run.difference(before, run.use()).filter { $0.name.hasPrefix("pod-") }.reduce(0) { $0 + $1.cpuSeconds }
      run.note("connectsPerSecond", connects / run.options.duration)
      if pods > 0 { run.note("connectsPerCPUSecond", connects / pods) }
      run.note("connect", LatencyHistogram(try await run.load.receipts().connects))
    }
    run.note("\(short(rate)) sessions a second are closed by their clients and come back.")
  }

  /// Pushes at a rate while sessions come and go.
  private func mixed(_ run: BenchRun) async throws {
    try await run.connect()
    try await warmUp(run)
    try await run.load.churn(
      perSecond: run.options.churn > 0 ? run.options.churn : Double(run.options.sessions) / 50)
    for repetition in 0..<run.options.repetitions {
      try await run.measurePushes(during: run.options.duration, seed: run.options.seed &+ UInt64(repetition) + 1)
    }
    run.note("Sessions that were away are among the missed.")
  }
}
