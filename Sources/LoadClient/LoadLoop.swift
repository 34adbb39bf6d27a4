internal import Glibc
internal import HTTP2Wire
internal import Polling

/// The loop of a `LoadPool`, confined to its thread.
struct LoadLoop: ~Copyable {
  var poller: Poller
  private var ready: [Poller.Ready] = []
  var sessions: [LoadSession] = []
  var endpoints: [LoadEndpoint] = []
  var sessionsPerUser = 1
  var report = LoadReport()
  var receipts = LoadReceipts()
  /// Nil: nothing is measured.
  var measuringSince: UInt64?
  var random: SplitMix
  let dropsEvery: Int
  private let sourceAddress: UInt32
  private var readBuffer = [UInt8](repeating: 0, count: 256 * 1024)
  /// Sessions to connect, in order.
  private var planned: [Int] = []
  private var nextPlanned = 0
  /// Places in `sessions` that moves have left.
  private var free: [Int] = []
  private var connectRate = 0.0
  private var connectsDue = 0.0
  private var lastTurn = monotonicNanoseconds()
  /// Sessions that connect again, by when.
  private var retries: [(time: UInt64, session: Int)] = []
  private var lastLook: UInt64 = 0
  private var churnRate = 0.0
  private var churnDue = 0.0

  /// A Welcome that takes longer is given up.
  private static let patience: UInt64 = 15_000_000_000

  init(sourceAddress: UInt32, seed: UInt64, dropsEvery: Int) throws(SystemCallError) {
    self.dropsEvery = dropsEvery
    poller = try Poller()
    self.sourceAddress = sourceAddress
    random = SplitMix(seed)
  }

  var wake: PollerWake { poller.wake }

  // MARK: Commands

  /// - Returns: false when the loop has to end.
  mutating func perform(_ command: LoadPool.Command) -> Bool {
    switch command {
    case .open(let plan): open(plan)
    case .close(let count): closeSome(count)
    case .churn(let rate): churnRate = rate
    case .startMeasuring:
      receipts = LoadReceipts()
      report.messages = 0
      report.duplicates = 0
      measuringSince = monotonicNanoseconds()
    case .report(let answer): answer(counted())
    case .receipts(let answer): answer(receipts)
    case .stop:
      for index in sessions.indices { disconnect(index) }
      return false
    }
    return true
  }

  private mutating func open(_ plan: LoadPlan) {
    let base = endpoints.count
    endpoints += plan.endpoints.map { LoadEndpoint($0) }
    sessionsPerUser = plan.sessionsPerUser
    for (index, place) in plan.places.enumerated() {
      planned.append(sessions.count)
      sessions.append(
        LoadSession(
          user: plan.firstUser + index / plan.sessionsPerUser, number: index % plan.sessionsPerUser,
          endpoint: base + place))
    }
    connectRate = plan.rate
    connectsDue = 0
  }

  private mutating func closeSome(_ count: Int) {
    var left = count
    for index in sessions.indices.reversed()
    where left > 0 && sessions[index].phase == .live && sessions[index].role == .sole {
      disconnect(index)
      sessions[index].phase = .closed
      left -= 1
    }
  }

  private func counted() -> LoadReport {
    var counted = report
    for session in sessions where session.role != .arriving || session.partner < 0 {
      switch session.phase {
      case .live: counted.live += 1
      case .connecting, .opening: counted.connecting += 1
      case .planned, .waiting: counted.waiting += 1
      case .releasing, .closed: break
      }
    }
    return counted
  }

  // MARK: A turn

  mutating func turn() {
    let now = monotonicNanoseconds()
    let elapsed = Double(now - lastTurn) / 1e9
    lastTurn = now
    connectPlanned(elapsed)
    connectAgain(now)
    churn(elapsed)
    giveUpTheLate(now)
    poller.wait(milliseconds: nextPlanned < planned.count ? 1 : 10, into: &ready)
    for event in ready { handle(event) }
    ready.removeAll(keepingCapacity: true)
  }

  private mutating func connectPlanned(_ elapsed: Double) {
    guard nextPlanned < planned.count else {
      planned = []
      nextPlanned = 0
      return
    }
    connectsDue += connectRate * elapsed
    // All at once still means: no more than the loop can see through at a time.
    while nextPlanned < planned.count, connectRate <= 0 || connectsDue >= 1 {
      connectsDue -= 1
      let index = planned[nextPlanned]
      nextPlanned += 1
      connect(index)
      if connectRate <= 0, nextPlanned % 1_024 == 0 { return }
    }
  }

  private mutating func connectAgain(_ now: UInt64) {
    guard retries.contains(where: { $0.time <= now }) else { return }
    let due = retries.filter { $0.time <= now }
    retries.removeAll { $0.time <= now }
    for retry in due where sessions[retry.session].phase == .waiting { connect(retry.session) }
  }

  private mutating func churn(_ elapsed: Double) {
    guard churnRate > 0, !sessions.isEmpty else { return }
    churnDue += churnRate * elapsed
    while churnDue >= 1 {
      churnDue -= 1
      let index = random.below(sessions.count)
      guard sessions[index].phase == .live, sessions[index].role == .sole else { continue }
      disconnect(index)
      wait(index, base: 200_000_000)
    }
  }

