internal import BenchResults
internal import Foundation
internal import Logging
internal import Placement
internal import RedisClient
internal import RedisDirectory
internal import Scale
internal import Sessions

/// Names of what is measured; keys as `Keys.swift` has them.
struct MeasuredCluster: Sendable {
  let name: String

  var meta: String { membership("meta") }
  var views: String { membership("views") }

  var membershipKeys: [String] {
    ["meta", "members", "leases", "grace", "load", "waiting", "pending", "departed", "swept"].map(membership)
  }

  func index(_ incarnation: Int) -> String { "pushring:{\(name):i:\(self.incarnation(incarnation))}:index" }
  func records(_ user: Int) -> String { "pushring:{\(name):u:\(self.user(user))}:sessions" }
  func podID(_ number: Int) -> String { "session-manager-\(number)" }
  func incarnation(_ number: Int) -> Incarnation { Incarnation(rawValue: 1_767_000_000_000_000 + UInt64(number)) }

  func key(_ user: Int, device: Int = 0) throws -> SessionKey {
    SessionKey(user: try UserID(self.user(user)), session: try SessionID("device-\(1_000_000_000 + device)"))
  }

  func description(_ number: Int) -> MemberDescription {
    let host = "10.\(number / 62_500).\(number / 250 % 250).\(number % 250)"
    return MemberDescription(
      podID: podID(number), endpoint: "\(host):7400", peerEndpoint: "\(host):7401", weight: 1,
      zone: "zone-\(number % 3)")
  }

  /// Everything of this cluster, and nothing else.
  func clear(_ client: RedisClient) async throws {
    var cursor = "0"
    repeat {
      let reply = try await client.send([
        "SCAN", RedisArgument(cursor), "MATCH", RedisArgument("pushring:{\(name)*"), "COUNT", "1000",
      ])
      guard case .array(let parts) = reply, parts.count == 2, case .bulk(let next) = parts[0],
        case .array(let keys) = parts[1]
      else { throw Failure("SCAN gave something else than keys; is this Redis?") }
      cursor = String(decoding: next, as: UTF8.self)
      let names = keys.compactMap { key in if case .bulk(let name) = key { RedisArgument(name) } else { nil } }
      if !names.isEmpty { _ = try await client.send(RedisCommand(["UNLINK"] + names)) }
    } while cursor != "0"
  }

  private func user(_ number: Int) -> String { "user-\(10_000_000_000 + number)" }
  private func membership(_ key: String) -> String { "pushring:{\(name)}:\(key)" }
}

/// A connection of its own, as each pod has.
struct MeasuredPod: Sendable {
  let configuration: RedisConfiguration
  let client: RedisClient
  let directory: RedisDirectory
  let logger: Logger

  init(_ redis: String, _ cluster: MeasuredCluster) throws {
    var configuration = try RedisConfiguration(url: redis)
    configuration.commandTimeout = .seconds(60)
    let logger = Logger(label: "scale") { _ in SwiftLogNoOpLogHandler() }
    let client = RedisClient(configuration: configuration, logger: logger)
    var settings = DirectorySettings()
    // Nobody renews by itself, and nothing has been lost. The ring is not measured here, and costs Redis nothing.
    (settings.lease, settings.renewalInterval, settings.recoveryWait) = (.seconds(6_000), .seconds(3_000), .zero)
    settings.tokensPerWeight = 1
    self.configuration = configuration
    self.client = client
    self.logger = logger
    directory = RedisDirectory(
      client: client, cluster: try ClusterName(cluster.name), settings: settings, logger: logger)
  }
}

/// Redis' own figures.
final class RedisMeter {
  private let client: RedisClient
  private var cpuBefore = 0.0

  init(client: RedisClient) { self.client = client }

  func description() async throws -> String {
    let version = try await info("server")["redis_version"] ?? "of an unknown version"
    return "measured on Redis \(version), one instance, \(ProcessProbe.machine.processor)"
  }

  func reset() async throws {
    _ = try await client.send(["CONFIG", "RESETSTAT"])
    cpuBefore = try await cpuMicroseconds()
  }

  /// Since `reset`, for each of `calls`.
  func cost(of calls: Int, commands: Double) async throws -> CallCost {
    let cpu = try await cpuMicroseconds() - cpuBefore
    var fields: [Substring: Double] = [:]
    for field in try await info("commandstats")["cmdstat_evalsha"]?.split(separator: ",") ?? [] {
      let parts = field.split(separator: "=")
      if parts.count == 2 { fields[parts[0]] = Double(parts[1]) }
    }
    return CallCost(
      commands: commands, scriptMicroseconds: (fields["usec"] ?? 0) / Double(calls),
      cpuMicroseconds: cpu / Double(calls))
  }

  func usedMemory() async throws -> Double { try await number("memory", "used_memory") }

  /// Of whole values: every element is looked at.
  func memory(of key: String) async throws -> Double {
    guard case .integer(let bytes) = try await client.send(["MEMORY", "USAGE", RedisArgument(key), "SAMPLES", "0"])
    else { return 0 }
    return Double(bytes)
  }

  func memory(of keys: [String]) async throws -> Double {
    var bytes = 0.0
    for key in keys { bytes += try await memory(of: key) }
    return bytes
  }

  func length(of key: String, field: String) async throws -> Double {
    guard case .integer(let bytes) = try await client.send(["HSTRLEN", RedisArgument(key), RedisArgument(field)])
    else { return 0 }
    return Double(bytes)
  }

  func subscribers(of channel: String, reach count: Int) async throws {
    for _ in 0..<200 {
      if case .array(let reply) = try await client.send(["PUBSUB", "NUMSUB", RedisArgument(channel)]), reply.count == 2,
        case .integer(let subscribed) = reply[1], subscribed >= count
      {
        return
      }
      try await Task.sleep(for: .milliseconds(100))
    }
    throw Failure(
      "\(count) subscriptions did not come about in 20 s; are maxclients and the limit of descriptors high enough?")
  }

  private func cpuMicroseconds() async throws -> Double {
    let user = try await number("cpu", "used_cpu_user_main_thread")
    return (user + (try await number("cpu", "used_cpu_sys_main_thread"))) * 1_000_000
  }

  private func number(_ section: String, _ field: String) async throws -> Double {
    guard let number = try await info(section)[field].flatMap(Double.init) else {
      throw Failure("INFO \(section) has no \(field); Redis 6.2 or later is needed")
    }
    return number
  }

  private func info(_ section: String) async throws -> [String: String] {
    guard case .bulk(let text) = try await client.send(["INFO", RedisArgument(section)]) else {
      throw Failure("INFO \(section) gave no text; is this Redis?")
    }
    var fields: [String: String] = [:]
    for line in String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline) {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { fields[String(parts[0])] = String(parts[1]) }
    }
    return fields
  }
}
