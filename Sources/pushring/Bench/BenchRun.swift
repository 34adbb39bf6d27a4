internal import ArgumentParser
internal import BenchResults
internal import Foundation
internal import LoadClient
internal import Logging

/// One benchmark from the first process to the result: what all workloads share.
final class BenchRun {
  let workload: String
  let options: BenchOptions
  let cluster: BenchCluster
  let load: LoadGroup
  private(set) var result: BenchResult
  private var figures: [String: [Double]] = [:]
  private var histograms: [String: LatencyHistogram] = [:]
  private let started = ContinuousClock.now

  init(_ workload: String, _ options: BenchOptions, logger: Logger) throws {
    let workers = try BenchLimits.check(options)
    self.workload = workload
    self.options = options
    cluster = try BenchCluster(options, logger: logger)
    do {
      load = try LoadGroup(count: workers, seed: options.seed, dropEvery: options.dropEvery)
    } catch {
      cluster.end()
      throw error
    }
    var settings = options.described
    settings["load-processes"] = "\(workers)"
    result = BenchResult(
      workload: workload, version: Program.configuration.version, startedAt: Date().formatted(.iso8601),
      command: CommandLine.arguments.map { $0.hasSuffix("/pushring") ? "pushring" : $0 }.joined(separator: " "),
      machine: ProcessProbe.machine, settings: settings, seed: options.seed)
    result.strategy = options.strategy.rawValue
  }

  func end() async {
    await load.end()
    cluster.end()
  }

  // MARK: The sessions

  /// - Parameter measured: notes how long it took, and what it cost the pods.
  func connect(_ options: BenchOptions? = nil, measured: Bool = false) async throws {
    let options = options ?? self.options
    let view = try await cluster.view()
    var random = SplitMix(options.seed)
    let places = cluster.places(options, view, random: &random)
    let endpoints = cluster.endpoints(view)
    let before = use()
    let dropsBefore = ProcessProbe.listenDrops
    let timesBefore = ProcessProbe.cpuTimes
    if measured { try await load.all(LoadRequest(.measure)) }
    let start = ContinuousClock.now
    try await load.open(
      endpoints: endpoints, firstUser: 0, sessionsPerUser: options.sessionsPerUser, places: places,
      rate: options.connectRate)
    try await waitLive(options.sessions, limit: .seconds(60 + options.sessions / 200))
    guard measured else { return }
    let seconds = start.duration(to: .now) / .seconds(1)
    let pods = difference(before, use()).filter { $0.name.hasPrefix("pod-") }.reduce(0) { $0 + $1.cpuSeconds }
    note("stormSeconds", seconds)
    note("connectsPerSecond", Double(options.sessions) / seconds)
    if pods > 0 { note("connectsPerCPUSecond", Double(options.sessions) / pods) }
    note("listenDrops", Double(ProcessProbe.listenDrops - dropsBefore))
    noteStolen(since: timesBefore)
    let receipts = try await load.receipts()
    note("connect", LatencyHistogram(receipts.connects))
  }

