internal import ArgumentParser
internal import Foundation
internal import HashRing
internal import Logging
internal import Placement
internal import RedisClient
internal import RedisDirectory
internal import SwiftProtobuf
internal import Wire

/// What one join costs a cluster of many members, on the real scripts and the real placement: the members are values in
/// this process, so that a thousand fit on one machine. What the network takes is not in it.
struct JoinCostCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "join-cost",
    abstract: "Measure what a join costs: stray reports, acknowledgements, bytes, Redis time.",
    discussion: """
      Simulated members join a cluster of a name of its own in the Redis given, which is cleared of it afterwards. Give a \
      Redis that serves nothing else: its statistics are reset, and tell nothing when others use it. Benchmarks/placement/measure join starts one.
      """)

  @Option(help: "Where Redis is: redis://HOST:PORT.") var redis: String
  @Option(parsing: .upToNextOption, help: "How many members there are before the join.") var members = [10, 100, 1_000]
  @Option(help: "Users with a session, all of them at home before the join.") var sessions = 100_000
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    guard !members.isEmpty, members.allSatisfy({ (1...5_000).contains($0) }), (1...10_000_000).contains(sessions) else {
      throw ValidationError("--members must be 1 to 5,000 and --sessions 1 to 10,000,000")
    }
  }

  func run() async throws {
    var costs: [JoinCost] = []
    for count in members {
      let cost = try await JoinCostMeasurement(redis: redis, members: count, sessions: sessions).measure()
      costs.append(cost)
      if !json { printData(cost.text + "\n") }
    }
    if json { printData(String(decoding: try JSONEncoder().encode(costs), as: UTF8.self) + "\n") }
  }
}

struct JoinCost: Encodable {
  let members: Int
  let sessions: Int
  /// Users whose owner is the newcomer now.
  let movedUsers: Int
  let reportCalls: Int
  let reportBytes: Int
  let acknowledgements: Int
  /// The script's own time, mean.
  let redisMicrosecondsPerAcknowledgement: Double
  let redisMicrosecondsPerRenewal: Double
  let redisMicrosecondsOfJoin: Double
  /// One announcement, which goes to every member and Sender.
  let announcementBytes: Int
  /// A whole window, for those who read it: the newcomer, and who missed an announcement.
  let windowBytes: Int

  var text: String {
    """
    \(members) members, \(sessions) sessions: a join moves \(movedUsers) users, \(reportCalls) reports of \
    \(reportBytes) bytes, \(acknowledgements) acknowledgements; Redis: join \(Int(redisMicrosecondsOfJoin)) µs, \
    \(Int(redisMicrosecondsPerAcknowledgement)) µs an acknowledgement, \(Int(redisMicrosecondsPerRenewal)) µs a renewal; \
    announcement \(announcementBytes) bytes, window \(windowBytes) bytes
    """
  }
}

private struct JoinCostMeasurement {
  let redis: String
  let members: Int
  let sessions: Int

  func measure() async throws -> JoinCost {
    var configuration = try RedisConfiguration(url: redis)
    configuration.commandTimeout = .seconds(30)
    let logger = Logger(label: "join-cost") { _ in SwiftLogNoOpLogHandler() }
    let client = RedisClient(configuration: configuration, logger: logger)
    let running = Task { await client.run() }
    defer { running.cancel() }
    let name = "join-cost-\(ProcessInfo.processInfo.processIdentifier)-\(members)"
    var settings = DirectorySettings()
    // Members are values that don't renew by themselves, and nothing has been lost.
    (settings.lease, settings.renewalInterval, settings.recoveryWait) = (.seconds(600), .seconds(300), .zero)
    let directory = RedisDirectory(
      client: client, cluster: try ClusterName(name), settings: settings, logger: logger)
    return try await measure(directory, client, channel: "pushring:{\(name)}:views", configuration, logger)
  }

