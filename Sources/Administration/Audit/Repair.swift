public import Placement
public import Sessions

/// What is to be done about findings: a step for each that can be mended.
///
/// Nothing is done by force. A record is changed or deleted only if it still is what was found; what a pod holds, it is asked
/// to register, or to let go of, by itself.
public enum RepairStep: Sendable, Hashable {
  /// Compare, and delete.
  case deleteRecord(SessionRecord)
  /// Compare, and put the other in its place; then the pod looks whether it still has the session.
  case replaceRecord(SessionRecord, with: SessionRecord)
  /// The pod takes its record away unless it has the session.
  case verify(SessionKey, at: Incarnation)
  /// The pod writes the record of a session that it has, and its place in the index.
  case register(SessionKey, at: Incarnation)
  /// The pod that has the earlier of two streams is told of the later, and ends its own.
  case endEarlier(SessionRecord, by: SessionRecord)
  /// The pod tells owners anew of all sessions that are theirs.
  case reportStrays(Incarnation)
  /// The reporter retracts what it is said to have told.
  case retractStrays([UInt64], by: Incarnation, at: Incarnation)
  /// An entry goes, unless its record names the incarnation.
  case strikeOut(SessionKey, of: Incarnation)
  /// The index of an incarnation that is no member, and what of its records is left.
  case sweepAway(Incarnation)
  case clearOrder(String)
}

/// - Returns: the steps, and the findings that none of them mends.
public func repairs(of findings: [Finding]) -> (steps: [RepairStep], unmended: [Finding]) {
  var steps: [RepairStep] = []
  var unmended: [Finding] = []
  var reporters: Set<Incarnation> = []
  var wrongStrays: [WrongStrays: [UInt64]] = [:]
  for finding in findings {
    switch finding.kind {
    case .strayMissing:
      if let holder = finding.holder { reporters.insert(Incarnation(rawValue: holder.incarnation)) }
    case .strayWrong:
      guard let told = WrongStrays(finding), let hash = finding.userHash.flatMap({ UInt64($0, radix: 16) }) else {
        unmended.append(finding)
        continue
      }
      wrongStrays[told, default: []].append(hash)
    default:
      if let step = RepairStep(finding) { steps.append(step) } else { unmended.append(finding) }
    }
  }
  steps += reporters.sorted().map(RepairStep.reportStrays)
  for (told, hashes) in wrongStrays.sorted(by: { ($0.key.reporter, $0.key.owner) < ($1.key.reporter, $1.key.owner) }) {
    steps.append(.retractStrays(hashes.sorted(), by: told.reporter, at: told.owner))
  }
  return (steps, unmended)
}

private struct WrongStrays: Hashable {
  let reporter: Incarnation
  let owner: Incarnation

  init?(_ finding: Finding) {
    guard let holder = finding.holder, let other = finding.other, !holder.pod.isEmpty else { return nil }
    (reporter, owner) = (Incarnation(rawValue: holder.incarnation), Incarnation(rawValue: other.incarnation))
  }
}

extension RepairStep {
  /// Of one finding; nil when nothing of ours mends it, or it is mended together with others.
  fileprivate init?(_ finding: Finding) {
    let key = SessionKey(finding)
    switch finding.kind {
    case .recordOfDeadIncarnation:
      guard let record = finding.record.flatMap({ SessionRecord(finding, $0) }) else { return nil }
      self = .deleteRecord(record)
    case .recordWithoutSession:
      guard let key, let record = finding.record else { return nil }
      self = .verify(key, at: Incarnation(rawValue: record.incarnation))
    case .recordAtWrongPod, .recordWithWrongEpoch:
      guard let record = finding.record.flatMap({ SessionRecord(finding, $0) }),
        let right = finding.holder.flatMap({ SessionRecord(finding, $0) })
      else { return nil }
      self = .replaceRecord(record, with: right)
    case .recordMissing, .indexEntryMissing:
      guard let key, let holder = finding.holder else { return nil }
      self = .register(key, at: Incarnation(rawValue: holder.incarnation))
    case .sessionDoubled:
      guard let later = finding.holder.flatMap({ SessionRecord(finding, $0) }),
        let earlier = finding.other.flatMap({ SessionRecord(finding, $0) }), earlier.epoch < later.epoch
      else { return nil }
      self = .endEarlier(earlier, by: later)
    case .indexLeftover:
      guard let holder = finding.holder else { return nil }
      let incarnation = Incarnation(rawValue: holder.incarnation)
      self = key.map { .strikeOut($0, of: incarnation) } ?? .sweepAway(incarnation)
    case .orderForUnknownPod:
      guard let pod = finding.other?.pod else { return nil }
      self = .clearOrder(pod)
    case .recordUnreadable, .strayMissing, .strayWrong:
      return nil
    }
  }
}

extension SessionKey {
  fileprivate init?(_ finding: Finding) {
    guard let user = try? UserID(finding.user), let session = try? SessionID(finding.session) else { return nil }
    self.init(user: user, session: session)
  }
}

extension SessionRecord {
  fileprivate init?(_ finding: Finding, _ place: Finding.Place) {
    guard let key = SessionKey(finding) else { return nil }
    self.init(
      key: key, podID: place.pod, incarnation: Incarnation(rawValue: place.incarnation),
      epoch: Epoch(rawValue: place.epoch))
  }
}
