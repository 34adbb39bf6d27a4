import HashRing
import Placement
import Routing
import Sessions
import Testing

/// Random clusters, placements and faults; every push is held to its promises. A failure names the seed.
@Suite struct RouteModelTests {
  @Test(arguments: 0..<2_000) func aPushKeepsItsPromises(seed: UInt64) throws {
    var model = try RouteModel(seed: seed)
    let result = try #require(try model.run(), "seed \(seed): the push never finished")
    #expect(Set(result.results.map(\.session)).count == result.results.count, "seed \(seed): a session listed twice")
    #expect(result.deliverRPCs == model.calls, "seed \(seed)")
    #expect(result.registryReads == model.reads && result.registryReads <= 4, "seed \(seed)")
    for listed in result.results where listed.outcome == .delivered {
      #expect(model.received.contains(listed.session), "seed \(seed): \(listed.session) got nothing")
    }
    guard result.completeness == .complete else { return }
    for session in model.steadySessions {
      #expect(model.received.contains(session), "seed \(seed): complete, but \(session) was missed")
    }
    let listed = Set(result.results.map(\.session))
    #expect(listed.isSuperset(of: model.steadySessions), "seed \(seed): complete, but a session is not listed")
  }

  @Test func someRandomPushesAreCompleteAndSomeAreNot() throws {
    var counts: [Completeness: Int] = [:]
    for seed in 0..<UInt64(500) {
      var model = try RouteModel(seed: seed)
      if let result = try model.run() { counts[result.completeness, default: 0] += 1 }
    }
    #expect(counts[.complete, default: 0] > 100)
    #expect(counts[.unknown, default: 0] > 50)
  }
}

/// Pods with sessions of one user, a registry, and faults; the sessions may move while the push is under way.
private struct RouteModel {
  private var random: SplitMix
  private let window: Window
  private var place: [SessionID: (pod: Int, epoch: UInt64)] = [:]
  private let deadPods: Set<Int>
  private let registryFails: Bool
  private let ownerVouches: Bool
  private var pending: [RouteEvent] = []
  private var route: PushRoute
  private(set) var received: Set<SessionID> = []
  private(set) var calls = 0
  private(set) var reads = 0

  init(seed: UInt64) throws {
    random = SplitMix(state: seed)
    let pods = Int.random(in: 1...6, using: &random)
    window = try RoutingTests.window(1...pods)
    let hash = random.next()
    var dead: Set<Int> = []
    for pod in 1...pods where Int.random(in: 0..<8, using: &random) == 0 { dead.insert(pod) }
    deadPods = dead
    registryFails = Int.random(in: 0..<8, using: &random) == 0
    let owner = Int(window.current.owner(ofUserHash: hash)?.incarnation.rawValue ?? 0)
    let sticksToOwner = Bool.random(using: &random)
    for index in 0..<Int.random(in: 0...6, using: &random) {
      let pod = sticksToOwner ? owner : Int.random(in: 1...pods, using: &random)
      place[try session("s\(index)")] = (pod, UInt64.random(in: 1...9, using: &random))
    }
    let isAllAtOwner = place.values.allSatisfy { $0.pod == owner }
    ownerVouches = isAllAtOwner && Bool.random(using: &random)
    route = PushRoute(
      RouteRequest(
        strategy: Bool.random(using: &random) ? .ring : .directory, groupsByPod: Bool.random(using: &random),
        userHash: hash, window: window))
  }

  /// Sessions that were there throughout. One that moved counts as well: it was always somewhere.
  var steadySessions: Set<SessionID> { Set(place.keys) }

  mutating func run() throws -> RouteResult? {
    var directives = route.start()
    for _ in 0..<200 {
      for directive in directives {
        if case .finish(let result) = directive { return result }
        perform(directive)
      }
      disturb()
      guard !pending.isEmpty else { return nil }
      let event = pending.remove(at: Int.random(in: 0..<pending.count, using: &random))
      directives = route.handle(event)
    }
    return nil
  }

  private mutating func perform(_ directive: RouteDirective) {
    switch directive {
    case .finish: break
    case .readRecords:
      reads += 1
      pending.append(registryFails ? .recordsFailed("away") : .recordsRead(records()))
      if Int.random(in: 0..<4, using: &random) == 0 { pending.append(.ownerIsLate) }
    case .refreshView: pending.append(.viewRefreshed(window))
    case .deliver(let id, let member, let targets):
      calls += 1
      pending.append(deliver(id, member, targets))
    }
  }

  private func records() -> [SessionRecord] {
    place.compactMap { try? record($0.key.text, at: $0.value.pod, epoch: $0.value.epoch) }
  }

  private mutating func deliver(_ id: CallID, _ member: Member, _ targets: CallTargets) -> RouteEvent {
    let pod = Int(member.incarnation.rawValue)
    guard !deadPods.contains(pod) else {
      return .callFailed(id, CallFailure(kind: .unreachable, mayHaveArrived: false, detail: "dead"))
    }
    var outcomes: [CallOutcome] = []
    switch targets {
    case .allSessions:
      for (session, at) in place where at.pod == pod { outcomes.append(take(session, at.epoch)) }
    case .sessions(let targets):
      for target in targets {
        if let at = place[target.session], at.pod == pod, at.epoch >= target.epoch.rawValue {
          outcomes.append(take(target.session, at.epoch))
        } else {
          outcomes.append(CallOutcome(session: target.session, outcome: .gone, epoch: .none))
        }
      }
    }
    let isAllHere = place.values.allSatisfy { $0.pod == pod }
    return .answered(
      id,
      CallAnswer(
        sessions: outcomes, isComplete: targets == .allSessions && ownerVouches && isAllHere,
        stamps: window.stamps))
  }

  private mutating func take(_ session: SessionID, _ epoch: UInt64) -> CallOutcome {
    received.insert(session)
    return CallOutcome(session: session, outcome: .delivered, epoch: Epoch(rawValue: epoch))
  }

  /// A session moves to another live pod, with a larger epoch.
  private mutating func disturb() {
    guard Int.random(in: 0..<6, using: &random) == 0, let session = place.keys.sorted(by: { $0.text < $1.text }).first,
      let at = place[session]
    else { return }
    let pods = window.current.members.map { Int($0.incarnation.rawValue) }
    guard let pod = pods.filter({ !deadPods.contains($0) }).randomElement(using: &random) else { return }
    place[session] = (pod, at.epoch + 1)
  }
}

private struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
