internal import Foundation
internal import Logging
internal import Placement
internal import RedisClient
internal import RedisDirectory
internal import Scale
internal import Sessions

/// What the registry's calls and records take, on a real Redis and with its real scripts.
///
/// Each call is made as by pods: one at a time on a connection of its own, from many connections. Time is the CPU of
/// Redis' main thread, by its own INFO, so that what else runs on the machine makes little difference.
struct RegistryMeasurement {
  let redis: String
  var sizes = [10, 100, 1_000, 3_000, 10_000]
  private static let connections = 32
  private static let incarnations = 10
  private static let sessionsPerIncarnation = 10_000
  private static let subscribers = 500

  func measure() async throws -> RegistryCosts {
    let cluster = MeasuredCluster(name: "scale-\(ProcessInfo.processInfo.processIdentifier)")
    let pods = try (0..<Self.connections).map { _ in try MeasuredPod(redis, cluster) }
    let running = pods.map { pod in Task { await pod.client.run() } }
    let result: Result<RegistryCosts, any Error>
    do {
      for pod in pods { _ = try await pod.client.send(["PING"]) }
      result = .success(try await measure(pods, cluster, RedisMeter(client: pods[0].client)))
    } catch {
      result = .failure(error)
    }
    try? await cluster.clear(pods[0].client)
    await end(running)
    return try result.get()
  }

  /// What they hold is given back before memory is measured.
  private func end(_ tasks: [Task<Void, Never>]) async {
    for task in tasks { task.cancel() }
    for task in tasks { await task.value }
    try? await Task.sleep(for: .seconds(1))
  }

  private func measure(_ pods: [MeasuredPod], _ cluster: MeasuredCluster, _ meter: RedisMeter) async throws
    -> RegistryCosts
  {
    var costs = RegistryCosts.recorded
    costs.taken = try await meter.description()
    try await sessions(pods, cluster, meter, &costs)
    try await membership(pods, cluster, meter, &costs)
    costs.announcementMicrosecondsPerFollower = try await announcing(pods[0], cluster, meter)
    return costs
  }

  // MARK: Sessions

  private func sessions(
    _ pods: [MeasuredPod], _ cluster: MeasuredCluster, _ meter: RedisMeter, _ costs: inout RegistryCosts
  ) async throws {
    let count = Self.incarnations * Self.sessionsPerIncarnation
    printProgress("Redis: \(count) registrations")
    let before = try await meter.usedMemory()
    try await meter.reset()
    let records = try await each(count, pods) { pod, number in
      try await pod.directory.register(
        try cluster.key(number), podID: cluster.podID(number % Self.incarnations),
        incarnation: cluster.incarnation(number % Self.incarnations), lastEpoch: Epoch(rawValue: 0)
      ).record
    }
    costs.registration = try await meter.cost(of: count, commands: 2)
    costs.bytesPerSession = (try await meter.usedMemory() - before) / Double(count)
    costs.bytesPerIndexEntry =
      try await meter.memory(of: cluster.index(0)) / Double(Self.sessionsPerIncarnation)
    costs.bytesPerRecord = try await meter.memory(of: cluster.records(1))
    for device in 1...2 {
      _ = try await pods[0].directory.register(
        try cluster.key(1, device: device), podID: cluster.podID(1), incarnation: cluster.incarnation(1),
        lastEpoch: Epoch(rawValue: 0))
    }
    costs.bytesPerFurtherRecord = (try await meter.memory(of: cluster.records(1)) - costs.bytesPerRecord) / 2

    let some = Array(records.prefix(20_000))
    try await meter.reset()
    _ = try await each(some.count, pods) { pod, number in
      try await pod.directory.vouchedRecords(of: some[number].key.user).records.count
    }
    costs.recordsRead = try await meter.cost(of: some.count, commands: 2)
    try await meter.reset()
    _ = try await each(some.count, pods) { pod, number in try await pod.directory.unregister(some[number]) }
    costs.unregistration = try await meter.cost(of: some.count, commands: 2)
    let batches = stride(from: 0, to: some.count, by: 500).map { Array(some[$0..<min($0 + 500, some.count)]) }
    try await meter.reset()
    _ = try await each(batches.count, pods) { pod, number in
      try await pod.directory.restore(batches[number]).count
    }
    costs.restoration = try await meter.cost(of: some.count, commands: 2)
  }

  // MARK: Membership

  private func membership(
    _ pods: [MeasuredPod], _ cluster: MeasuredCluster, _ meter: RedisMeter, _ costs: inout RegistryCosts
  ) async throws {
    costs.bySize = []
    var incarnations: [Incarnation] = []
    for size in sizes.sorted() {
      printProgress("Redis: \(size) members")
      while incarnations.count < size - 1 {
        let first = incarnations.count + 1
        let batch = first..<min(first + 500, size)
        incarnations += try await join(batch.map(cluster.description), pods[0].directory)
      }
      costs.bySize.append(try await membership(of: size, &incarnations, pods, cluster, meter))
    }
    try await meter.reset()
    _ = try await each(20_000, pods) { pod, _ in
      try await pod.client.send([
        "HMGET", RedisArgument(cluster.meta), "settled_version", "settled_digest", "version", "digest",
      ])
    }
    costs.stampsPoll = try await meter.cost(of: 20_000, commands: 1)
    try await meter.reset()
    _ = try await each(5_000, pods) { pod, _ in try await pod.directory.sweep(limit: 500).deleted }
    costs.sweepPoll = try await meter.cost(of: 5_000, commands: 3)
  }