  /// Once a second: who has waited too long for a Welcome.
  private mutating func giveUpTheLate(_ now: UInt64) {
    guard now - lastLook >= 1_000_000_000 else { return }
    lastLook = now
    for index in sessions.indices
    where (sessions[index].phase == .connecting || sessions[index].phase == .opening)
      && now > sessions[index].began + Self.patience
    {
      failed(index, "no Welcome within 15 s")
    }
  }

  // MARK: Connecting

  /// Linux gives `connect` every second port of its range, 14,116 by default, and looks through all of them one by one when
  /// these are used up: a client that has its 14,117th connection from one address does nothing else any more. So others
  /// come from 127.0.1.N, 127.0.2.N and so on.
  private func sourceAddress(of index: Int) -> UInt32 { sourceAddress + UInt32(index / 8_000) << 8 }

  private mutating func connect(_ index: Int, ticket: [UInt8] = []) {
    let now = monotonicNanoseconds()
    sessions[index].began = now
    sessions[index].generation &+= 1
    guard let address = endpoints[Int(sessions[index].endpoint)].address else {
      return failed(index, "\(endpoints[Int(sessions[index].endpoint)].text) is no IPv4 address and port")
    }
    do throws(SystemCallError) {
      let descriptor = try Socket.connecting(to: address, from: sourceAddress(of: index))
      sessions[index].socket = descriptor
      sessions[index].phase = .connecting
      sessions[index].frames = FrameReader(role: .client)
      sessions[index].messages = GRPCMessageReader(maximumMessageSize: 1 << 20)
      sessions[index].output = firstBytes(index, ticket)
      sessions[index].consumed = 0
      sessions[index].awaitsRoom = true
      try poller.add(descriptor, token: token(index), writable: true)
    } catch {
      failed(index, error.description)
    }
  }

  /// Preface, settings, the call and its Hello: sent in one piece as soon as the connection stands.
  private func firstBytes(_ index: Int, _ ticket: [UInt8]) -> [UInt8] {
    let session = sessions[index]
    var output = clientPreface
    FrameWriter.appendSettings([Setting(.enablePush, 0)], to: &output)
    var encoder = HPACKEncoder()
    var headers = HeaderList()
    headers.append(":method", "POST")
    headers.append(":scheme", "http")
    headers.append(":path", "/pushring.v1.Sessions/Connect")
    headers.append(":authority", endpoints[Int(session.endpoint)].text)
    headers.append("te", "trailers")
    headers.append("content-type", "application/grpc")
    FrameWriter.appendHeaders(stream: 1, endStream: false, to: &output) { encoder.encode(headers, into: &$0) }
    appendMessage(
      helloFrame(
        user: LoadPlan.userName(Int(session.user)), session: LoadPlan.sessionName(Int(session.number)),
        epoch: session.epoch, ticket: ticket), to: &output)
    return output
  }

  func appendMessage(_ message: [UInt8], to output: inout [UInt8]) {
    var framed: [UInt8] = []
    GRPCMessageWriter.append(message[...], to: &framed)
    FrameWriter.appendData(framed[...], stream: 1, endStream: false, to: &output)
  }

  private func token(_ index: Int) -> UInt64 { UInt64(sessions[index].generation) << 32 | UInt64(index) }

  // MARK: What became ready

  private mutating func handle(_ event: Poller.Ready) {
    let index = Int(event.token & 0xffff_ffff)
    guard index < sessions.count, sessions[index].socket >= 0, token(index) == event.token else { return }
    if event.isBroken, sessions[index].phase == .connecting {
      return failed(index, "connect: \(SocketIO.pendingError(sessions[index].socket))")
    }
    if event.isWritable {
      if sessions[index].phase == .connecting { sessions[index].phase = .opening }
      flush(index)
    }
    if event.isReadable || event.isBroken { read(index) }
  }

  /// Writes what waits; asks to be told when there is room if some is left.
  mutating func flush(_ index: Int) {
    let descriptor = sessions[index].socket
    guard descriptor >= 0 else { return }
    let written = sessions[index].output.withUnsafeBytes { SocketIO.write(descriptor, $0) }
    guard let written else { return lost(index, "the connection broke") }
    let isDone = written == sessions[index].output.count
    if isDone { sessions[index].output = [] } else { sessions[index].output.removeFirst(written) }
    guard sessions[index].awaitsRoom == isDone else { return }
    sessions[index].awaitsRoom = !isDone
    try? poller.change(descriptor, token: token(index), writable: !isDone)
  }

  /// Queued behind what waits already.
  mutating func send(_ index: Int, _ append: (inout [UInt8]) -> Void) {
    append(&sessions[index].output)
    if sessions[index].phase != .connecting { flush(index) }
  }

  private mutating func read(_ index: Int) {
    while sessions[index].socket >= 0 {
      let count = readBuffer.withUnsafeMutableBytes { SocketIO.read(sessions[index].socket, $0) }
      switch count {
      case .bytes(let count):
        let now = monotonicNanoseconds()
        received(index, readBuffer[0..<count], now)
        if count < readBuffer.count { return }
      case .later: return
      case .ended: return lost(index, "the pod closed the connection")
      case .failed(let error): return lost(index, "the connection broke: \(error)")
      }
    }
  }

