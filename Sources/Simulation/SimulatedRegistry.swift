import HashRing
import Placement
import Sessions

/// The registry as a value: what the membership scripts (membership.lua and those it goes in front of) and the session
/// scripts do to the keys of one cluster. It is re-stated, not shared, so every change of a script is to be made here.
struct SimulatedRegistry {
  struct Row {
    /// With the weight that holds.
    var description: MemberDescription
    /// What it joined with.
    let ownWeight: Int
    var state: MemberState
    /// 0: filled in when the view is published.
    var since: UInt64
  }

  /// The hash `meta`; there is none in an empty registry.
  struct Meta {
    var runID: UInt64
    /// The registry clock, and TIME at the call that set it.
    var clock: Duration
    var last: Duration
    var newest: UInt64 = 0
    var stamp = ViewStamp.none
    var published: Duration?
    var current: View?
    var settled: View?
    var floor: ViewStamp?
    var settlesFrom = Duration.zero
    var admitsFrom = Duration.zero
  }

  enum Announcement {
    case change(from: ViewStamp, View, settled: ViewStamp)
    case settled(ViewStamp)
  }

  /// What the checkers and the story want to know, and no script says.
  enum Happening {
    case joined(Incarnation, podID: String)
    case registered(SessionRecord, isMove: Bool)
    /// By a move that came to nothing.
    case putBack(SessionRecord)
    case resumed(Incarnation)
    case leaseEnded(Incarnation)
    case departed(Incarnation, Departure)
    case leasesVoided
    case published(View)
    case settled(ViewStamp)
  }

  enum Departure: String {
    case left
    case pastGrace = "past its grace"
    case provenGone = "proven gone"
  }

  var timing: Timing
  var without: Set<BrokenRule>
  var meta: Meta?
  var members: [Incarnation: Row] = [:]
  var leases: [Incarnation: Duration] = [:]
  var grace: [Incarnation: Duration] = [:]
  var waiting: Set<Incarnation> = []
  var pending: Set<Incarnation> = []
  var departed: [Incarnation: Duration] = [:]
  var swept: Set<Incarnation> = []
  var records: [UserID: [SessionID: SessionRecord]] = [:]
  /// Of sessions that are about to move: the records of the streams that live meanwhile.
  var before: [SessionKey: SessionRecord] = [:]
  var index: [Incarnation: Set<SessionKey>] = [:]
  var takeovers: [Incarnation: [PendingTakeover]] = [:]
  var lastTakeover = 0
  var orders: [String: PodOrder] = [:]
  var orderNumber = 0

  /// Of the call being served.
  var now = Duration.zero
  var serverRunID: UInt64 = 0
  private var isDue = false
  var announcements: [Announcement] = []
  var happenings: [Happening] = []
  /// To whom a takeover was reported.
  var takeoverHints: [Incarnation] = []

  init(timing: Timing, without: Set<BrokenRule>) {
    self.timing = timing
    self.without = without
  }

  /// Microseconds since 1970, so that incarnations and epochs look like those of a registry.
  static func microseconds(_ time: Duration) -> UInt64 { 1_700_000_000_000_000 + UInt64(time.wholeMicroseconds) }

  var clock: Duration { meta?.clock ?? now }

  // MARK: The prelude

  mutating func begin() {
    advanceClock()
    checkServer()
    expire()
  }

  /// TIME less silence.
  mutating func advanceClock() {
    guard let meta else { return }
    let elapsed = min(max(now - meta.last, .zero), timing.renewalInterval)
    isDue = elapsed >= timing.renewalInterval / 20 || now < meta.last
    guard isDue else {
      // The script does not write the clock down then, but goes by it in this call.
      return
    }
    self.meta?.clock += elapsed
    self.meta?.last = now
  }

  /// What the script's `clock` is in a call that is not due.
  var callClock: Duration {
    guard let meta else { return now }
    return meta.clock + min(max(now - meta.last, .zero), timing.renewalInterval)
  }

  mutating func checkServer() {
    guard let meta, meta.runID != serverRunID else { return }
    self.meta?.runID = serverRunID
    if !without.contains(.barrier) { voidAllLeases() }
  }

  private mutating func voidAllLeases() {
    for incarnation in leases.keys.sorted() {
      leases[incarnation] = nil
      grace[incarnation] = .zero
      setState(incarnation, .grace)
    }
    for incarnation in grace.keys { grace[incarnation] = callClock + timing.lease + timing.grace }
    waiting.formUnion(members.keys)
    meta?.settled = nil
    holdBack()
    happenings.append(.leasesVoided)
  }

