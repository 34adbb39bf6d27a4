internal import EdgeEngine
internal import Glibc
internal import Logging
internal import Polling
internal import SessionEdge
internal import Synchronization

extension LoopState {
  /// Milliseconds for the client to read the last words and close.
  private static let linger: Milliseconds = 1_000

  mutating func adopt(_ socket: Int32, _ address: PeerAddress) {
    guard stage == .serving else {
      Glibc.close(socket)
      return forget(shared.kept(address))
    }
    let (limits, now, shared) = (shared.limits, now, shared)
    let connection = connections.insert { token in
      EdgeConnection(token: token, socket: socket, address: shared.kept(address), limits: limits, now: now)
    }
    do {
      try poller.add(socket, token: connection.token.value, writable: false)
    } catch {
      shared.warn("A connection could not be watched", ["error": "\(error)"], now: now)
      return close(connection, .connectionLost("\(error)"))
    }
    arm(connection, connection.engine.nextDeadline)
  }

  private func forget(_ address: PeerAddress?) {
    loop.load.subtract(1, ordering: .relaxed)
    if let address { shared.left(address, now: now) }
  }

  // MARK: Reading

  mutating func read(_ connection: EdgeConnection) {
    let result = input.withUnsafeMutableBytes { SocketIO.read(connection.socket, $0) }
    switch result {
    case .bytes(let count): if !connection.lingers { received(connection, count) }
    case .later: break
    case .ended: close(connection, .connectionLost("the client closed the connection"))
    case .failed(let error): close(connection, .connectionLost("\(error)"))
    }
  }

  private mutating func received(_ connection: EdgeConnection, _ count: Int) {
    var rest = input[..<count]
    while !rest.isEmpty {
      connection.engine.receive(&rest, now: now, into: &output, events: &events)
      dispatch(connection)
    }
    settle(connection)
  }

  /// After each step of an engine: its events, its output, its next deadline, or its end.
  mutating func settle(_ connection: EdgeConnection) {
    dispatch(connection)
    write(connection)
    guard connections[connection.token] != nil else { return }
    if connection.engine.hasOutput, connection.unsent.isEmpty { produce(connection) }
    guard connections[connection.token] != nil else { return }
    if connection.engine.isFinished { return finish(connection) }
    arm(connection, connection.engine.nextDeadline)
    if !connection.unsent.isEmpty { arm(connection, now + readingPatience - connection.stuckFor(now)) }
  }

  mutating func arm(_ connection: EdgeConnection, _ deadline: Milliseconds) {
    guard deadline < connection.armed else { return }
    connection.armed = deadline
    wheel.add(connection.token.value, at: deadline)
  }

  // MARK: Events

  mutating func dispatch(_ connection: EdgeConnection) {
    guard !events.isEmpty else { return }
    // Taken out, because what is performed changes the rest of the loop.
    var batch: [EngineEvent] = []
    swap(&batch, &events)
    for event in batch { perform(event, connection) }
    batch.removeAll(keepingCapacity: batch.count <= 1_024)
    swap(&batch, &events)
  }

  private mutating func perform(_ event: EngineEvent, _ connection: EdgeConnection) {
    switch event {
    case .opened(let stream, let head, let inputEnded): opened(connection, stream, head, inputEnded)
    case .message(let call, let message): tell(call) { $0.messageReceived(Array(message), on: $1) }
    case .inputEnded(let call): tell(call) { $0.inputEnded(of: $1) }
    case .written(let call, let count):
      if let call = call as? EdgeStream { written.append(EdgeProgress(call: call.id, bytes: count)) }
    case .dropped(let call, let count, let bytes): tell(call) { $0.messagesDropped(count, bytes: bytes, on: $1) }
    case .closed(let call, let reason):
      openCalls -= 1
      reportWritten()
      guard let call = call as? EdgeStream else { return }
      call.detach()?.closed(call, reason)
      shared.callEnded(call.id)
    }
  }

  private func tell(_ call: any EngineCall, _ body: (any EdgeCallHandler, EdgeStream) -> Void) {
    if let call = call as? EdgeStream, let handler = call.handler { body(handler, call) }
  }