  /// All at once, so that they wait for one view, and through one directory, so that it is parsed once.
  private func join(_ descriptions: [MemberDescription], _ directory: RedisDirectory) async throws -> [Incarnation] {
    try await withThrowingTaskGroup(of: Incarnation.self) { group in
      for description in descriptions {
        group.addTask { try await directory.join(description).incarnation }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }

  /// The last one to join is measured.
  private func membership(
    of size: Int, _ incarnations: inout [Incarnation], _ pods: [MeasuredPod], _ cluster: MeasuredCluster,
    _ meter: RedisMeter
  ) async throws -> MembershipCosts {
    // Past the time in which changes are gathered, so that the join is published by itself.
    try await Task.sleep(for: .milliseconds(300))
    _ = try await pods[0].directory.window()
    let announcements = try await Announcements.start(pods[0].configuration, cluster.views, pods[0].logger)
    try await Task.sleep(for: .milliseconds(300))
    try await meter.reset()
    let joined = try await pods[0].directory.join(cluster.description(size))
    let join = try await meter.cost(of: 1, commands: 1)
    let announcementBytes = try await announcements.stop()
    incarnations.append(joined.incarnation)
    let members = incarnations

    try await meter.reset()
    _ = try await each(size, pods) { pod, number in
      try await pod.directory.acknowledge(members[number], view: joined.window.current.stamp)
    }
    let acknowledgement = try await meter.cost(of: size, commands: 1)
    guard let window = try await pods[0].directory.window(), window.settled.stamp == joined.window.current.stamp else {
      throw Failure("the view of \(size) members has not settled; does somebody else use this Redis?")
    }

    let renewals = max(5_000, size)
    try await meter.reset()
    _ = try await each(renewals, pods) { pod, number in
      try await pod.directory.renew(members[number % size], load: MemberLoad(sessions: 10_000, strays: 100)) == .lapsed
    }
    let renewal = try await meter.cost(of: renewals, commands: 2)
    // Each connection's first reading parses the views, which takes Redis nothing.
    let reads = size > 1_000 ? 100 : 1_000
    try await meter.reset()
    _ = try await each(reads, Array(pods.prefix(4))) { pod, _ in try await pod.directory.window() != nil }
    let windowRead = try await meter.cost(of: reads, commands: 1)
    return MembershipCosts(
      members: size, membershipBytes: try await meter.memory(of: cluster.membershipKeys),
      viewBytes: try await meter.length(of: cluster.meta, field: "current"),
      announcementBytes: Double(announcementBytes), renewal: renewal, acknowledgement: acknowledgement,
      windowRead: windowRead, join: join)
  }

  /// Microseconds for each subscriber that an announcement goes to.
  private func announcing(_ pod: MeasuredPod, _ cluster: MeasuredCluster, _ meter: RedisMeter) async throws -> Double {
    printProgress("Redis: announcements to \(Self.subscribers) followers")
    let channel = cluster.views + "-measured"
    let subscribers = (0..<Self.subscribers).map { _ in
      RedisSubscriber(configuration: pod.configuration, channels: [channel], logger: pod.logger)
    }
    let running = subscribers.map { subscriber in
      Task {
        await withDiscardingTaskGroup { group in
          group.addTask { await subscriber.run() }
          group.addTask { for await _ in subscriber.events {} }
        }
      }
    }
    defer { for task in running { task.cancel() } }
    try await meter.subscribers(of: channel, reach: Self.subscribers)
    let payload = RedisArgument(Array(repeating: UInt8(ascii: "x"), count: 180))
    let count = 100
    try await meter.reset()
    for _ in 0..<count {
      _ = try await pod.client.send(["PUBLISH", RedisArgument(channel), payload])
      // One after another, as views are: not several in one write.
      try await Task.sleep(for: .milliseconds(20))
    }
    try await Task.sleep(for: .milliseconds(500))
    let cost = try await meter.cost(of: count * Self.subscribers, commands: 1).cpuMicroseconds
    await end(running)
    return cost
  }

  /// One call at a time on each pod's connection; results in no particular order.
  private func each<Value: Sendable>(
    _ count: Int, _ pods: [MeasuredPod], _ call: @escaping @Sendable (MeasuredPod, Int) async throws -> Value
  ) async throws -> [Value] {
    try await withThrowingTaskGroup(of: [Value].self) { group in
      for (index, pod) in pods.enumerated() {
        group.addTask {
          var values: [Value] = []
          for number in stride(from: index, to: count, by: pods.count) { values.append(try await call(pod, number)) }
          return values
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
  }
}