  mutating func expire() {
    guard isDue else { return }
    for (incarnation, end) in Self.inOrder(leases) where end <= callClock {
      leases[incarnation] = nil
      happenings.append(.leaseEnded(incarnation))
      if without.contains(.grace) {
        depart(incarnation, .pastGrace)
        continue
      }
      grace[incarnation] = callClock + timing.grace
      setState(incarnation, .grace)
    }
    for (incarnation, end) in Self.inOrder(grace) where end <= callClock { depart(incarnation, .pastGrace) }
  }

  private static func inOrder(_ scores: [Incarnation: Duration]) -> [(Incarnation, Duration)] {
    scores.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value < $1.value }.map { ($0.key, $0.value) }
  }

  mutating func setMember(_ incarnation: Incarnation, _ row: Row) {
    members[incarnation] = row
    pending.insert(incarnation)
  }

  mutating func setState(_ incarnation: Incarnation, _ state: MemberState) {
    guard var row = members[incarnation] else { return }
    row.state = state
    setMember(incarnation, row)
  }

  mutating func holdBack() {
    guard !without.contains(.barrier), let meta else { return }
    let clock = callClock
    self.meta?.settlesFrom = max(meta.settlesFrom, clock + timing.recoveryWait)
    self.meta?.admitsFrom = max(meta.admitsFrom, clock + timing.lease)
  }

  mutating func depart(_ incarnation: Incarnation, _ why: Departure) {
    members[incarnation] = nil
    leases[incarnation] = nil
    grace[incarnation] = nil
    waiting.remove(incarnation)
    departed[incarnation] = callClock
    pending.insert(incarnation)
    happenings.append(.departed(incarnation, why))
  }

  // MARK: Views

  mutating func settle() {
    guard let meta, let current = meta.current, callClock >= meta.settlesFrom, meta.settled?.stamp != current.stamp,
      waiting.isEmpty
    else { return }
    self.meta?.settled = current
    announcements.append(.settled(current.stamp))
    happenings.append(.settled(current.stamp))
  }

  /// - Returns: how long until pending changes may be published; zero when none are pending.
  mutating func publish() -> Duration {
    guard let meta, !pending.isEmpty else { return .zero }
    if let published = meta.published, now >= published, now - published < timing.gather {
      return timing.gather - (now - published)
    }
    let from = meta.stamp
    let version = max(meta.stamp.version, meta.floor?.version ?? 0) + 1
    for incarnation in pending where members[incarnation]?.since == 0 { members[incarnation]?.since = version }
    let view = view(version, from: from, floor: meta.floor)
    self.meta?.stamp = view.stamp
    self.meta?.current = view
    self.meta?.published = now
    self.meta?.floor = nil
    pending = []
    waiting = Set(members.keys)
    announcements.append(.change(from: from, view, settled: meta.settled?.stamp ?? .none))
    happenings.append(.published(view))
    settle()
    return .zero
  }

  private func view(_ version: UInt64, from: ViewStamp, floor: ViewStamp?) -> View {
    let members = members.keys.sorted().compactMap { incarnation -> Member? in
      guard let row = self.members[incarnation] else { return nil }
      return Member(incarnation: incarnation, description: row.description, state: row.state, since: row.since)
    }
    var digest = Mixer(from.digest)
    digest.mix(floor?.digest ?? 0)
    digest.mix(version)
    for member in members {
      digest.mix(member.incarnation.rawValue)
      digest.mix(member.state.number)
      digest.mix(UInt64(member.description.weight))
      digest.mix(member.since)
    }
    return Self.view(
      ViewStamp(version: version, digest: digest.value), members, timing.tokensPerWeight,
      newest: Incarnation(rawValue: meta?.newest ?? 0))
  }

  static func view(_ stamp: ViewStamp, _ members: [Member], _ tokens: Int, newest: Incarnation) -> View {
    do {
      return try View(stamp: stamp, members: members, tokensPerWeight: tokens, newest: newest)
    } catch {
      fatalError("the simulated members make no ring: \(error)")
    }
  }

  static let noView = view(.none, [], 1, newest: Incarnation(rawValue: 0))

  /// Nil while no view was published.
  var window: Window? {
    guard let current = meta?.current else { return nil }
    return Window(settled: meta?.settled ?? Self.noView, current: current)
  }
}

extension MemberState {
  fileprivate var number: UInt64 {
    switch self {
    case .active: 1
    case .draining: 2
    case .grace: 3
    case .cordoned: 4
    }
  }
}

/// A 64-bit digest of numbers.
struct Mixer {
  private(set) var value: UInt64

  init(_ start: UInt64) { value = start }

  mutating func mix(_ number: UInt64) {
    value = (value ^ number) &* 0x9FB2_1C65_1E98_DF25
    value ^= value >> 32
  }
}
