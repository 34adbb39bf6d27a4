internal import GRPCCore
internal import Placement
public import RedisDirectory
internal import Sessions
internal import Synchronization
internal import Wire

/// Audits a cluster: looks, and looks again after a pause at what is wrong, until what is left has been seen three times.
/// Changes nothing.
public struct Auditor: Sendable {
  private let directory: RedisDirectory
  private let timeout: Duration

  /// Between looks. What a pod has still to tell or to take away takes less.
  private static let pauses: [Duration] = [.seconds(1), .seconds(2)]
  /// For a view to settle.
  private static let patience = Duration.seconds(5)

  /// - Parameter timeout: for each pod to answer.
  public init(_ directory: RedisDirectory, timeout: Duration = .seconds(2)) {
    self.directory = directory
    self.timeout = timeout
  }

  /// - Parameter progress: told in words of what takes long.
  /// - Returns: nil when nobody ever joined.
  public func audit(progress: @Sendable (String) -> Void = { _ in }) async throws -> AuditReport? {
    var findings: [[Finding]] = []
    var silent: [Fleet.Silence] = []
    for pause in [nil] + Self.pauses.map(Optional.some) {
      if let pause { try await Task.sleep(for: pause) }
      guard let window = try await settledWindow() else { return nil }
      var look: AuditLook
      (look, silent) = try await self.look(window, silent)
      guard let latest = try await directory.window()?.current else { return nil }
      findings.append(look.findings(latest: latest))
      let report = AuditReport(
        cluster: directory.cluster.text, view: window.current, look: look, findings: findings, silent: silent)
      if report.isClean || findings.count > Self.pauses.count { return report }
      progress("look \(findings.count): \(report.findings.count) findings; looking again, as sessions move meanwhile")
    }
    return nil
  }

  private func settledWindow() async throws -> Window? {
    let deadline = ContinuousClock.now + Self.patience
    while true {
      let window = try await directory.window()
      guard let window, window.settled.stamp != window.current.stamp, .now < deadline else { return window }
      // Nothing settles without those in grace.
      if window.current.members.contains(where: { $0.state == .grace }) { return window }
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  private func look(_ window: Window, _ silent: [Fleet.Silence]) async throws -> (AuditLook, [Fleet.Silence]) {
    let orders = try await directory.orders() ?? Orders()
    let shared = SharedLook(AuditLook(window: window, departed: try await directory.departed(), orders: orders))
    let asked = await Fleet(window.current.members, timeout: timeout, silent: silent).ask(incarnation: { $0 }) {
      member, client, options, progress -> UInt64 in
      let answering = try await Self.sessions(of: member, client, options, progress, shared)
      guard answering == member.incarnation.rawValue else { return answering }
      return try await Self.strays(of: member, client, options, progress, shared)
    }
    for (member, _) in asked.answers { shared.look.withLock { $0.answered(member) } }
    let answered = Set(asked.answers.map(\.member.incarnation))
    var cursor: UInt64 = 0
    repeat {
      let (part, next) = try await directory.storedPart(cursor: cursor)
      shared.look.withLock { look in
        look.stored(part)
        part.indexed.forEach { look.hasIndex($0) }
      }
      cursor = next
    } while cursor != 0
    for incarnation in answered {
      repeat {
        let (sessions, next) = try await directory.indexedSessions(of: incarnation, cursor: cursor)
        shared.look.withLock { look in sessions.forEach { look.indexed($0, of: incarnation) } }
        cursor = next
      } while cursor != 0
    }
    return (shared.look.withLock { $0 }, asked.silent)
  }

  /// Page by page, so that none is kept. A process other than the member is not heard.
  /// - Returns: the incarnation that answered.
  private static func sessions(
    of member: Member, _ client: Fleet.Client, _ options: CallOptions, _ progress: AnswerProgress, _ shared: SharedLook
  ) async throws -> UInt64 {
    try await client.listSessions(Pushring_V1_ListSessionsRequest(), options: options) { pages in
      var answering: UInt64 = 0
      for try await page in pages.messages {
        progress.made()
        answering = page.incarnation
        guard answering == member.incarnation.rawValue else { break }
        shared.look.withLock { look in page.sessions.forEach { look.holds($0, at: member.incarnation) } }
      }
      return answering
    }
  }

  private static func strays(
    of member: Member, _ client: Fleet.Client, _ options: CallOptions, _ progress: AnswerProgress, _ shared: SharedLook
  ) async throws -> UInt64 {
    try await client.listStrays(Pushring_V1_ListStraysRequest(), options: options) { pages in
      var answering: UInt64 = 0
      for try await page in pages.messages {
        progress.made()
        answering = page.incarnation
        guard answering == member.incarnation.rawValue else { break }
        shared.look.withLock { look in
          for (hash, reporter) in zip(page.userHashes, page.reporters) {
            look.recordedStray(userHash: hash, reporter: Incarnation(rawValue: reporter), at: member.incarnation)
          }
        }
      }
      return answering
    }
  }
}

/// All pods' answers go into one look.
private final class SharedLook: Sendable {
  let look: Mutex<AuditLook>

  init(_ look: AuditLook) { self.look = Mutex(look) }
}

extension AuditLook {
  fileprivate mutating func holds(_ held: Pushring_V1_HeldSession, at incarnation: Incarnation) {
    guard let user = try? UserID(held.userID), let session = try? SessionID(held.sessionID) else { return }
    holds(
      SessionKey(user: user, session: session), epoch: Epoch(rawValue: held.epoch), at: incarnation,
      isWaiting: held.isWaiting)
  }
}
