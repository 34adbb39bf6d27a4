internal import NIOCore
internal import Routing
internal import Wire

// The queue and the calls in flight of one pod's stream, without the stream: what is taken, batched, answered, and
// what fails when the connection does.
//
// A call waits only where an answer is likely: while the connection is up, and during the first attempt to make it.
// After a failed attempt calls fail at once, with that attempt's reason, until one succeeds; so a dead pod costs its
// callers nothing but the first attempt, which is bounded.

struct PodLinkState {
  enum Phase: Hashable {
    /// The first attempt, or the first after a connection was lost: calls wait. Can become: up, down, closed.
    case connecting
    /// Can become: connecting, down, closed.
    case up
    /// The last attempt failed: calls fail at once. Can become: up, closed.
    case down(String)
    /// The pod left the view.
    case closed
  }

  struct Limits {
    var calls: Int
    var queuedBytes: Int
    var batchCalls: Int
    var batchBytes: Int
  }

  private(set) var phase: Phase = .connecting
  let podID: String
  let limits: Limits
  private var queue = CircularBuffer<Queued>()
  private var queuedBytes = 0
  private var inFlight: [UInt64: PodCall] = [:]
  private var lastCorrelation: UInt64 = 0
  /// Sent and not answered, cancelled ones included: the pod owes that many answers.
  private var owed = 0
  /// Since when the pod owes answers and gave none.
  private var owesSince: ContinuousClock.Instant?

  private struct Queued {
    let correlation: UInt64
    let call: PodCall
  }

  enum Submission {
    case queued(UInt64)
    case failed(CallFailure)
  }

  typealias Reply = @Sendable (Result<PodAnswer, CallFailure>) -> Void

  init(podID: String, limits: Limits) {
    self.podID = podID
    self.limits = limits
  }

  mutating func submit(_ call: PodCall) -> Submission {
    switch phase {
    case .down(let reason): return .failed(unreachable(reason, mayHaveArrived: false))
    case .closed: return .failed(unreachable("it left the cluster", mayHaveArrived: false))
    case .connecting, .up: break
    }
    guard queue.count + owed < limits.calls, queuedBytes < limits.queuedBytes else {
      return .failed(
        CallFailure(
          kind: .refused, mayHaveArrived: false,
          detail: "\(queue.count + owed) calls wait for pod \(podID) already; try again after a pause"))
    }
    lastCorrelation += 1
    queue.append(Queued(correlation: lastCorrelation, call: call))
    queuedBytes += call.message.size
    return .queued(lastCorrelation)
  }

  /// The next frame, or nil when nothing waits. A message that several calls share is in it once.
  mutating func takeBatch(now: ContinuousClock.Instant) -> Pushring_V1_DeliverBatch? {
    guard phase == .up, !queue.isEmpty else { return nil }
    var batch = Pushring_V1_DeliverBatch()
    var indices: [ObjectIdentifier: Int] = [:]
    var bytes = 0
    while let next = queue.first, batch.requests.count < limits.batchCalls {
      let message = next.call.message
      let isNew = indices[ObjectIdentifier(message)] == nil
      if isNew && bytes > 0 && bytes + message.size > limits.batchBytes { break }
      queue.removeFirst()
      queuedBytes -= message.size
      let index = indices[ObjectIdentifier(message)] ?? batch.messages.count
      if isNew {
        indices[ObjectIdentifier(message)] = index
        batch.messages.append(message.wire)
        bytes += message.size
      }
      batch.requests.append(next.call.request(correlation: next.correlation, messageIndex: index))
      inFlight[next.correlation] = next.call
    }
    if owed == 0 { owesSince = now }
    owed += batch.requests.count
    return batch
  }

  /// The call that an answer belongs to; nil when it was cancelled.
  mutating func answered(_ correlation: UInt64, now: ContinuousClock.Instant) -> Reply? {
    owed = max(0, owed - 1)
    owesSince = owed > 0 ? now : nil
    return inFlight.removeValue(forKey: correlation)?.reply
  }

  /// Nobody waits for the answer any more. A call that was not sent yet is not sent.
  mutating func cancel(_ correlation: UInt64) {
    if inFlight.removeValue(forKey: correlation) != nil { return }
    guard let index = queue.firstIndex(where: { $0.correlation == correlation }) else { return }
    queuedBytes -= queue[index].call.message.size
    queue.remove(at: index)
  }

  mutating func connected() {
    guard phase != .closed else { return }
    phase = .up
  }

  /// The connection was lost, or an attempt to make it failed. Returns whom to tell.
  /// - Parameter retriesAtOnce: the connection had served; the next attempt follows without a pause.
  mutating func failed(_ reason: String, retriesAtOnce: Bool) -> [(Reply, CallFailure)] {
    switch phase {
    case .up where retriesAtOnce: phase = .connecting
    case .up, .connecting, .down: phase = .down(reason)
    case .closed: break
    }
    return takeAll(reason)
  }

  mutating func close() -> [(Reply, CallFailure)] {
    phase = .closed
    return takeAll("it left the cluster")
  }

  func isStalled(now: ContinuousClock.Instant, limit: Duration) -> Bool {
    guard let owesSince, phase == .up else { return false }
    return owesSince.duration(to: now) > limit
  }

  private mutating func takeAll(_ reason: String) -> [(Reply, CallFailure)] {
    let sent = inFlight.values.map { ($0.reply, unreachable(reason, mayHaveArrived: true)) }
    let unsent = queue.map { ($0.call.reply, unreachable(reason, mayHaveArrived: false)) }
    inFlight = [:]
    queue = CircularBuffer()
    queuedBytes = 0
    owed = 0
    owesSince = nil
    return sent + unsent
  }

  private func unreachable(_ reason: String, mayHaveArrived: Bool) -> CallFailure {
    let fate = mayHaveArrived ? "the message may have arrived" : "the message was not sent"
    return CallFailure(
      kind: .unreachable, mayHaveArrived: mayHaveArrived, detail: "pod \(podID): \(reason); \(fate)")
  }
}
