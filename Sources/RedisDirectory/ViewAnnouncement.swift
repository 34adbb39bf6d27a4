internal import Placement

// What is published on the channel of views, as text like that of ViewCoding.swift:
//
//     1 change FROM-VERSION FROM-DIGEST VERSION DIGEST RING COUNT NEWEST SETTLED-VERSION SETTLED-DIGEST
//     +INCARNATION POD ENDPOINT PEER WEIGHT ZONE STATE SINCE     (joined or changed)
//     -INCARNATION                                               (gone)
//
//     1 settled VERSION DIGEST
//
// A thousand followers of a thousand members could not be sent whole views. Who does not have the view that a change
// starts from, or the one that has settled, reads the window. A change says what has settled because the announcement of
// that may have been missed: a window with an older settled view would let its holder forget too early.

enum ViewAnnouncement: Hashable {
  case change(ViewChange)
  case settled(ViewStamp)

  init(encoded: String) throws(ViewCodingError) {
    var lines = TextLines(encoded)
    guard let first = lines.nextIfAny() else { throw ViewCodingError(message: "it is empty") }
    var head = TextFields(first)
    let format = try head.text()
    let kind = try head.text()
    switch (format, kind, head.remaining) {
    case ("1", "settled", 2): self = .settled(try head.stamp())
    case ("1", "change", 9): self = .change(try ViewChange(head: &head, lines: &lines))
    default: throw ViewCodingError(message: "\"\(first.prefix(200))\" is no announcement that this version knows")
    }
  }
}

/// The difference between two views that follow each other.
struct ViewChange: Hashable {
  let from: ViewStamp
  let to: ViewStamp
  let ring: RingAgreement
  /// How many members the new view has.
  let count: Int
  let newest: Incarnation
  /// When the new view was published.
  let settled: ViewStamp
  private(set) var changed: [Member] = []
  private(set) var gone: [Incarnation] = []

  fileprivate init(head: inout TextFields, lines: inout TextLines) throws(ViewCodingError) {
    from = try head.stamp()
    to = try head.stamp()
    ring = try head.ring()
    count = try head.count()
    newest = Incarnation(rawValue: try head.number())
    settled = try head.stamp()
    while let line = lines.nextIfAny() {
      var fields = TextFields(line.dropFirst())
      switch line.first {
      case "+" where fields.remaining == 8: changed.append(try Member(line: &fields))
      case "-" where fields.remaining == 1: gone.append(Incarnation(rawValue: try fields.number()))
      default: throw ViewCodingError(message: "\"\(line.prefix(200))\" is no change of a member")
      }
    }
  }

  /// - Throws: when `view` is not the one that the change starts from, or the result is not what was announced.
  func applied(to view: View) throws(ViewCodingError) -> View {
    guard view.stamp == from else { throw ViewCodingError(message: "it starts from \(from), not from \(view.stamp)") }
    var members: [Incarnation: Member] = [:]
    for member in view.members { members[member.incarnation] = member }
    for member in changed { members[member.incarnation] = member }
    for incarnation in gone { members[incarnation] = nil }
    guard members.count == count else {
      throw ViewCodingError(message: "it leads to \(members.count) members where \(count) were announced")
    }
    return try View.checked(stamp: to, members: Array(members.values), ring, newest: newest, reusing: view)
  }
}
