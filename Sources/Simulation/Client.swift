import Placement
import Rebalancing
import Sessions

/// One stream, as everybody sees it: for the checkers, which know more than any part of the cluster.
final class StreamTrace {
  let id: StreamID
  let key: SessionKey
  let userHash: UInt64
  unowned let client: Client
  let process: MemberProcess
  var record: SessionRecord?
  private(set) var welcomedAt: Duration?
  private(set) var isOpenAtPod = true
  private(set) var isOpenAtClient = true
  /// By which its client came, if it was asked to move.
  let ticket: MoveTicket?
  /// The stream that was welcomed while this one was open, and takes its place.
  private(set) var next: StreamTrace?

  init(_ id: StreamID, _ client: Client, _ process: MemberProcess, ticket: MoveTicket?) {
    self.id = id
    self.client = client
    self.process = process
    self.ticket = ticket
    key = client.key
    userHash = client.user.hash
  }

  var name: String { "\(key.user)/\(key.session)#\(id.rawValue)" }

  /// Welcomed, and closed by neither side.
  var isOpen: Bool { welcomedAt != nil && isOpenAtPod && isOpenAtClient }

  /// What the session is on now without ever having been without a stream; nil when it was.
  var last: StreamTrace? { isOpen ? self : next?.last }

  /// Here, or on a stream that took this one's place.
  func isReached(by push: Push) -> Bool { push.reached.contains(id) || next?.isReached(by: push) ?? false }

  func welcomed(_ record: SessionRecord, by process: MemberProcess) {
    self.record = record
    welcomedAt = process.world.now
    for other in client.streams where other !== self && other.isOpen { other.next = self }
    if isOpen { process.world.checker.opened(self, process.world) }
  }

  func closedAtPod(_ world: World) {
    isOpenAtPod = false
    world.checker.closed(self)
  }

  func closedAtClient(_ world: World) {
    isOpenAtClient = false
    world.checker.closed(self)
  }
}

/// A device: keeps one session open, reconnects when its stream ends, and moves when it is asked to, if it is one that does.
final class Client {
  enum Mobility: String, CaseIterable {
    case moves
    /// Says so in its Hello.
    case cannotMove = "cannot-move"
    /// Says that it moves, and does not.
    case neverReacts = "never-reacts"
    /// Is switched off while it moves.
    case diesMoving = "dies-moving"
  }

  var mobility = Mobility.moves
  /// Welcomed by a move.
  private(set) var moves = 0

  unowned let world: World
  let user: User
  let key: SessionKey
  /// Of its last Welcome.
  private(set) var epoch = Epoch.none
  private(set) var streams: [StreamTrace] = []
  private(set) var wantsSession = false
  private var failures = 0
  private var isWaiting = false

  /// See `World.discard`.
  func discard() { streams = [] }

  init(_ world: World, _ user: User, session: String) {
    self.world = world
    self.user = user
    do { key = SessionKey(user: user.id, session: try SessionID(session)) } catch { fatalError("\(error)") }
  }

  /// To the process that listens at the address, if there is one.
  func connect(to pod: Int) {
    wantsSession = true
    guard let process = world.pods[pod].process else { return again() }
    open(process, ticket: nil, patience: world.timing.clientPatience)
  }

  private func open(_ process: MemberProcess, ticket: MoveTicket?, patience: Duration) {
    world.lastStream += 1
    let trace = StreamTrace(StreamID(rawValue: world.lastStream), self, process, ticket: ticket)
    streams.append(trace)
    world.tell("\(trace.name) \(ticket == nil ? "connects" : "moves") to \(process.name)")
    world.at(world.network.delay(&world.random), for: process) { [self] in
      // TCP: what was closed before it arrived comes as a connection that ends at once.
      if process.isAlive, trace.isOpenAtClient { process.opened(trace, lastEpoch: epoch) }
    }
    world.at(patience) { [self] in
      guard trace.isOpenAtClient, trace.welcomedAt == nil || !process.isAlive else { return }
      close(trace)
      if streams.isEmpty { again() }
    }
  }

  func end() {
    wantsSession = false
    for trace in streams { close(trace) }
  }

  private func close(_ trace: StreamTrace) {
    guard trace.isOpenAtClient else { return }
    trace.closedAtClient(world)
    streams.removeAll { $0 === trace }
    // Found out in the end, whatever the network does.
    world.at(world.network.delay(&world.random), for: trace.process) { trace.process.closed(trace) }
  }

  func welcomed(_ trace: StreamTrace) {
    guard trace.isOpenAtClient, let record = trace.record else { return }
    epoch = max(epoch, record.epoch)
    failures = 0
    if trace.ticket != nil { moves += 1 }
    let olds = streams.filter { $0 !== trace && ($0.record?.epoch ?? .none) < record.epoch && $0.welcomedAt != nil }
    guard !olds.isEmpty else { return }
    // Make before break.
    world.at(world.random.duration(.zero ... .milliseconds(300))) { [self] in
      guard trace.isOpenAtClient else { return }
      for old in olds { close(old) }
    }
  }

  func ended(_ trace: StreamTrace, _ reason: EndReason) {
    guard trace.isOpenAtClient else { return }
    trace.closedAtClient(world)
    streams.removeAll { $0 === trace }
    if streams.isEmpty { again() }
  }

  /// The process is dead, or says nothing any more.
  func connectionsBroke(to process: MemberProcess) {
    let broken = streams.filter { $0.process === process }
    for trace in broken { close(trace) }
    if !broken.isEmpty, streams.isEmpty { again() }
  }

  /// Make before break: what it has stays until the new stream is welcomed.
  func moveAsked(_ trace: StreamTrace, to pod: Int, _ ticket: MoveTicket, deadline: Duration) {
    guard trace.isOpenAtClient, wantsSession, mobility == .moves || mobility == .diesMoving else { return }
    guard let process = world.pods[pod].process else { return }
    open(process, ticket: ticket, patience: deadline)
    guard mobility == .diesMoving else { return }
    world.at(world.random.duration(.zero ... .milliseconds(10))) { [self] in
      world.tell("\(key.user)/\(key.session) is switched off")
      end()
    }
  }

  private func again() {
    guard wantsSession, !isWaiting else { return }
    isWaiting = true
    failures = min(failures + 1, 4)
    let longest = Duration.milliseconds(50) * (1 << failures)
    world.at(world.random.duration(.milliseconds(20)...longest)) { [self] in
      isWaiting = false
      guard wantsSession, streams.isEmpty else { return }
      let isStray = world.random.chance(world.strayShare)
      connect(to: world.placeToConnect(user, isStray: isStray, besides: nil))
    }
  }
}
