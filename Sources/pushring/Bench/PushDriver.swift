internal import BenchResults
internal import Foundation
internal import GRPCCore
internal import LoadClient
internal import Polling
internal import Settings
internal import Synchronization
internal import Wire

/// Pushes to users at a rate, or as fast as it goes, and what each push reported.
///
/// Open loop: a push is due at its time whether earlier ones have been answered or not, and its message carries that time;
/// so a server that stalls makes every push that was due meanwhile late, and not only the one that it held up.
final class PushDriver: Sendable {
  struct Plan: Sendable {
    var sender: HostAndPort
    var users: Int
    var options: BenchOptions.PushSettings
    var seed: UInt64
    /// To one user after the other, from the first, instead of to anybody.
    var isInTurn = false
    /// For `--mode deliver`.
    var pods: [PodPart] = []
  }

  /// What the Sender said of all pushes.
  struct Account: Sendable {
    var pushes = 0
    var failed = 0
    var complete = 0
    var deliverRPCs = 0
    var registryReads = 0
    /// By push: bit `n` when session `n` of the user was reported as delivered.
    var delivered: [UInt64] = []
    /// Of the Sender's answer, from when the push was due.
    var answers = LatencyHistogram()
    var reasons: [String: Int] = [:]
  }

  let plan: Plan
  private let account = Mutex(Account())
  let isStopping = Atomic(false)
  private let choose: UserChoice
  private var isShared: Bool { plan.options.mode == .many }

  init(_ plan: Plan) {
    self.plan = plan
    choose = UserChoice(users: plan.users, zipf: plan.options.zipf)
  }

  func stop() { isStopping.store(true, ordering: .relaxed) }

  var soFar: Account { account.withLock { $0 } }

  /// Forgets what was counted, e.g. after the warm-up. Pushes under way are counted from 0 on again, so stop first.
  func run() async throws {
    let rate = plan.options.rate
    try await withPushClient(plan.sender) { client in
      switch plan.options.mode {
      case .stream: try await self.stream(client, rate: rate)
      case .unary, .many: try await self.calls(client, rate: rate)
      case .deliver: try await self.deliver()
      }
    }
  }

  /// The next push: its number, user, due time and request.
  private func next(_ random: inout SplitMix, due: UInt64) -> (number: Int, request: Pushring_V1_PushRequest) {
    let number = nextNumber()
    let user = plan.isInTurn ? number % plan.users : choose.user(random.unit())
    var request = Pushring_V1_PushRequest()
    request.userID = LoadPlan.userName(user)
    request.payload = Data(
      LoadMessage(due: due, push: UInt32(number), isShared: isShared).payload(count: plan.options.size))
    request.strategy = plan.options.strategy.wire
    request.noGrouping = plan.options.strategy == .directory
    return (number, request)
  }

  func nextNumber() -> Int {
    account.withLock { account in
      account.delivered.append(0)
      return account.delivered.count - 1
    }
  }

  func answered(_ number: Int, _ due: UInt64, _ result: Pushring_V1_PushResult) {
    let now = monotonicNanoseconds()
    var delivered: UInt64 = 0
    for session in result.results where session.outcome == .delivered {
      if let index = Int(session.sessionID.dropFirst()), index < 64 { delivered |= 1 << UInt64(index) }
    }
    account.withLock { account in
      account.pushes += 1
      guard result.error.code == 0 else {
        account.failed += 1
        account.reasons[result.error.message, default: 0] += 1
        return
      }
      account.delivered[number] = delivered
      account.complete += result.completeness == .complete ? 1 : 0
      account.deliverRPCs += Int(result.deliverRpcs)
      account.registryReads += Int(result.registryReads)
      account.answers.record(now > due ? (now - due) / 1_000 : 0)
    }
  }

  private func failed(_ reason: String, _ count: Int = 1) {
    account.withLock { account in
      account.pushes += count
      account.failed += count
      if account.reasons.count < 20 || account.reasons[reason] != nil { account.reasons[reason, default: 0] += count }
    }
  }

  // MARK: One stream

  private func stream(_ client: PushClient, rate: Double) async throws {
    let dues = Mutex<[UInt64]>([])
    let permits = Permits(rate > 0 ? 100_000 : plan.options.concurrency)
    try await client.pushStream { writer in
      var random = SplitMix(self.plan.seed)
      var pace = Pace(rate: rate)
      while !self.isStopping.load(ordering: .relaxed) {
        let due = await pace.next()
        await permits.take()
        guard !self.isStopping.load(ordering: .relaxed) else {
          permits.give()
          break
        }
        var requests = [self.nextOfStream(&random, due, dues)]
        // Those that are due as well share a write.
        while requests.count < 64, permits.takeIfFree() {
          guard let due = pace.nextIfDue() else {
            permits.give()
            break
          }
          requests.append(self.nextOfStream(&random, due, dues))
        }
        try await writer.write(contentsOf: requests)
      }
      // What is under way is answered, within a push's time.
      for _ in 0..<300 where permits.taken > 0 { try await Task.sleep(for: .milliseconds(20)) }
    } onResponse: { response in
      for try await answer in response.messages {
        let due = dues.withLock { $0[Int(answer.correlation)] }
        self.answered(Int(answer.correlation), due, answer.result)
        permits.give()
      }
    }
  }