  private func measure(
    _ directory: RedisDirectory, _ client: RedisClient, channel: String, _ configuration: RedisConfiguration,
    _ logger: Logger
  ) async throws -> JoinCost {
    let incarnations = try await joinAll(directory)
    guard let before = try await settle(directory, incarnations) else { throw Failure("no view has settled") }
    var placements = try populate(incarnations, before)

    let announcements = try await Announcements.start(configuration, channel, logger)
    try await reset(client)
    let newcomer = try await directory.join(description(members + 1))
    let join = try await scriptTime(client)
    let announcementBytes = try await announcements.stop()

    var owner = MemberPlacement(
      incarnation: newcomer.incarnation, window: newcomer.window, leaseEnds: .seconds(600), admitsFrom: .zero)
    var reportCalls = 0
    var reportBytes = 0
    for incarnation in incarnations {
      guard var placement = placements.removeValue(forKey: incarnation) else { continue }
      _ = placement.windowChanged(newcomer.window, claimsEnd: .seconds(600))
      while let report = placement.nextReport(to: newcomer.incarnation) {
        reportCalls += 1
        let message: [UInt8] = try wire(report, newcomer.window.stamps).serializedBytes()
        reportBytes += message.count
        _ = placement.receiptReceived(owner.record(report), from: newcomer.incarnation)
      }
      guard placement.viewToAcknowledge == newcomer.window.current.stamp else {
        throw Failure("member \(incarnation) can't acknowledge the view")
      }
    }

    try await reset(client)
    let everybody = incarnations + [newcomer.incarnation]
    for incarnation in everybody {
      _ = try await directory.acknowledge(incarnation, view: newcomer.window.current.stamp)
    }
    let acknowledging = try await scriptTime(client)
    guard let window = try await directory.window(), window.settled.stamp == newcomer.window.current.stamp else {
      throw Failure("the view after the join has not settled")
    }

    try await reset(client)
    for incarnation in everybody {
      _ = try await directory.renew(incarnation, load: MemberLoad(sessions: 100, strays: 0))
    }
    let renewing = try await scriptTime(client)
    let windowBytes = try await storedViewBytes(client, channel)
    for key in ["meta", "members", "leases", "grace", "load", "waiting", "pending", "departed", "swept"] {
      _ = try await client.send(["DEL", RedisArgument(channel.replacing(":views", with: ":" + key))])
    }
    return JoinCost(
      members: members, sessions: sessions, movedUsers: owner.strayCount, reportCalls: reportCalls,
      reportBytes: reportBytes, acknowledgements: everybody.count,
      redisMicrosecondsPerAcknowledgement: acknowledging.total / Double(everybody.count),
      redisMicrosecondsPerRenewal: renewing.total / Double(everybody.count),
      redisMicrosecondsOfJoin: join.total, announcementBytes: announcementBytes, windowBytes: windowBytes)
  }

  private func description(_ number: Int) -> MemberDescription {
    MemberDescription(
      podID: "session-manager-\(number)", endpoint: "10.0.\(number / 250).\(number % 250):7400",
      peerEndpoint: "10.0.\(number / 250).\(number % 250):7401", weight: 1, zone: "zone-\(number % 3)")
  }

