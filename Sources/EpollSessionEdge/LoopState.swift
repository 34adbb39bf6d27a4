/// What one loop's thread works on; nobody else sees it.
internal import EdgeEngine
internal import Glibc
internal import Polling
internal import SessionEdge
internal import Synchronization

struct LoopState: ~Copyable {
  let loop: EdgeLoop
  let shared: EdgeShared
  var poller: Poller
  var acceptor: Acceptor?
  var connections = ConnectionSlab()
  var wheel: TimerWheel
  /// Connections with something to produce.
  var dirty: [ConnectionToken] = []
  var stage = Stage.serving
  var openCalls = 0
  /// What the application has not been told yet.
  var written: [EdgeProgress] = []
  var now: Milliseconds

  // One of each for all connections, empty between two steps.
  var input = [UInt8](repeating: 0, count: 64 * 1024)
  var output: [UInt8] = []
  var events: [EngineEvent] = []
  private var ready: [Poller.Ready] = []
  private var commands: [EdgeLoop.Command] = []

  enum Stage {
    case serving
    /// No new connections and calls.
    case leaving
    case stopped
  }

  /// Bytes of output that are encoded at a time.
  static let outputBytes = 64 * 1024

  init(_ loop: EdgeLoop, _ poller: consuming Poller, _ acceptor: Acceptor?) {
    self.loop = loop
    shared = loop.shared
    self.poller = poller
    self.acceptor = acceptor
    now = monotonicMilliseconds()
    wheel = TimerWheel(now: now)
    output.reserveCapacity(Self.outputBytes + 32 * 1024)
  }

  mutating func run() {
    if let acceptor { try? poller.add(acceptor.listener.descriptor, token: Acceptor.token, writable: false) }
    while true {
      performCommands()
      if stage == .stopped { break }
      produceDirty()
      reportWritten()
      signalProgress()
      waitAndServe()
    }
    for connection in connections.all { close(connection, .edgeStopped) }
    for case .adopt(let socket, _) in loop.close() { Glibc.close(socket) }
    loop.drained.succeed(())
    loop.emptied.succeed(())
  }

  // MARK: A turn

  private mutating func waitAndServe() {
    let waits = dirty.isEmpty && loop.mayWait()
    let limit = waits ? wheel.wait(now: monotonicMilliseconds()) ?? 60_000 : 0
    poller.wait(milliseconds: Int32(clamping: limit), into: &ready)
    if waits { loop.hasWaited() }
    now = monotonicMilliseconds()
    // First of all, as clients that wait there are lost when the kernel's queue is full.
    if ready.contains(where: { $0.token == Acceptor.token }) { acceptor?.accept(shared, now: now) }
    for event in ready where event.token != Acceptor.token { serve(event) }
    ready.removeAll(keepingCapacity: true)
    for entry in wheel.due(now: now) { wake(entry) }
  }

  private mutating func serve(_ event: Poller.Ready) {
    guard let connection = connections[ConnectionToken(event.token)] else { return }
    if event.isWritable { roomAgain(connection) }
    if event.isReadable || event.isBroken, connections[connection.token] != nil { read(connection) }
  }

  private mutating func wake(_ entry: TimerWheel.Entry) {
    guard let connection = connections[ConnectionToken(entry.token)], connection.armed == entry.time else { return }
    connection.armed = .max
    // A finished engine has no other deadline.
    guard !connection.lingers else { return close(connection, .connectionLost("")) }
    if connection.stuckFor(now) >= readingPatience {
      return close(connection, .connectionLost("the client reads nothing"))
    }
    // Where this thread was late, and not the client, what was awaited is there by now and only unread.
    if connection.engine.isOverdue(now: now) { read(connection) }
    guard connections[connection.token] != nil else { return }
    connection.engine.timePassed(now: now, into: &output, events: &events)
    settle(connection)
  }

  /// Milliseconds for a client to take something of what is on its way to it. One that sends and does not read would
  /// otherwise pass for alive.
  var readingPatience: Milliseconds { shared.limits.values.keepAliveInterval + shared.limits.values.keepAliveTimeout }

  // MARK: The inbox

  private mutating func performCommands() {
    loop.takeCommands(into: &commands)
    for command in commands { perform(command) }
    commands.removeAll(keepingCapacity: commands.capacity <= 16_384)
  }

  private mutating func perform(_ command: EdgeLoop.Command) {
    switch command {
    case .send(let call, let message, let isAnswer):
      guard let connection = connections[call] else { return }
      connection.engine.send(message, on: call.stream, isAnswer: isAnswer)
      mark(connection)
    case .sendDisplacing(let call, let message, let limit):
      guard let connection = connections[call] else { return }
      connection.engine.send(message, on: call.stream, displacingBeyond: limit, events: &events)
      dispatch(connection)
      mark(connection)
    case .end(let call, let status):
      guard let connection = connections[call] else { return }
      if let last = call.handler?.lastMessage(on: call) { connection.engine.send(last, on: call.stream) }
      connection.engine.end(call.stream, status, now: now)
      arm(connection, connection.engine.nextDeadline)
      mark(connection)
    case .endNow(let call, let status):
      guard let connection = connections[call] else { return }
      connection.engine.endNow(call.stream, status, now: now, events: &events)
      dispatch(connection)
      arm(connection, connection.engine.nextDeadline)
      mark(connection)
    case .adopt(let socket, let address): adopt(socket, address)
    case .goAway: goAway()
    case .shed: shed()
    case .abort: abort()
    case .stop: stage = .stopped
    }
  }

  /// Puts it on the list of those that `produceDirty` visits.
  mutating func mark(_ connection: EdgeConnection) {
    guard !connection.isDirty else { return }
    connection.isDirty = true
    dirty.append(connection.token)
  }

  private mutating func produceDirty() {
    let tokens = dirty
    dirty.removeAll(keepingCapacity: tokens.count <= 16_384)
    for token in tokens {
      guard let connection = connections[token] else { continue }
      connection.isDirty = false
      produce(connection)
    }
  }

  /// Once in a turn for all calls, as the application takes a lock for it.
  mutating func reportWritten() {
    guard !written.isEmpty else { return }
    shared.application.bytesWritten(written)
    written.removeAll(keepingCapacity: written.count <= 16_384)
  }

  /// Milliseconds in which a new connection will have opened a call, if it means to.
  private static let timeToBegin: Milliseconds = 1_000

  private mutating func shed() {
    for connection in connections.all where connection.engine.idleFor(now) >= Self.timeToBegin {
      connection.engine.goAway(into: &output)
      settle(connection)
    }
  }

  // MARK: Stopping

  private mutating func goAway() {
    guard stage == .serving else { return }
    stage = .leaving
    if let acceptor { poller.remove(acceptor.listener.descriptor) }
    acceptor = nil
    for connection in connections.all {
      connection.engine.goAway(into: &output)
      settle(connection)
    }
  }

  private mutating func abort() {
    let status = EdgeStatus(.unavailable, "the server is stopping; connect elsewhere")
    for connection in connections.all {
      connection.engine.abortCalls(status, .edgeStopped, into: &output, events: &events)
      settle(connection)
    }
  }

  private func signalProgress() {
    guard stage == .leaving else { return }
    guard openCalls == 0 else { return }
    loop.drained.succeed(())
    if connections.all.allSatisfy({ $0.unsent.isEmpty && $0.engine.isFinished }) { loop.emptied.succeed(()) }
  }
}

/// Of a clock that nobody sets.
func monotonicMilliseconds() -> Milliseconds { Milliseconds(monotonicNanoseconds() / 1_000_000) }