  // MARK: Ends

  mutating func lost(_ index: Int, _ reason: String) {
    if sessions[index].phase == .releasing { return released(index) }
    guard sessions[index].phase == .live else { return failed(index, reason) }
    if sessions[index].role == .leaving {
      sessions[Int(sessions[index].partner)].partner = -1
      // The new pod has released it; its Welcome is on its way to us.
      guard !reason.contains("taken-over") else { return released(index) }
      countLost(reason)
      return released(index)
    }
    countLost(reason)
    disconnect(index)
    wait(index, base: 50_000_000)
  }

  private mutating func countLost(_ reason: String) {
    report.lostStreams += 1
    interval(monotonicNanoseconds()) { $0.lostStreams += 1 }
    note(reason)
  }

  mutating func failed(_ index: Int, _ reason: String) {
    note(reason)
    if sessions[index].role == .arriving {
      if sessions[index].partner >= 0 { return staysWhereItWas(index) }
      // There is no old stream any more: it is the session.
      sessions[index].role = .sole
    }
    report.failedConnects += 1
    disconnect(index)
    let failures = min(sessions[index].failures, 6)
    sessions[index].failures = failures + 1
    // Elsewhere the next time.
    if !endpoints.isEmpty { sessions[index].endpoint = Int32(random.below(endpoints.count)) }
    wait(index, base: 50_000_000 << UInt64(failures))
  }

  // MARK: Moves

  /// Make before break: a second entry opens the new stream while this one goes on.
  mutating func move(_ index: Int, to endpoint: Int, ticket: [UInt8]) {
    guard sessions[index].phase == .live, sessions[index].role == .sole, sessions[index].partner < 0 else { return }
    var arriving = LoadSession(
      user: Int(sessions[index].user), number: Int(sessions[index].number), endpoint: endpoint)
    arriving.epoch = sessions[index].epoch
    arriving.role = .arriving
    arriving.partner = Int32(index)
    arriving.generation = 0
    let place: Int
    if let old = free.popLast() {
      arriving.generation = sessions[old].generation
      sessions[old] = arriving
      place = old
    } else {
      place = sessions.count
      sessions.append(arriving)
    }
    sessions[index].role = .leaving
    sessions[index].partner = Int32(place)
    connect(place, ticket: ticket)
  }

  /// Welcomed: the old stream is half-closed, and read to its end.
  mutating func moved(_ index: Int) {
    let old = Int(sessions[index].partner)
    report.moves += 1
    sessions[index].role = .sole
    guard old >= 0 else { return }
    sessions[old].role = .sole
    sessions[old].phase = .releasing
    send(old) { FrameWriter.appendData([], stream: 1, endStream: true, to: &$0) }
  }

  private mutating func staysWhereItWas(_ index: Int) {
    report.failedMoves += 1
    let old = Int(sessions[index].partner)
    sessions[old].role = .sole
    sessions[old].partner = -1
    released(index)
  }

  /// Its place is free for another.
  private mutating func released(_ index: Int) {
    let partner = Int(sessions[index].partner)
    if partner >= 0, sessions[partner].partner == Int32(index) { sessions[partner].partner = -1 }
    disconnect(index)
    sessions[index].phase = .closed
    sessions[index].role = .sole
    sessions[index].partner = -1
    free.append(index)
  }

  private mutating func disconnect(_ index: Int) {
    guard sessions[index].socket >= 0 else { return }
    close(sessions[index].socket)
    sessions[index].socket = -1
    sessions[index].output = []
    sessions[index].frames = FrameReader(role: .client)
    sessions[index].messages = GRPCMessageReader(maximumMessageSize: 1 << 20)
  }

  /// Full jitter.
  private mutating func wait(_ index: Int, base: UInt64) {
    sessions[index].phase = .waiting
    retries.append((monotonicNanoseconds() + UInt64(random.below(Int(base) * 2)), index))
  }

  private mutating func note(_ reason: String) {
    if report.reasons.count < 50 || report.reasons[reason] != nil { report.reasons[reason, default: 0] += 1 }
  }

  // MARK: Measuring

  mutating func interval(_ now: UInt64, _ change: (inout LoadInterval) -> Void) {
    guard let measuringSince, now >= measuringSince else { return }
    let slot = Int((now - measuringSince) / 100_000_000)
    guard slot < 36_000 else { return }
    while receipts.timeline.count <= slot { receipts.timeline.append(LoadInterval()) }
    change(&receipts.timeline[slot])
  }
}

/// Where to connect: parsed once.
struct LoadEndpoint {
  let text: String
  let address: sockaddr_in?

  init(_ text: String) {
    self.text = text
    let parts = text.split(separator: ":")
    var address = sockaddr_in()
    guard parts.count == 2, let port = UInt16(parts[1]), inet_pton(AF_INET, String(parts[0]), &address.sin_addr) == 1
    else {
      self.address = nil
      return
    }
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    self.address = address
  }
}