  private mutating func opened(
    _ connection: EdgeConnection, _ stream: UInt32, _ head: RequestHead, _ inputEnded: Bool
  ) {
    guard shared.methods.contains(head.method) else {
      let status = EdgeStatus(.unimplemented, "there is no method \(head.method)")
      return connection.engine.end(stream, status, now: now)
    }
    let call = EdgeStream(id: shared.nextCall(), connection: connection.token.index, stream: stream, loop: loop)
    connection.engine.attach(call, to: stream)
    openCalls += 1
    let handler = shared.application.callOpened(call, method: head.method, metadata: head.metadata)
    call.attach(handler)
    if handler.takesOneMessage { connection.engine.takeOneMessage(of: stream, now: now) }
    if inputEnded { handler.inputEnded(of: call) }
  }

  // MARK: Writing

  /// Encodes and writes what the engine has, a buffer at most.
  mutating func produce(_ connection: EdgeConnection) {
    guard connection.unsent.isEmpty else { return }
    connection.engine.produce(atMost: Self.outputBytes, into: &output, events: &events)
    dispatch(connection)
    write(connection)
    guard connections[connection.token] != nil else { return }
    if connection.engine.isFinished { return finish(connection) }
    // A call may have ended.
    arm(connection, connection.engine.nextDeadline)
    // The others get their turn before more of this one. A socket that takes no more says when it does.
    if connection.unsent.isEmpty, connection.engine.hasOutput { mark(connection) }
  }

  mutating func roomAgain(_ connection: EdgeConnection) {
    write(connection)
    guard connections[connection.token] != nil else { return }
    if connection.engine.isFinished { finish(connection) } else { produce(connection) }
  }

  /// Writes what is in `output`, behind what did not go before.
  private mutating func write(_ connection: EdgeConnection) {
    defer { output.removeAll(keepingCapacity: output.count <= 2 * Self.outputBytes) }
    let isTaken = connection.unsent.isEmpty ? writeOutput(connection) : writeUnsent(connection)
    guard isTaken else { return close(connection, .connectionLost("the client closed the connection")) }
    expectRoom(connection, !connection.unsent.isEmpty)
    let limit = shared.limits.values.unsentAnswerBytes + Self.outputBytes + 32 * 1024
    if connection.unsent.count > limit { close(connection, .connectionLost("the client does not read its answers")) }
  }

  /// - Returns: false when the connection is broken.
  private func writeOutput(_ connection: EdgeConnection) -> Bool {
    guard !output.isEmpty else { return true }
    guard let count = output.withUnsafeBytes({ SocketIO.write(connection.socket, $0) }) else { return false }
    if count < output.count {
      connection.unsent = Array(output[count...])
      connection.stuckSince = UInt32(truncatingIfNeeded: now)
    }
    return true
  }

  private func writeUnsent(_ connection: EdgeConnection) -> Bool {
    connection.unsent += output
    guard let count = connection.unsent.withUnsafeBytes({ SocketIO.write(connection.socket, $0) }) else { return false }
    if count > 0 { connection.stuckSince = UInt32(truncatingIfNeeded: now) }
    if count == connection.unsent.count { connection.unsent = [] } else { connection.unsent.removeFirst(count) }
    return true
  }

  private mutating func expectRoom(_ connection: EdgeConnection, _ awaits: Bool) {
    guard connection.awaitsRoom != awaits else { return }
    connection.awaitsRoom = awaits
    try? poller.change(connection.socket, token: connection.token.value, writable: awaits)
  }

  // MARK: The end

  /// The engine is done: when its last words are written, the client is told that nothing more comes, and has a moment to
  /// read them.
  private mutating func finish(_ connection: EdgeConnection) {
    if connection.unsent.isEmpty { shutdown(connection.socket, Int32(SHUT_WR)) }
    guard !connection.lingers else { return }
    connection.lingers = true
    connection.armed = .max
    arm(connection, now + Self.linger)
  }

  mutating func close(_ connection: EdgeConnection, _ reason: EdgeCloseReason) {
    guard connections[connection.token] != nil else { return }
    connections.remove(connection)
    Glibc.close(connection.socket)
    forget(connection.address)
    connection.engine.connectionLost(reason, events: &events)
    dispatch(connection)
  }
}
