internal import Foundation
internal import Settings
internal import Wire

/// One way to push, for the comparison.
struct DemoWay: Sendable {
  let name: String
  let strategy: Pushring_V1_Strategy
  let noGrouping: Bool

  static let all = [
    DemoWay(name: "ring", strategy: .ring, noGrouping: false),
    DemoWay(name: "ring, not grouped", strategy: .ring, noGrouping: true),
    DemoWay(name: "directory", strategy: .directory, noGrouping: false),
    DemoWay(name: "directory, not grouped", strategy: .directory, noGrouping: true),
    DemoWay(name: "modulo", strategy: .modulo, noGrouping: false),
  ]
}

/// What pushing once to each user cost and reached.
struct DemoCost: Sendable {
  var pushes = 0
  var delivered = 0
  var complete = 0
  var deliverRPCs = 0
  var registryReads = 0
  var notDelivered = 0
  var milliseconds = 0.0

  mutating func add(_ result: Pushring_V1_PushResult) {
    pushes += 1
    delivered += result.results.count { $0.outcome == .delivered }
    notDelivered += result.results.count { $0.outcome != .delivered }
    complete += result.completeness == .complete ? 1 : 0
    deliverRPCs += Int(result.deliverRpcs)
    registryReads += Int(result.registryReads)
  }
}

/// One push to each user, sixteen under way at a time.
func pushToAll(_ users: [String], _ way: DemoWay, through address: HostAndPort) async throws -> DemoCost {
  try await withPushClient(address) { client in
    // So that the connection is there when the time starts to count.
    _ = try await push(request(to: "nobody", way), with: client, at: address, timeout: .seconds(5))
    let start = ContinuousClock.now
    var cost = try await withThrowingTaskGroup(of: Pushring_V1_PushResult.self) { group in
      var cost = DemoCost()
      for (index, user) in users.enumerated() {
        if index >= 16, let result = try await group.next() { cost.add(result) }
        group.addTask {
          try await push(request(to: user, way), with: client, at: address, timeout: .seconds(5))
        }
      }
      for try await result in group { cost.add(result) }
      return cost
    }
    cost.milliseconds = start.duration(to: .now) / .milliseconds(1)
    return cost
  }
}

private func request(to user: String, _ way: DemoWay) -> Pushring_V1_PushRequest {
  var request = Pushring_V1_PushRequest()
  request.userID = user
  request.payload = Data("\(way.name): hello, \(user)".utf8)
  request.strategy = way.strategy
  request.noGrouping = way.noGrouping
  return request
}
