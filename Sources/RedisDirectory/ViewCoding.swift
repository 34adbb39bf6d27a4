internal import HashRing
internal import Placement

// Views as text: what the scripts write and programs read. Fields are separated by tabs, lines end with a newline, and
// no field holds a control character (checked at join). The first field is the format.
//
//     1 view VERSION DIGEST RING COUNT NEWEST
//     INCARNATION POD ENDPOINT PEER WEIGHT ZONE STATE SINCE      (COUNT lines, by incarnation)
//
// DIGEST has 16 hexadecimal digits; RING is what members agree on about the ring (`RingAgreement`); NEWEST is the largest incarnation given when the view was made.

/// The text is not what this version writes; `message` says where.
struct ViewCodingError: Error, Hashable {
  let message: String
}

extension View {
  var encoded: String {
    let name = "\(stamp.version)\t\(stamp.digestText)"
    let head = "1\tview\t\(name)\t\(RingAgreement(ring))\t\(members.count)\t\(newest)\n"
    return head + encodedMembers
  }

  /// The lines after the head.
  var encodedMembers: String { members.reduce(into: "") { $0 += $1.encodedLine + "\n" } }

  /// - Parameter previous: a view that is likely to be like this one.
  init(encoded: String, reusing previous: View? = nil) throws(ViewCodingError) {
    var lines = TextLines(encoded)
    var head = try lines.next(fields: 7)
    try head.expect("1", "view")
    let stamp = try head.stamp()
    let agreement = try head.ring()
    let count = try head.count()
    let newest = Incarnation(rawValue: try head.number())
    var members: [Member] = []
    while var line = try lines.nextIfAny(fields: 8) { members.append(try Member(line: &line)) }
    guard members.count == count else {
      throw ViewCodingError(message: "\(members.count) members where \(count) were announced")
    }
    self = try View.checked(
      stamp: stamp, members: members, agreement, newest: newest, reusing: previous)
  }

  static func checked(
    stamp: ViewStamp, members: [Member], _ agreement: RingAgreement, newest: Incarnation, reusing previous: View?
  ) throws(ViewCodingError) -> View {
    do {
      return try View(
        stamp: stamp, members: members, tokensPerWeight: agreement.tokensPerWeight, shareCap: agreement.shareCap,
        newest: newest, reusing: previous)
    } catch {
      throw ViewCodingError(message: "no ring can be made of it: \(error.message)")
    }
  }
}

extension Member {
  var encodedLine: String { "\(incarnation)\t\(description.encoded)\t\(state.rawValue)\t\(since)" }

  /// Eight fields.
  init(line: inout TextFields) throws(ViewCodingError) {
    let incarnation = Incarnation(rawValue: try line.number())
    let podID = try line.text()
    let endpoint = try line.text()
    let peerEndpoint = try line.text()
    let weight = try line.count()
    let zone = try line.text()
    let stateName = try line.text()
    guard let state = MemberState(rawValue: stateName) else {
      throw ViewCodingError(message: "\"\(stateName)\" is no state of a member")
    }
    self.init(
      incarnation: incarnation,
      description: MemberDescription(
        podID: podID, endpoint: endpoint, peerEndpoint: peerEndpoint, weight: weight, zone: zone),
      state: state, since: try line.number())
  }
}

extension MemberDescription {
  var encoded: String { "\(podID)\t\(endpoint)\t\(peerEndpoint)\t\(weight)\t\(zone)" }

  /// What the text format and the ring can bear.
  func check() throws(DirectoryError) {
    try Self.check(podID: podID)
    for (what, text) in [("endpoint", endpoint), ("peer endpoint", peerEndpoint)]
    where text.isEmpty || !Self.isPrintable(text) {
      throw Self.refused("the \(what) \"\(text)\" of pod \(podID) is not usable; give HOST:PORT")
    }
    try Self.check(zone: zone)
    guard (1...100).contains(weight) else {
      throw Self.refused("the weight \(weight) of pod \(podID) is out of bounds; give 1 to 100")
    }
  }

  static func isPrintable(_ text: String) -> Bool {
    text.utf8.count <= 256 && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
  }

  static func refused(_ message: String) -> DirectoryError {
    DirectoryError(code: .invalidArgument, message: message)
  }
}

extension ViewStamp {
  /// 16 hexadecimal digits.
  var digestText: String {
    let digits = String(digest, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
