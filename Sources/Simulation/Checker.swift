import Placement
import Routing
import Sessions

/// What went wrong, in which step.
public struct Violation: Sendable, CustomStringConvertible {
  public enum Kind: String, Sendable {
    case falseClaim = "a false claim"
    case twoHolders = "two holders of one epoch"
    case missedStream = "a push that reports success missed a stream"
    case strandedByMove = "a move ended a stream before the next was welcomed"
    case toAndFro = "a session moves to and fro"
    case claimAfterRemoval = "a claim after the removal"
    case notSettled = "not settled after the faults"
    case expectation = "an expectation was not met"
  }

  public let kind: Kind
  public let step: Int
  public let time: Duration
  public let message: String

  public var description: String { "step \(step), \(time.text): \(kind.rawValue): \(message)" }
}

/// Knows everything, and is asked after every step whether the promises are kept.
final class Checker {
  private(set) var violation: Violation?
  private var open: [UInt64: [StreamTrace]] = [:]
  /// The registry removed it from the view as its lease was over, and has not taken it back.
  private var removed: Set<Incarnation> = []
  /// Its lease and its grace are over: its streams count as closed.
  private var writtenOff: Set<Incarnation> = []
  private var leaseEndedAt: [Incarnation: Duration] = [:]
  /// As the registry gave it: a stream of an earlier one is only waiting for its end.
  private var newestEpoch: [SessionKey: Epoch] = [:]
  /// Registered for sessions that move, and not welcomed yet.
  private var movesUnderWay: [SessionKey: Set<Epoch>] = [:]
  private(set) var claims = 0
  private(set) var completePushes = 0
  private(set) var pushes = 0

  func openStreams(of userHash: UInt64) -> [StreamTrace] { open[userHash] ?? [] }

  func fail(_ kind: Violation.Kind, _ world: World, _ message: @autoclosure () -> String) {
    guard violation == nil else { return }
    violation = Violation(kind: kind, step: world.steps, time: world.now, message: message())
    world.tell("VIOLATION: \(kind.rawValue): \(violation?.message ?? "")")
  }

  // MARK: What happens

  func opened(_ trace: StreamTrace, _ world: World) {
    for other in open[trace.userHash] ?? []
    where other.key == trace.key && other.record?.epoch == trace.record?.epoch {
      fail(.twoHolders, world, "\(trace.name) on \(trace.process.name) and \(other.name) on \(other.process.name)")
    }
    if let record = trace.record, movesUnderWay[trace.key]?.contains(record.epoch) == true { becameNewest(record) }
    open[trace.userHash, default: []].append(trace)
    for pod in world.pods { if let process = pod.process { probe(process, trace.userHash, world) } }
  }

  func closed(_ trace: StreamTrace) {
    guard trace.welcomedAt != nil else { return }
    open[trace.userHash]?.removeAll { $0 === trace }
  }

  func noted(_ happening: SimulatedRegistry.Happening, _ world: World) {
    let registry = world.server.registry
    switch happening {
    case .joined(let incarnation, let podID):
      world.tell("the registry takes in \(podID) as \(world.story.short(incarnation))")
    case .registered(let record, let isMove):
      world.tell("the registry has \(world.describe(record)) for \(record.key.user)/\(record.key.session)")
      // The old stream counts until the new one is welcomed.
      if isMove {
        movesUnderWay[record.key, default: []].insert(record.epoch)
      } else if movesUnderWay[record.key]?.contains(record.epoch) != true {
        becameNewest(record)
      }
    case .putBack(let record):
      world.tell("the registry has \(world.describe(record)) for \(record.key.user)/\(record.key.session) again")
      newestEpoch[record.key] = record.epoch
    case .resumed(let incarnation):
      removed.remove(incarnation)
      writtenOff.remove(incarnation)
      world.tell("the registry takes back \(world.story.short(incarnation))")
    case .leaseEnded(let incarnation):
      removed.insert(incarnation)
      leaseEndedAt[incarnation] = registry.callClock
      world.tell("the registry ends the lease of \(world.story.short(incarnation))")
    case .departed(let incarnation, let why):
      removed.insert(incarnation)
      world.tell("the registry strikes out \(world.story.short(incarnation)): \(why.rawValue)")
      // A broken rule may end the grace early; then its streams do count.
      let graceEnd = (leaseEndedAt[incarnation] ?? .zero) + world.timing.grace
      if why == .pastGrace, registry.callClock >= graceEnd { writtenOff.insert(incarnation) }
    case .leasesVoided: world.tell("the registry's server is another one: all leases are void")
    case .published(let view): world.tell("the registry publishes \(world.story.describe(view))")
    case .settled(let stamp): world.tell("view \(stamp.version) has settled")
    }
  }

