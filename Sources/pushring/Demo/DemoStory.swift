internal import Administration
internal import Foundation
internal import HashRing
internal import Logging
internal import Placement
internal import RedisDirectory
internal import Sessions
internal import Wire

/// What the demonstration does, in order, and the account that it gives of it.
struct DemoStory: Sendable {
  let cluster: LocalCluster
  let users: Int
  let sessionsPerUser: Int
  let strayEvery: Int
  let logger: Logger

  private var userNames: [String] { (0..<users).map { "user-\($0)" } }

  func tell() async throws {
    let audience = DemoAudience(logger: logger)
    do {
      try await startCluster()
      try await seat(audience)
      try await showPlaces(audience)
      try await comparePushes(audience)
      try await killAPod(audience)
    } catch {
      await audience.leave()
      throw error
    }
    await audience.leave()
    printData("\nEvery session is back and every message arrived.\n")
  }

  // MARK: Chapters

  private func startCluster() async throws {
    printProgress("starting redis-server, \(cluster.pods.count) pods and a Sender …")
    try cluster.startRedis()
    try await cluster.wait(for: "redis-server", limit: .seconds(10)) { (try? await members()) != nil }
    for pod in cluster.pods { try cluster.start(pod) }
    try cluster.startSender()
    try await cluster.wait(for: "the pods to join", limit: .seconds(30)) {
      try await members().count { $0.state == .active } == cluster.pods.count
    }
    printProgress("waiting for the pods to agree on who they are (a new registry takes its lease and two renewals) …")
    try await cluster.wait(for: "the view to settle", limit: .seconds(30)) { try await isSettled() }
    try await cluster.wait(for: "the Sender", limit: .seconds(30)) {
      (try? await pushToAll(["nobody"], DemoWay.all[0], through: cluster.sender)) != nil
    }
  }

  private func seat(_ audience: DemoAudience) async throws {
    let total = users * sessionsPerUser
    printProgress("opening \(total) sessions of \(users) users …")
    let start = ContinuousClock.now
    let view = try await currentView()
    let endpoints = cluster.pods.map(\.endpoint)
    for (index, user) in userNames.enumerated() {
      for number in 0..<sessionsPerUser {
        // As when a load balancer, and not the ring, chose the pod.
        let isStray = strayEvery > 0 && index % strayEvery == 0 && number == sessionsPerUser - 1
        let owner = view.owner(ofUserHash: keyHash(user.utf8))?.description.endpoint
        audience.enter(
          user: user, session: "device-\(number)", endpoints: isStray ? endpoints.filter { $0 != owner } : endpoints,
          stays: isStray)
      }
    }
    try await cluster.wait(for: "all sessions to open", limit: .seconds(60)) {
      if let ended = audience.seats.first(where: { $0.ended != nil }) {
        throw Failure("the session of \(ended.user) ended: \(ended.ended ?? "")")
      }
      return audience.seats.allSatisfy { $0.pod != nil }
    }
    printData("\(total) sessions of \(users) users are open (took \(milliseconds(since: start))).\n\n")
  }

  private func showPlaces(_ audience: DemoAudience) async throws {
    let view = try await currentView()
    let shares = Dictionary(uniqueKeysWithValues: zip(view.ring.members.map(\.id), view.ring.shares()))
    let owners = Dictionary(
      uniqueKeysWithValues: userNames.map { ($0, view.owner(ofUserHash: keyHash($0.utf8))?.podID) })
    var table = TextTable([
      ("POD", .left), ("SHARE OF THE RING", .right), ("USERS OWNED", .right), ("SESSIONS", .right),
      ("OF THEM STRAYS", .right),
    ])
    for pod in view.ring.members.map(\.id) {
      let here = audience.seats.filter { $0.pod == pod }
      table.add([
        pod, String(format: "%.1f %%", (shares[pod] ?? 0) * 100), String(owners.count { $0.value == pod }),
        String(here.count), String(here.count { owners[$0.user] != pod }),
      ])
    }
    printData("Where the sessions are, against the ring:\n\n\(table.text)\n")
  }