  private func joinAll(_ directory: RedisDirectory) async throws -> [Incarnation] {
    var incarnations: [Incarnation] = []
    var left = Array(1...members)[...]
    while !left.isEmpty {
      let batch = left.prefix(200)
      left = left.dropFirst(200)
      incarnations += try await withThrowingTaskGroup(of: Incarnation.self) { group in
        for number in batch {
          let description = description(number)
          group.addTask { try await directory.join(description).incarnation }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
    }
    return incarnations.sorted()
  }

  private func settle(_ directory: RedisDirectory, _ incarnations: [Incarnation]) async throws -> View? {
    for _ in 0..<50 {
      guard let window = try await directory.window() else { continue }
      if window.settled.stamp == window.current.stamp, window.current.members.count == incarnations.count {
        return window.current
      }
      for incarnation in incarnations {
        _ = try await directory.acknowledge(incarnation, view: window.current.stamp)
      }
      try await Task.sleep(for: .milliseconds(100))
    }
    return nil
  }

  private func populate(_ incarnations: [Incarnation], _ view: View) throws -> [Incarnation: MemberPlacement] {
    let window = Window(settled: view, current: view)
    var placements: [Incarnation: MemberPlacement] = [:]
    for incarnation in incarnations {
      placements[incarnation] = MemberPlacement(
        incarnation: incarnation, window: window, leaseEnds: .seconds(600), admitsFrom: .zero)
    }
    for number in 0..<sessions {
      let hash = keyHash("user-\(number)".utf8)
      guard let owner = view.owner(ofUserHash: hash) else { throw Failure("the view has no owners") }
      placements[owner.incarnation]?.sessionArriving(userHash: hash)
    }
    return placements
  }

  private func wire(_ report: StrayReport, _ stamps: WindowStamps) -> Pushring_V1_StrayReport {
    var wire = Pushring_V1_StrayReport()
    wire.window = Pushring_V1_ViewWindow(stamps)
    wire.reporter = report.reporter.rawValue
    wire.owner = report.owner.rawValue
    wire.series = report.series
    wire.startsOver = report.startsOver
    wire.firstNumber = report.firstNumber
    wire.userHashes = report.entries.map(\.userHash)
    wire.retractions = report.entries.map(\.isRetraction)
    return wire
  }

  // MARK: Redis' own figures

  private func reset(_ client: RedisClient) async throws { _ = try await client.send(["CONFIG", "RESETSTAT"]) }

  /// Of all scripts since `reset`, in microseconds.
  private func scriptTime(_ client: RedisClient) async throws -> (calls: Int, total: Double) {
    guard case .bulk(let text) = try await client.send(["INFO", "commandstats"]) else {
      throw Failure("INFO commandstats gave no text; is this Redis?")
    }
    let line = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
      .first { $0.hasPrefix("cmdstat_evalsha:") }
    var fields: [Substring: Double] = [:]
    for field in line?.dropFirst("cmdstat_evalsha:".count).split(separator: ",") ?? [] {
      let parts = field.split(separator: "=")
      if parts.count == 2 { fields[parts[0]] = Double(parts[1]) }
    }
    return (Int(fields["calls"] ?? 0), fields["usec"] ?? 0)
  }

  private func storedViewBytes(_ client: RedisClient, _ channel: String) async throws -> Int {
    let meta = channel.replacing(":views", with: ":meta")
    var bytes = 0
    for field in ["settled", "current"] {
      if case .integer(let length) = try await client.send(["HSTRLEN", RedisArgument(meta), RedisArgument(field)]) {
        bytes += Int(length)
      }
    }
    return bytes
  }
}

/// Counts what is published while it runs.
final class Announcements: Sendable {
  private let counting: Task<Int, Never>
  private let running: Task<Void, Never>

  private init(_ counting: Task<Int, Never>, _ running: Task<Void, Never>) {
    self.counting = counting
    self.running = running
  }

  static func start(_ configuration: RedisConfiguration, _ channel: String, _ logger: Logger) async throws
    -> Announcements
  {
    let subscriber = RedisSubscriber(configuration: configuration, channels: [channel], logger: logger)
    let running = Task { await subscriber.run() }
    let (subscribed, continuation) = AsyncStream.makeStream(of: Void.self)
    let counting = Task {
      var bytes = 0
      for await event in subscriber.events {
        switch event {
        case .subscribed: continuation.finish()
        case .message(_, let payload):
          bytes = max(bytes, payload.count)
        case .disconnected: break
        }
      }
      return bytes
    }
    for await _ in subscribed {}
    return Announcements(counting, running)
  }

  /// The largest one, in bytes.
  func stop() async throws -> Int {
    // What was published before the last answer is on its way.
    try await Task.sleep(for: .milliseconds(200))
    running.cancel()
    return await counting.value
  }
}
