internal import HashRing
internal import Placement

/// What all members of a cluster must agree on so that they make the same ring of the same members. The registry keeps it
/// among the settings and puts it into every view, so that Senders and commands need no setting of their own.
///
/// As text: the tokens per unit of weight; and where shares are capped a slash and the cap in percent: "256", "256/110".
struct RingAgreement: Hashable, CustomStringConvertible {
  let tokensPerWeight: Int
  var shareCap: ShareCap?

  init(tokensPerWeight: Int, shareCap: ShareCap? = nil) {
    self.tokensPerWeight = tokensPerWeight
    self.shareCap = shareCap
  }

  init(_ ring: HashRing) { self.init(tokensPerWeight: ring.tokensPerWeight, shareCap: ring.shareCap) }

  /// Nil when the text is not what `description` gives.
  init?(_ text: some StringProtocol) {
    let fields = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let tokens = Int(fields[0]), tokens >= 0 else { return nil }
    tokensPerWeight = tokens
    guard fields.count == 2 else { return }
    guard let percent = Int(fields[1]), let cap = try? ShareCap(percent: percent) else { return nil }
    shareCap = cap
  }

  var description: String { shareCap.map { "\(tokensPerWeight)/\($0.percent)" } ?? "\(tokensPerWeight)" }
}
