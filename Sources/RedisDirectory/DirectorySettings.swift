public import HashRing

/// The same for every pod of a cluster; kept in the registry by the first that joins, refused when they differ. Other
/// programs go by what the registry keeps.
/// To change them stop all pods: who finds no member decides again.
public struct DirectorySettings: Hashable, Sendable {
  /// How often members renew; also the most that the registry clock advances between two calls.
  public var renewalInterval: Duration = .seconds(1)
  /// How long a renewal is good for. At least two renewal intervals, so that one may be lost.
  public var lease: Duration = .seconds(3)
  /// How long a member whose lease ended may resume.
  public var grace: Duration = .seconds(60)
  /// How long nothing settles after the registry lost its data, or was found empty: in that time everybody who reaches it
  /// resumes. Nil: the lease and two renewal intervals. Lease and grace together also cover a member that had joined just
  /// before, of whom nobody else knew, and that is cut off from the registry at that very time.
  public var recoveryWait: Duration?
  /// Virtual nodes per unit of weight.
  public var tokensPerWeight: Int = 256
  /// The most of its fair part that a pod owns; nil: no cap.
  public var shareCap: ShareCap?

  public init() {}
}

extension DirectorySettings {
  private var effectiveRecoveryWait: Duration { recoveryWait ?? lease + renewalInterval * 2 }

  private var ring: RingAgreement { RingAgreement(tokensPerWeight: tokensPerWeight, shareCap: shareCap) }

  /// "renewal lease grace ring recovery", durations in microseconds: what the scripts store and compare.
  var encoded: String {
    let times = [renewalInterval, lease, grace].map { String($0.microseconds) }.joined(separator: " ")
    return "\(times) \(ring) \(effectiveRecoveryWait.microseconds)"
  }

  /// Nil when the text is not what `encoded` gives.
  init?(encoded: String) {
    let fields = encoded.split(separator: " ")
    guard fields.count == 5, let ring = RingAgreement(fields[3]) else { return nil }
    let times = [fields[0], fields[1], fields[2], fields[4]].compactMap { Int64($0) }
    guard times.count == 4, times.allSatisfy({ $0 >= 0 }) else { return nil }
    self.init()
    renewalInterval = .microseconds(times[0])
    lease = .microseconds(times[1])
    grace = .microseconds(times[2])
    (tokensPerWeight, shareCap) = (ring.tokensPerWeight, ring.shareCap)
    if times[3] != effectiveRecoveryWait.microseconds { recoveryWait = .microseconds(times[3]) }
  }

  /// For people: "lease 3s there and 2s here".
  func differences(fromStored text: String) -> String {
    guard let stored = DirectorySettings(encoded: text) else {
      return "\"\(text.prefix(80))\", which is not understood"
    }
    let differences = zip(stored.shown, shown).filter { $0.text != $1.text }
    return differences.map { "\($0.name) \($0.text) there and \($1.text) here" }.joined(separator: ", ")
  }

  /// By the names that they are set by.
  private var shown: [(name: String, text: String)] {
    [
      ("lease", lease.shown), ("renewal-interval", renewalInterval.shown), ("grace", grace.shown),
      ("recovery-wait", effectiveRecoveryWait.shown), ("tokens", String(tokensPerWeight)),
      ("share-cap", shareCap.map { "\($0.percent)%" } ?? "none"),
    ]
  }

  func check() throws(DirectoryError) {
    guard renewalInterval >= .milliseconds(1) else {
      throw Self.refused("the renewal interval is \(renewalInterval); give at least 1 ms")
    }
    guard lease >= renewalInterval * 2 else {
      throw Self.refused("the lease (\(lease)) is shorter than two renewal intervals (\(renewalInterval)); lengthen it")
    }
    guard grace >= .zero, max(lease, grace) <= .seconds(86_400) else {
      throw Self.refused("lease (\(lease)) and grace (\(grace)) must lie between 0 and a day")
    }
    guard (.zero...(.seconds(172_800))).contains(effectiveRecoveryWait) else {
      throw Self.refused("the recovery wait is \(effectiveRecoveryWait); give 0 to two days")
    }
    guard (1...65_536).contains(tokensPerWeight) else {
      throw Self.refused("\(tokensPerWeight) tokens per weight are out of bounds; give 1 to 65536")
    }
  }

  private static func refused(_ message: String) -> DirectoryError {
    DirectoryError(code: .invalidArgument, message: message)
  }
}

extension Duration {
  fileprivate var shown: String {
    microseconds % 1_000_000 == 0 ? "\(microseconds / 1_000_000)s" : "\(Double(microseconds) / 1_000)ms"
  }

  /// Whole microseconds, rounded down.
  var microseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
  }
}