  func waitLive(_ count: Int, limit: Duration) async throws {
    let end = ContinuousClock.now.advanced(by: limit)
    var last = 0
    while true {
      let report = try await load.report()
      if report.live >= count { return }
      if report.live != last { progress("\(report.live) of \(count) sessions live") }
      last = report.live
      guard ContinuousClock.now < end else {
        let reasons = report.reasons.sorted { $0.value > $1.value }.prefix(5)
        throw Failure(
          "\(count - report.live) of \(count) sessions were not welcomed within \(limit): "
            + (reasons.isEmpty
              ? "nothing was refused, it only took longer"
              : reasons.map { "\($0.value) × \($0.key)" }.joined(separator: "; ")))
      }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  // MARK: Pushes

  /// Pushes for the measured time, with whatever else happens meanwhile, and notes all figures of pushes.
  func measurePushes(
    during duration: Double, seed: UInt64, isTimelineKept: Bool = false,
    _ meanwhile: ((ContinuousClock.Instant) async throws -> Void)? = nil
  ) async throws {
    let driver = PushDriver(try await plan(seed: seed))
    try await load.all(LoadRequest(.measure))
    let reportBefore = try await load.report()
    let readsBefore = await cluster.redisReads()
    let before = use()
    let timesBefore = ProcessProbe.cpuTimes
    let start = ContinuousClock.now
    let running = Task { try await driver.run() }
    do {
      if let meanwhile {
        try await meanwhile(start)
      } else {
        try await watch(driver, until: start.advanced(by: .seconds(duration)))
      }
    } catch {
      driver.stop()
      _ = await running.result
      throw error
    }
    driver.stop()
    try await running.value
    let seconds = start.duration(to: .now) / .seconds(1)
    let used = difference(before, use())
    noteStolen(since: timesBefore)
    let readsAfter = await cluster.redisReads()
    // What was reported as delivered is on its way.
    try await Task.sleep(for: .milliseconds(500))
    let receipts = try await load.receipts()
    let report = try await load.report()
    conclude(driver.soFar, receipts, report, seconds, used)
    if let readsBefore, let readsAfter {
      note("redisReadsPerPush", (readsAfter - readsBefore) / Double(max(driver.soFar.pushes, 1)))
    }
    note("lostStreams", Double(report.lostStreams - reportBefore.lostStreams))
    if report.moves + report.failedMoves > reportBefore.moves + reportBefore.failedMoves {
      note("moves", Double(report.moves - reportBefore.moves))
      note("failedMoves", Double(report.failedMoves - reportBefore.failedMoves))
      note("move", LatencyHistogram(receipts.moves))
    }
    result.processes = used
    if isTimelineKept || result.timeline.isEmpty { result.timeline = receipts.points }
    for (reason, count) in driver.soFar.reasons.sorted(by: { $0.value > $1.value }).prefix(3) {
      result.notes.append("\(count) pushes failed: \(reason)")
    }
  }

  /// A push to every user, one after the other and as fast as it goes, and a note of how many sessions it reached.
  func pushToAll() async throws {
    var plan = try await plan(seed: options.seed)
    plan.isInTurn = true
    plan.options.rate = 0
    let (users, driver) = (plan.users, PushDriver(plan))
    progress("a push to each of \(users) users")
    try await load.all(LoadRequest(.measure))
    let start = ContinuousClock.now
    let running = Task { try await driver.run() }
    let limit = start.advanced(by: .seconds(60 + users / 200))
    while driver.soFar.pushes < users, ContinuousClock.now < limit { try await Task.sleep(for: .milliseconds(50)) }
    let seconds = start.duration(to: .now) / .seconds(1)
    driver.stop()
    try await running.value
    // What was reported as delivered is on its way.
    try await Task.sleep(for: .milliseconds(500))
    let arrived = try await load.receipts().sessions.prefix(users).reduce(0) { $0 + $1.nonzeroBitCount }
    note("First a push to every user, in \(short(seconds)) s: \(arrived) of \(options.sessions) sessions received it.")
  }

  func plan(seed: UInt64) async throws -> PushDriver.Plan {
    let users = max(1, options.sessions / options.sessionsPerUser)
    return .init(
      sender: cluster.sender, users: users, options: options.pushes, seed: seed,
      pods: options.mode == .deliver ? try await cluster.parts(users: users) : [])
  }

  private func watch(_ driver: PushDriver, until end: ContinuousClock.Instant) async throws {
    while ContinuousClock.now < end {
      try await Task.sleep(until: min(end, ContinuousClock.now.advanced(by: .seconds(1))), clock: .continuous)
      let account = driver.soFar
      progress(
        "\(account.pushes) pushes, \(account.failed) failed, answers p99 "
          + "\(short(account.answers.percentiles?.p99 ?? 0)) ms")
    }
  }

  private func conclude(
    _ account: PushDriver.Account, _ receipts: LoadReceipts, _ report: LoadReport, _ seconds: Double,
    _ used: [ProcessUse]
  ) {
    let pushes = Double(max(account.pushes, 1))
    note("pushesPerSecond", Double(account.pushes - account.failed) / seconds)
    let pods = used.filter { $0.name.hasPrefix("pod-") }.reduce(0) { $0 + $1.cpuSeconds }
    if pods > 0 { note("pushesPerPodCPUSecond", pushes / pods) }
    if let sender = used.first(where: { $0.name == "sender" })?.cpuSeconds, sender > 0 {
      note("pushesPerSenderCPUSecond", pushes / sender)
    }
    if let redis = used.first(where: { $0.name == "redis" })?.cpuSeconds {
      note("redisCPUMicrosecondsPerPush", redis * 1e6 / pushes)
    }
    note("rpcsPerPush", Double(account.deliverRPCs) / pushes)
    note("registryReadsPerPush", Double(account.registryReads) / pushes)
    note("completeShare", Double(account.complete) / pushes)
    note("latency", LatencyHistogram(receipts.latencies))
    note("answer", account.answers)
    guard options.mode != .many else { return }
    let all = options.sessionsPerUser == 64 ? UInt64.max : (1 << UInt64(options.sessionsPerUser)) - 1
    var lost = 0
    var missed = 0
    for (push, delivered) in account.delivered.enumerated() {
      let arrived = push < receipts.sessions.count ? receipts.sessions[push] : 0
      lost += (delivered & ~arrived).nonzeroBitCount
      missed += (all & ~arrived & ~delivered).nonzeroBitCount
    }
    note("lost", Double(lost))
    note("missed", Double(missed))
    note("duplicated", Double(report.duplicates))
  }

  // MARK: Noting

  /// One repetition's value of a figure.
  func note(_ figure: String, _ value: Double) { figures[figure, default: []].append(value) }

  func note(_ name: String, _ histogram: LatencyHistogram) {
    guard let percentiles = histogram.percentiles else { return }
    if name == "latency" {
      note("latencyP50Ms", percentiles.p50)
      note("latencyP99Ms", percentiles.p99)
      note("latencyP999Ms", percentiles.p999)
      note("latencyMaxMs", percentiles.max)
    }
    histograms[name, default: LatencyHistogram()].add(histogram)
  }

  private func noteStolen(since before: CPUTimes?) {
    guard let before, let share = ProcessProbe.cpuTimes?.stolenShare(since: before) else { return }
    note("stolenShare", share)
    guard share > Self.notableSteal else { return }
    note("The hypervisor took CPU time from this machine meanwhile: part of the longest latencies is its")
  }

  /// Of the machine's CPU time: from about there on the p99 at 20,000 pushes a second was several times as long (Docs/edge.md).
  private static let notableSteal = 0.01

  func mark(_ start: ContinuousClock.Instant, _ text: String) {
    result.marks.append(TimelineMark(second: start.duration(to: .now) / .seconds(1), text: text))
    progress(text)
  }

  func note(_ text: String) { if !result.notes.contains(text) { result.notes.append(text) } }

  /// On stderr, so that data on stdout stays data.
  func progress(_ text: String) {
    let seconds = Int(started.duration(to: .now) / .seconds(1))
    printProgress("\(workload), \(seconds) s: \(text)")
  }

  func use() -> [ProcessUse] {
    cluster.processes.map { process in
      let reading = ProcessProbe.read(process.id)
      return ProcessUse(name: process.name, cpuSeconds: reading.cpuSeconds, userBytes: reading.userBytes)
    }
  }

  func difference(_ before: [ProcessUse], _ after: [ProcessUse]) -> [ProcessUse] {
    after.map { later in
      let earlier = before.first { $0.name == later.name }?.cpuSeconds ?? 0
      // A process that was started again counts from its start.
      let cpu = later.cpuSeconds >= earlier ? later.cpuSeconds - earlier : later.cpuSeconds
      return ProcessUse(name: later.name, cpuSeconds: cpu, userBytes: later.userBytes)
    }
  }

  /// The medians and everything else, put together.
  func finished() -> BenchResult {
    var result = result
    func median(_ figure: String) -> Double? { figures[figure].flatMap(Spread.init)?.median }
    func whole(_ figure: String) -> Int? { figures[figure].map { Int($0.reduce(0, +)) } }
    result.userBytesPerSession = median("userBytesPerSession")
    result.kernelBytesPerSession = median("kernelBytesPerSession")
    result.userBytesPerSessionAfterBurst = median("userBytesPerSessionAfterBurst")
    result.listenDrops = whole("listenDrops")
    result.idleCPUMicrosecondsPerSession = median("idleCPUMicrosecondsPerSession")
    result.connectsPerSecond = median("connectsPerSecond")
    result.connectsPerCPUSecond = median("connectsPerCPUSecond")
    result.stormSeconds = median("stormSeconds")
    result.pushesPerSecond = median("pushesPerSecond")
    result.pushesPerPodCPUSecond = median("pushesPerPodCPUSecond")
    result.pushesPerSenderCPUSecond = median("pushesPerSenderCPUSecond")
    result.redisCPUMicrosecondsPerPush = median("redisCPUMicrosecondsPerPush")
    result.stolenShare = median("stolenShare")
    result.rpcsPerPush = median("rpcsPerPush")
    result.registryReadsPerPush = median("registryReadsPerPush")
    result.redisReadsPerPush = median("redisReadsPerPush")
    result.completeShare = median("completeShare")
    result.recoverySeconds = median("recoverySeconds")
    result.strayShare = median("strayShare")
    result.idealMoveShare = median("idealMoveShare")
    result.moveSeconds = median("moveSeconds")
    result.moves = whole("moves")
    result.failedMoves = whole("failedMoves")
    result.moveMs = histograms["move"]?.percentiles
    // Nothing that was lost in one repetition is outweighed by the others.
    result.lost = whole("lost")
    result.duplicated = whole("duplicated")
    result.missed = whole("missed")
    result.lostStreams = whole("lostStreams")
    result.latencyMs = histograms["latency"]?.percentiles
    result.connectMs = histograms["connect"]?.percentiles
    result.histograms = histograms.mapValues(\.pairs)
    for (figure, values) in figures {
      result.noise[figure] = Spread(values)
      for (index, value) in values.enumerated() {
        while result.repetitions.count <= index { result.repetitions.append([:]) }
        result.repetitions[index][figure] = value
      }
    }
    return result
  }
}

/// Whether this machine can do it at all; a benchmark that runs into a limit would measure the limit.
enum BenchLimits {
  private static let spare = 200
  /// User space and kernel, both ends: measured, rounded up.
  private static let bytesPerSession = 75_000

  /// - Returns: how many load processes are needed.
  /// - Throws: `Failure` that names the setting to change.
  static func check(_ options: BenchOptions) throws -> Int {
    let descriptors = DescriptorLimit.raise() - spare
    let ports = ProcessProbe.localPorts
    let perPod = (options.sessions + options.pods - 1) / options.pods
    if options.sender == nil, Double(perPod) * (1 + options.strays) > Double(descriptors) {
      throw Failure(
        "\(perPod) sessions per pod need more descriptors than a process may have here (\(descriptors + spare)): "
          + "raise the hard limit of open files (ulimit -Hn, LimitNOFILE), or give more --pods")
    }
    let needed = max((options.sessions + descriptors - 1) / descriptors, (perPod + ports - 1) / ports)
    let workers = options.loadProcesses == 0 ? max(needed, 1) : options.loadProcesses
    guard workers >= needed else {
      throw Failure(
        "\(options.sessions) sessions need \(needed) load processes: each may have \(descriptors + spare) descriptors "
          + "(ulimit -Hn) and \(ports) ports to a pod (net.ipv4.ip_local_port_range); give --load-processes \(needed)")
    }
    let bytes = UInt64(options.sessions) * UInt64(bytesPerSession)
    if options.sender == nil, bytes > ProcessProbe.availableBytes {
      throw Failure(
        "\(options.sessions) sessions need about \(bytes / 1_048_576) MiB, and \(ProcessProbe.availableBytes / 1_048_576) "
          + "MiB are available; give fewer --sessions")
    }
    return workers
  }
}
