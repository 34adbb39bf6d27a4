import Placement
import Routing
import Sessions

/// One schedule, run to its end: the entry to everything else here.
public struct Simulation: Sendable {
  public struct Result: Sendable {
    public let seed: UInt64
    public let violation: Violation?
    public let steps: Int
    /// Virtual.
    public let duration: Duration
    public let claims: Int
    public let pushes: Int
    public let completePushes: Int
    /// Sessions that followed a pod's request to move, and were welcomed.
    public let moves: Int
    /// Of all that happened: equal for equal runs.
    public let digest: UInt64
    /// Empty unless it was asked for.
    public let story: [String]
  }

  /// Runs the schedule of this seed. One that fails is run a second time to tell its story.
  public static func run(seed: UInt64, _ options: SimulationOptions = .init()) -> Result {
    let result = run(seed: seed, options, isKept: options.isVerbose)
    guard result.violation != nil, !options.isVerbose else { return result }
    return run(seed: seed, options, isKept: true)
  }

  /// Runs a story; its one schedule is always told.
  public static func run(_ scenario: Scenario, without: Set<BrokenRule> = []) -> Result {
    let story = Story(isKept: true)
    let world = ScenarioRun.world(scenario, without: without, story: story)
    defer { world.discard() }
    ScenarioRun(world, scenario).run()
    return result(seed: 1, world, story)
  }

  private static func run(seed: UInt64, _ options: SimulationOptions, isKept: Bool) -> Result {
    let story = Story(isKept: isKept)
    let world = RandomSchedule.world(seed: seed, options: options, story: story)
    defer { world.discard() }
    let schedule = RandomSchedule(world, options)
    schedule.start()
    while world.steps < options.steps, world.checker.violation == nil, world.step(until: .seconds(3_600)) {}
    if world.checker.violation == nil {
      schedule.end()
      Recovery(world).run()
    }
    return result(seed: seed, world, story)
  }

  private static func result(seed: UInt64, _ world: World, _ story: Story) -> Result {
    var digest = Mixer(seed)
    for number in [world.steps, Int(world.now.wholeMicroseconds), world.checker.claims, world.pushes] {
      digest.mix(UInt64(number))
    }
    digest.mix(world.random.next())
    return Result(
      seed: seed, violation: world.checker.violation, steps: world.steps, duration: world.now,
      claims: world.checker.claims, pushes: world.checker.pushes, completePushes: world.checker.completePushes,
      moves: world.clients.reduce(0) { $0 + $1.moves },
      digest: digest.value, story: story.lines)
  }

  /// For people: what went wrong, how it came about, and how to see it again.
  public static func report(_ result: Result, _ options: SimulationOptions, lines: Int = 40) -> String {
    guard let violation = result.violation else { return "seed \(result.seed): no violation" }
    let rules = options.without.map { " --without \($0.rawValue)" }.sorted().joined()
    let wait = options.hasLongRecoveryWait ? "" : " --short-recovery-wait"
    return """
      seed \(result.seed), \(violation)
      The last \(min(lines, result.story.count)) of \(result.story.count) events:
      \(result.story.suffix(lines).map { "  " + $0 }.joined(separator: "\n"))
      See it again: pushring simulate --first \(result.seed) --seeds 1 --steps \(options.steps)\(rules)\(wait) --lines 10000
      """
  }
}

/// Once the faults have stopped, everything has to come to rest, and pushes cost one call.
struct Recovery {
  let world: World

  init(_ world: World) { self.world = world }

  func run() {
    let timing = world.timing
    let end = world.now + (timing.lease + timing.grace) * 3 + timing.recoveryWait
    while world.checker.violation == nil {
      advance(by: .seconds(1))
      if world.unsettled().isEmpty { break }
      if world.now >= end {
        let problems = world.unsettled()
        world.checker.fail(.notSettled, world, problems.joined(separator: "; "))
      }
    }
    guard world.checker.violation == nil else { return }
    stayAtHome()
    guard world.checker.violation == nil else { return }
    pushToEveryone()
  }

  /// Every session that can goes where it belongs, and then nothing moves any more.
  private func stayAtHome() {
    let end = world.now + Self.longestWayHome
    let before = world.clients.map(\.moves)
    while world.checker.violation == nil, !world.strays().isEmpty || !world.unsettled().isEmpty {
      if world.now >= end {
        let problems = world.strays() + world.unsettled()
        world.checker.fail(.notSettled, world, problems.joined(separator: "; "))
      }
      advance(by: .milliseconds(500))
    }
    advance(by: world.timing.moveInterval * 6)
    for (client, moves) in zip(world.clients, before) where client.moves - moves > Self.mostMoves {
      world.checker.fail(
        .toAndFro, world,
        "\(client.key.user)/\(client.key.session) moved \(client.moves - moves) times in a quiet cluster")
    }
  }

  /// A session that failed to move while the cluster came to rest is asked again half a minute later, or a minute.
  private static let longestWayHome = Duration.seconds(150)
  private static let mostMoves = 2

  private func advance(by duration: Duration) {
    let end = world.now + duration
    while world.checker.violation == nil, world.step(until: end) {}
  }

  private func pushToEveryone() {
    // The Senders have polled by then.
    advance(by: world.timing.pollInterval + world.timing.registryTimeout)
    guard world.checker.violation == nil, let sender = world.senders.first else { return }
    for user in world.users {
      sender.push(to: user) { [world] push in
        let open = world.checker.openStreams(of: user.hash)
        guard let result = push.result, !open.isEmpty else { return }
        let owner = world.server.registry.meta?.current?.owner(ofUserHash: user.hash)?.incarnation
        let isAtHome = open.allSatisfy { $0.record?.incarnation == owner }
        if result.completeness != .complete {
          world.checker.fail(.notSettled, world, "a push to \(user.id) is not complete: \(result.reason)")
        } else if isAtHome, result.deliverRPCs != 1 || result.registryReads != 0 {
          world.checker.fail(
            .notSettled, world,
            "a push to \(user.id), all at home, cost \(result.deliverRPCs) calls and \(result.registryReads) reads")
        }
      }
    }
    advance(by: world.timing.pushTimeout)
  }
}
