import Placement
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

  init(_ id: StreamID, _ client: Client, _ process: MemberProcess) {
    self.id = id
    self.client = client
    self.process = process
    key = client.key
    userHash = client.user.hash
  }

  var name: String { "\(key.user)/\(key.session)#\(id.rawValue)" }

  /// Welcomed, and closed by neither side.
  var isOpen: Bool { welcomedAt != nil && isOpenAtPod && isOpenAtClient }

  func welcomed(_ record: SessionRecord, by process: MemberProcess) {
    self.record = record
    welcomedAt = process.world.now
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

/// A device: keeps one session open, reconnects when its stream ends, and moves when it is asked to.
final class Client {
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
    world.lastStream += 1
    let trace = StreamTrace(StreamID(rawValue: world.lastStream), self, process)
    streams.append(trace)
    world.tell("\(trace.name) connects to \(process.name)")
    world.at(world.network.delay(&world.random), for: process) { [self] in
      // TCP: what was closed before it arrived comes as a connection that ends at once.
      if process.isAlive, trace.isOpenAtClient { process.opened(trace, lastEpoch: epoch) }
    }
    world.at(world.timing.clientPatience) { [self] in
      guard trace.isOpenAtClient, trace.welcomedAt == nil || !process.isAlive else { return }
      close(trace)
      again()
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
    let olds = streams.filter { $0 !== trace && ($0.record?.epoch ?? .none) < record.epoch && $0.welcomedAt != nil }
    guard !olds.isEmpty else { return }
    // Make before break.
    world.at(world.random.duration(.zero ... .milliseconds(300))) { [self] in for old in olds { close(old) } }
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

  func moveAsked(_ trace: StreamTrace) {
    guard trace.isOpenAtClient, wantsSession else { return }
    connect(to: world.placeToConnect(user, isStray: false, besides: trace.process.pod.index))
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