  private func nextOfStream(
    _ random: inout SplitMix, _ due: UInt64, _ dues: borrowing Mutex<[UInt64]>
  ) -> Pushring_V1_PushStreamRequest {
    let (number, push) = next(&random, due: due)
    dues.withLock { $0.append(due) }
    var request = Pushring_V1_PushStreamRequest()
    request.correlation = UInt64(number)
    request.push = push
    return request
  }

  // MARK: Calls

  private func calls(_ client: PushClient, rate: Double) async throws {
    let permits = Permits(rate > 0 ? 4_096 : plan.options.concurrency)
    let perCall = plan.options.mode == .many ? plan.options.fanOut : 1
    var random = SplitMix(plan.seed)
    var pace = Pace(rate: rate / Double(perCall))
    await withDiscardingTaskGroup { group in
      while !isStopping.load(ordering: .relaxed) {
        let due = await pace.next()
        await permits.take()
        if isStopping.load(ordering: .relaxed) { break }
        let pushes = (0..<perCall).map { _ in next(&random, due: due) }
        group.addTask {
          await self.call(client, pushes, due)
          permits.give()
        }
      }
    }
  }

  private func call(_ client: PushClient, _ pushes: [(number: Int, request: Pushring_V1_PushRequest)], _ due: UInt64)
    async
  {
    var options = CallOptions.defaults
    options.timeout = .seconds(10)
    do {
      if plan.options.mode == .unary {
        answered(pushes[0].number, due, try await client.push(pushes[0].request, options: options))
        return
      }
      // One payload for all: it belongs to the first push, so only that one is looked for.
      var request = Pushring_V1_PushManyRequest()
      request.userIds = pushes.map(\.request.userID)
      request.payload = pushes[0].request.payload
      request.strategy = plan.options.strategy.wire
      request.noGrouping = plan.options.strategy == .directory
      let response = try await client.pushMany(request, options: options)
      for (push, result) in zip(pushes, response.results) { answered(push.number, due, result) }
    } catch {
      failed("\(error)", pushes.count)
    }
  }
}

extension BenchStrategy {
  var wire: Pushring_V1_Strategy {
    switch self {
    case .ring: .ring
    case .directory, .directoryGrouped: .directory
    case .modulo: .modulo
    }
  }
}

/// When the next push is due.
struct Pace {
  private let interval: Double
  private var nextDue: Double?

  /// - Parameter rate: per second; 0: at once.
  init(rate: Double) { interval = rate > 0 ? 1e9 / rate : 0 }

  /// Returns when it is due, with the time at which it was.
  mutating func next() async -> UInt64 {
    guard interval > 0 else { return monotonicNanoseconds() }
    let now = Double(monotonicNanoseconds())
    let due = nextDue ?? now
    nextDue = due + interval
    if due - now > Self.shortest { try? await Task.sleep(for: .nanoseconds(Int64(due - now))) }
    return UInt64(due)
  }

  /// The same, but nil when it is not due yet.
  mutating func nextIfDue() -> UInt64? {
    let now = Double(monotonicNanoseconds())
    guard interval > 0 else { return UInt64(now) }
    guard let due = nextDue, due - now <= Self.shortest else { return nil }
    nextDue = due + interval
    return UInt64(due)
  }

  /// Shorter pauses than the timer can keep, in nanoseconds: they are made up for by the ones after.
  private static let shortest = 200_000.0
}

/// A bounded number of pushes under way.
final class Permits: Sendable {
  private struct State {
    var left: Int
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let state: Mutex<State>
  private let total: Int

  init(_ count: Int) {
    total = count
    state = Mutex(State(left: count))
  }

  var taken: Int { state.withLock { total - $0.left } }

  func take() async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        guard state.left == 0 else {
          state.left -= 1
          return true
        }
        state.waiting.append(continuation)
        return false
      }
      if isFree { continuation.resume() }
    }
  }

  /// - Returns: false when there is none left.
  func takeIfFree() -> Bool {
    state.withLock { state in
      guard state.left > 0 else { return false }
      state.left -= 1
      return true
    }
  }

  func give() {
    let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
      if let first = state.waiting.popLast() { return first }
      state.left += 1
      return nil
    }
    next?.resume()
  }
}

/// Whom to push to: all alike, or by Zipf's law, where the user of rank `k` gets a share in proportion to `1 / k^s`.
struct UserChoice: Sendable {
  private let users: Int
  /// Cumulative shares; empty when all are alike.
  private let cumulative: [Double]

  init(users: Int, zipf: Double) {
    self.users = users
    guard zipf > 0 else {
      cumulative = []
      return
    }
    var sum = 0.0
    var sums: [Double] = []
    sums.reserveCapacity(users)
    for rank in 1...users {
      sum += pow(Double(rank), -zipf)
      sums.append(sum)
    }
    cumulative = sums.map { $0 / sum }
  }

  /// - Parameter chance: from 0 to less than 1.
  func user(_ chance: Double) -> Int {
    guard !cumulative.isEmpty else { return min(Int(chance * Double(users)), users - 1) }
    var (low, high) = (0, cumulative.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if cumulative[middle] <= chance { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
