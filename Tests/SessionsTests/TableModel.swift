import Placement
import Sessions

/// What a session table has to do, said with dictionaries and in the plainest way.
struct TableModel {
  struct Stream {
    enum State {
      case awaitingHello(deadline: Duration)
      case registering(Hello)
      case live(Hello, SessionRecord, order: Int)
    }

    var state: State
    var queuedBytes = 0
  }

  struct Delivery: Hashable {
    let session: SessionID
    let outcome: Outcome
    let epoch: Epoch
    let stream: StreamID?
  }

  let limits: SessionLimits
  private(set) var streams: [StreamID: Stream] = [:]
  private var outrunBy: [SessionKey: Epoch] = [:]
  private var welcomes = 0

  init(limits: SessionLimits) { self.limits = limits }

  var live: Int { streams.values.count { $0.record != nil } }
  var queuedBytes: Int { streams.values.reduce(0) { $0 + $1.queuedBytes } }
  var records: Set<SessionRecord> { Set(streams.values.compactMap(\.record)) }

  mutating func opened(_ stream: StreamID, now: Duration) -> EndReason? {
    guard limits.sessions == 0 || streams.count < limits.sessions else { return .full }
    streams[stream] = Stream(state: .awaitingHello(deadline: now + limits.helloTimeout))
    return nil
  }

  /// - Returns: nil for `.nothing`.
  mutating func helloReceived(_ stream: StreamID, _ request: HelloRequest) -> (
    hello: Hello?, unregister: SessionRecord?
  )? {
    guard let state = streams[stream]?.state else { return nil }
    guard case .awaitingHello = state, let hello = try? Hello(request, chosenSessionID: "chosen") else {
      return (nil, closed(stream))
    }
    streams[stream]?.state = .registering(hello)
    return (hello, nil)
  }

  mutating func timeouts(now: Duration) -> Set<StreamID> {
    let late = streams.filter {
      guard case .awaitingHello(let deadline) = $0.value.state else { return false }
      return deadline <= now
    }
    for stream in late.keys { forget(stream) }
    return Set(late.keys)
  }

  mutating func registered(_ stream: StreamID, _ record: SessionRecord) -> SessionTable.OnRegistered {
    guard case .registering(let hello) = streams[stream]?.state else { return .gone }
    let current = liveStream(of: record.key)
    if let current, current.epoch > record.epoch {
      forget(stream)
      return .superseded
    }
    if let other = outrunBy[record.key], other > record.epoch {
      let isByThisPod = registering(record.key) > 1
      forget(stream)
      return isByThisPod ? .superseded : .outrun
    }
    if let current { forget(current.stream) }
    welcomes += 1
    streams[stream]?.state = .live(hello, record, order: welcomes)
    forgetOutrun(hello.key)
    return .welcome(hello, replaced: current?.stream)
  }

  mutating func registrationFailed(_ stream: StreamID) -> Bool {
    guard case .registering = streams[stream]?.state else { return false }
    forget(stream)
    return true
  }

  mutating func adopt(_ record: SessionRecord) -> Bool {
    guard let current = liveStream(of: record.key),
      case .live(let hello, let live, let order) = streams[current.stream]?.state,
      live.incarnation == record.incarnation, live.epoch <= record.epoch
    else { return false }
    streams[current.stream]?.state = .live(hello, record, order: order)
    return true
  }

  mutating func closed(_ stream: StreamID) -> SessionRecord? {
    let record = streams[stream]?.record
    forget(stream)
    return record
  }

  mutating func takenOver(_ key: SessionKey, newEpoch: Epoch) -> StreamID? {
    if registering(key) > 0 { outrunBy[key] = max(outrunBy[key] ?? .none, newEpoch) }
    guard let current = liveStream(of: key), current.epoch < newEpoch else { return nil }
    forget(current.stream)
    return current.stream
  }

  // MARK: Delivery

  mutating func deliver(to user: UserID, targets: [DeliveryTarget], size: MessageSize) -> [Delivery] {
    let wanted =
      targets.isEmpty
      ? liveStreams(of: user).map { DeliveryTarget(session: $0, epoch: .none) }
      : targets
    return wanted.map { target in
      guard let current = liveStream(of: SessionKey(user: user, session: target.session)), current.epoch >= target.epoch
      else {
        return Delivery(session: target.session, outcome: .gone, epoch: .none, stream: nil)
      }
      let outcome = outcome(current.stream, size)
      return Delivery(
        session: target.session, outcome: outcome, epoch: current.epoch,
        stream: outcome == .delivered ? current.stream : nil)
    }
  }

  private mutating func outcome(_ stream: StreamID, _ size: MessageSize) -> Outcome {
    guard size.payloadBytes <= limits.messageBytes else { return .refused }
    if queue(stream, size.frameBytes) { return .delivered }
    switch limits.slowPolicy {
    case .dropNewest: return .slow
    case .dropOldest:
      guard queuedBytes + size.frameBytes <= limits.outboundTotalBytes else { return .slow }
      return queue(stream, size.frameBytes, limit: 2 * limits.outboundBytes) ? .delivered : .slow
    case .disconnect:
      forget(stream)
      return .slow
    }
  }

  mutating func queue(_ stream: StreamID, _ bytes: Int, limit: Int? = nil) -> Bool {
    let limit = limit ?? min(limits.outboundBytes, max(0, limits.outboundTotalBytes - queuedBytes) / 16)
    guard let queued = streams[stream]?.queuedBytes, queued == 0 || queued + bytes <= limit else { return false }
    streams[stream]?.queuedBytes += bytes
    return true
  }

  mutating func noticeQueued(_ stream: StreamID, _ bytes: Int) { streams[stream]?.queuedBytes += bytes }

  mutating func written(_ stream: StreamID, _ bytes: Int) {
    if let queued = streams[stream]?.queuedBytes { streams[stream]?.queuedBytes = max(0, queued - bytes) }
  }

  // MARK: Finding

  func registering(_ key: SessionKey) -> Int {
    streams.values.count {
      guard case .registering(let hello) = $0.state else { return false }
      return hello.key == key
    }
  }

  func liveStream(of key: SessionKey) -> (stream: StreamID, epoch: Epoch)? {
    streams.first { $0.value.record?.key == key }.map { ($0.key, $0.value.record!.epoch) }
  }

  private func liveStreams(of user: UserID) -> [SessionID] {
    let live = streams.values.compactMap { stream -> (session: SessionID, order: Int)? in
      guard case .live(_, let record, let order) = stream.state, record.key.user == user else { return nil }
      return (record.key.session, order)
    }
    return live.sorted { $0.order < $1.order }.map(\.session)
  }

  private mutating func forget(_ stream: StreamID) {
    guard let state = streams.removeValue(forKey: stream)?.state else { return }
    if case .registering(let hello) = state { forgetOutrun(hello.key) }
  }

  private mutating func forgetOutrun(_ key: SessionKey) { if registering(key) == 0 { outrunBy[key] = nil } }
}

extension TableModel.Stream {
  var record: SessionRecord? {
    guard case .live(_, let record, _) = state else { return nil }
    return record
  }
}

extension TableModel.Delivery {
  init(_ delivery: SessionDelivery) {
    self.init(
      session: delivery.session, outcome: delivery.outcome, epoch: delivery.epoch, stream: delivery.stream)
  }
}
