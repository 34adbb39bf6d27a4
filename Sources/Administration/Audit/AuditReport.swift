public import Placement

/// What `pushring ring check` shows: what several looks agree on.
public struct AuditReport: Sendable, Hashable, Encodable {
  public let cluster: String
  /// Of the current view.
  public let version: UInt64
  /// False: strays were not judged.
  public let isSettled: Bool
  /// Live sessions that pods told of.
  public let sessions: Int
  public let records: Int
  /// Records of pods that did not answer.
  public let unjudged: Int
  /// At most 50,000; `count` may be more.
  public let findings: [Finding]
  public let count: Int
  /// Members that did not say what they hold.
  public let silent: [Fleet.Silence]

  public var isClean: Bool { findings.isEmpty }

  /// - Parameters:
  ///   - look: the last one.
  ///   - findings: of each look, at least one.
  public init(
    cluster: String, view: View, look: AuditLook, findings: [[Finding]], silent: [Fleet.Silence]
  ) {
    self.cluster = cluster
    version = view.stamp.version
    isSettled = look.isSettled
    sessions = look.sessionCount
    records = look.recordCount
    unjudged = look.unjudged
    self.findings = confirmed(findings)
    count = findings.count == 1 || self.findings.count == findings.last?.count ? look.count : self.findings.count
    self.silent = silent
  }

  public func count(of kind: Finding.Kind) -> Int { findings.count { $0.kind == kind } }
}

/// What is in all of them, in the order of the last.
public func confirmed(_ looks: [[Finding]]) -> [Finding] {
  guard let last = looks.last else { return [] }
  return looks.dropLast().reduce(last) { left, look in
    let known = Set(look)
    return left.filter(known.contains)
  }
}