  private func becameNewest(_ record: SessionRecord) {
    movesUnderWay[record.key]?.remove(record.epoch)
    newestEpoch[record.key] = max(newestEpoch[record.key] ?? .none, record.epoch)
  }

  /// The pod ended the stream because the session is elsewhere.
  func takenOver(_ trace: StreamTrace, newEpoch: Epoch, _ world: World) {
    guard movesUnderWay[trace.key]?.contains(newEpoch) == true else { return }
    fail(.strandedByMove, world, "\(trace.name) on \(trace.process.name)")
  }

  // MARK: Claims

  func afterStep(_ world: World) {
    let looksAtAll = world.steps % 32 == 0
    for pod in world.pods {
      guard let process = pod.process, process.isTouched || looksAtAll else { continue }
      process.isTouched = false
      for user in world.users { probe(process, user.hash, world) }
    }
  }

  /// What it would say if it were asked now. One that is stopped says nothing.
  private func probe(_ process: MemberProcess, _ userHash: UInt64, _ world: World) {
    guard !process.isPaused, let claim = process.claim(userHash), claim.isComplete else { return }
    claimed(claim, by: process, userHash, world)
  }

  func claimed(_ claim: Claim, by process: MemberProcess, _ userHash: UInt64, _ world: World) {
    guard claim.isComplete, let incarnation = process.incarnation else { return }
    claims += 1
    if removed.contains(incarnation) {
      fail(.claimAfterRemoval, world, "\(process.name) says complete after it was removed from the view")
    }
    for trace in open[userHash] ?? [] where trace.process !== process && !isPastGrace(trace, world) {
      fail(
        .falseClaim, world,
        "\(process.name) says complete for \(trace.key.user), and \(trace.name) is open on \(trace.process.name)")
    }
  }

  private func isPastGrace(_ trace: StreamTrace, _ world: World) -> Bool {
    if let incarnation = trace.record?.incarnation, writtenOff.contains(incarnation) { return true }
    return trace.process.isPastGrace(trace.process.now)
  }

  // MARK: Pushes

  func pushed(_ push: Push, _ world: World) {
    pushes += 1
    guard let result = push.result, result.completeness == .complete else { return }
    completePushes += 1
    for trace in push.openAtStart.compactMap(\.last) where !isPastGrace(trace, world) {
      // On whichever of its streams the session was then.
      if push.openAtStart.contains(where: { $0.last === trace && $0.isReached(by: push) }) { continue }
      let later = openStreams(of: trace.userHash).contains { other in
        other.key == trace.key && push.reached.contains(other.id)
          && (other.record?.epoch ?? .none) > (trace.record?.epoch ?? .none)
      }
      if later { continue }
      // A later connection of the same device stands for it; and one that was welcomed in an outage of the registry, and is
      // not registered yet, can't be known to a Sender that does reach the registry: a known limit.
      guard let record = trace.record, newestEpoch[trace.key] == record.epoch else { continue }
      fail(
        .missedStream, world,
        "push \(push.number) (\(result.route.rawValue)) missed \(trace.name) on \(trace.process.name)")
    }
  }
}