  private func comparePushes(_ audience: DemoAudience) async throws {
    printProgress("pushing to every user, by each strategy …")
    var table = TextTable([
      ("STRATEGY", .left), ("PUSHES", .right), ("SESSIONS REACHED", .right), ("RPCS PER PUSH", .right),
      ("REGISTRY READS PER PUSH", .right), ("COMPLETE", .right), ("TOOK", .right),
    ])
    for way in DemoWay.all {
      let before = received(audience)
      let cost = try await pushToAll(userNames, way, through: cluster.sender)
      try await expectArrivals(cost.delivered, since: before, audience, by: way.name)
      if way.strategy != .modulo { try expectAll(cost, audience, by: way.name) }
      table.add(row(way.name, cost, audience.seats.count))
    }
    printData("One push to each user, to all of the user's sessions:\n\n\(table.text)\n")
    printData("modulo knows neither strays nor that pods come and go: what it missed is the reason for the rest.\n")
    printData("ring reads the registry only for users with strays: their owner says so.\n\n")
  }

  private func killAPod(_ audience: DemoAudience) async throws {
    guard let victim = cluster.pods.max(by: { sessions(audience, on: $0) < sessions(audience, on: $1) }) else { return }
    let lost = sessions(audience, on: victim)
    printProgress("killing \(victim.id) with SIGKILL …")
    let start = ContinuousClock.now
    cluster.kill(victim)
    try await cluster.wait(for: "the sessions of \(victim.id) to come back", limit: .seconds(60)) {
      audience.seats.allSatisfy { $0.pod != nil && $0.pod != victim.id }
    }
    printData(
      "\(victim.id) was killed with SIGKILL; its \(lost) sessions were open elsewhere after \(milliseconds(since: start)).\n"
    )
    let before = received(audience)
    let cost = try await pushToAll(userNames, DemoWay.all[0], through: cluster.sender)
    try await expectArrivals(cost.delivered, since: before, audience, by: "ring")
    try expectAll(cost, audience, by: "ring, after the kill")
    printData("The next push to each user reached \(cost.delivered) of \(audience.seats.count) sessions.\n")
  }

  // MARK: Counting

  private func row(_ name: String, _ cost: DemoCost, _ sessions: Int) -> [String] {
    func per(_ amount: Int) -> String { String(format: "%.2f", Double(amount) / Double(max(1, cost.pushes))) }
    return [
      name, String(cost.pushes), "\(cost.delivered) of \(sessions)", per(cost.deliverRPCs), per(cost.registryReads),
      String(cost.complete), String(format: "%.0f ms", cost.milliseconds),
    ]
  }

  private func expectArrivals(_ count: Int, since before: Int, _ audience: DemoAudience, by way: String) async throws {
    try await cluster.wait(for: "the \(count) messages pushed by \(way) to arrive", limit: .seconds(20)) {
      received(audience) - before >= count
    }
  }

  private func expectAll(_ cost: DemoCost, _ audience: DemoAudience, by way: String) throws {
    guard cost.delivered == audience.seats.count else {
      throw Failure(
        "\(way): reached \(cost.delivered) of \(audience.seats.count) sessions, \(cost.notDelivered) not delivered")
    }
  }

  private func received(_ audience: DemoAudience) -> Int { audience.seats.reduce(0) { $0 + $1.received } }

  private func sessions(_ audience: DemoAudience, on pod: LocalCluster.Pod) -> Int {
    audience.seats.count { $0.pod == pod.id }
  }

  private func members() async throws -> [Member] {
    try await cluster.withRegistry { try await $0.window()?.current.members ?? [] }
  }

  private func isSettled() async throws -> Bool {
    guard let window = try await cluster.withRegistry({ try await $0.window() }) else { return false }
    return window.settled.stamp == window.current.stamp
  }

  private func currentView() async throws -> View {
    guard let window = try await cluster.withRegistry({ try await $0.window() }) else {
      throw Failure("the registry has no view")
    }
    return window.current
  }

  private func milliseconds(since start: ContinuousClock.Instant) -> String {
    String(format: "%.0f ms", start.duration(to: .now) / .milliseconds(1))
  }
}
