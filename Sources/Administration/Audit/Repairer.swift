public import Placement
public import RedisDirectory
internal import Sessions
internal import Wire

/// Carries out what `repairs(of:)` says.
public struct Repairer: Sendable {
  private let directory: RedisDirectory
  private let members: [Member]
  private let timeout: Duration

  /// - Parameter members: of the current view.
  public init(_ directory: RedisDirectory, members: [Member], timeout: Duration = .seconds(2)) {
    self.directory = directory
    self.members = members
    self.timeout = timeout
  }

  /// - Returns: pods that were to do something and did not answer.
  public func carryOut(_ steps: [RepairStep]) async throws -> [Fleet.Silence] {
    var requests: [Incarnation: Pushring_V1_RepairRequest] = [:]
    var dead: [SessionRecord] = []
    for step in steps {
      switch step {
      case .deleteRecord(let record): dead.append(record)
      case .replaceRecord(let wrong, let right):
        guard try await directory.replace(wrong, with: right) else { continue }
        // Should the session have ended in this moment, its pod found another record, and left it.
        requests[right.incarnation, default: .init()].verify.append(Pushring_V1_HeldSession(right.key))
      case .verify(let key, let incarnation):
        requests[incarnation, default: .init()].verify.append(Pushring_V1_HeldSession(key))
      case .register(let key, let incarnation):
        requests[incarnation, default: .init()].register.append(Pushring_V1_HeldSession(key))
      case .endEarlier(let earlier, let later): await directory.release(earlier, by: later)
      case .reportStrays(let incarnation): requests[incarnation, default: .init()].reportsStraysAnew = true
      case .retractStrays(let hashes, let incarnation, let owner):
        var wrong = Pushring_V1_WrongStrays()
        wrong.owner = owner.rawValue
        wrong.userHashes = hashes
        requests[incarnation, default: .init()].wrongStrays.append(wrong)
      case .strikeOut(let key, let incarnation): try await directory.strikeOut(key, of: incarnation)
      case .sweepAway(let incarnation): _ = try await directory.sweepAway(incarnation)
      case .clearOrder(let pod): _ = try await directory.order(pod: pod, weight: 0, state: .active)
      }
    }
    _ = try await directory.deleteUnchanged(dead)
    return await ask(requests)
  }

  private func ask(_ requests: [Incarnation: Pushring_V1_RepairRequest]) async -> [Fleet.Silence] {
    let asked = members.filter { requests[$0.incarnation] != nil }
    return await Fleet(asked, timeout: timeout).ask(incarnation: { $0 }) { member, client, options, progress in
      var answering: UInt64 = 0
      for part in requests[member.incarnation]?.parts ?? [] {
        answering = try await client.repair(part, options: options).incarnation
        progress.made()
        guard answering == member.incarnation.rawValue else { break }
      }
      return answering
    }.silent
  }
}

extension Pushring_V1_HeldSession {
  fileprivate init(_ key: SessionKey) {
    self.init()
    userID = key.user.text
    sessionID = key.session.text
  }
}

extension Pushring_V1_RepairRequest {
  /// A message must not be larger than 4 MB.
  fileprivate var parts: [Self] {
    let most = 1_000
    var first = Self()
    first.reportsStraysAnew = reportsStraysAnew
    first.wrongStrays = wrongStrays
    var parts = [first]
    for start in stride(from: 0, to: max(register.count, verify.count), by: most) {
      var part = Self()
      part.register = Array(register.dropFirst(start).prefix(most))
      part.verify = Array(verify.dropFirst(start).prefix(most))
      parts.append(part)
    }
    return parts
  }
}
