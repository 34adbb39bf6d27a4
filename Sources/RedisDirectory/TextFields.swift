internal import Placement

/// Reads text of lines, each of tab-separated fields. Refuses what does not fit; never traps.
struct TextLines {
  private var lines: ArraySlice<Substring>

  init(_ text: String) {
    // By bytes, because "\r\n" is one Character.
    lines = text.unicodeScalars.split(separator: "\n").map { Substring($0) }[...]
  }

  mutating func next(fields count: Int) throws(ViewCodingError) -> TextFields {
    guard let fields = try nextIfAny(fields: count) else { throw ViewCodingError(message: "it ends too early") }
    return fields
  }

  mutating func nextIfAny(fields count: Int) throws(ViewCodingError) -> TextFields? {
    guard let line = lines.popFirst() else { return nil }
    let fields = TextFields(line)
    guard fields.remaining == count else {
      throw ViewCodingError(
        message: "\"\(line.prefix(200))\" has \(fields.remaining) fields where \(count) are expected")
    }
    return fields
  }

  mutating func nextIfAny() -> Substring? { lines.popFirst() }
}

struct TextFields {
  private var fields: ArraySlice<Substring>

  init(_ line: Substring) {
    fields = line.unicodeScalars.split(separator: "\t", omittingEmptySubsequences: false).map { Substring($0) }[...]
  }

  var remaining: Int { fields.count }

  mutating func text() throws(ViewCodingError) -> String {
    guard let field = fields.popFirst() else { throw ViewCodingError(message: "a line ends too early") }
    return String(field)
  }

  mutating func number() throws(ViewCodingError) -> UInt64 {
    let field = try text()
    guard let number = UInt64(field) else {
      throw ViewCodingError(message: "\"\(field.prefix(40))\" where a number is expected")
    }
    return number
  }

  mutating func count() throws(ViewCodingError) -> Int {
    let number = try number()
    guard let count = Int(exactly: number) else { throw ViewCodingError(message: "\(number) is too large") }
    return count
  }

  mutating func ring() throws(ViewCodingError) -> RingAgreement {
    let field = try text()
    guard let ring = RingAgreement(field) else {
      throw ViewCodingError(message: "\"\(field.prefix(40))\" is no number of tokens, with or without a share cap")
    }
    return ring
  }

  mutating func stamp() throws(ViewCodingError) -> ViewStamp {
    let version = try number()
    let field = try text()
    guard field.utf8.count == 16, let digest = UInt64(field, radix: 16) else {
      throw ViewCodingError(message: "\"\(field.prefix(40))\" where a digest of 16 hexadecimal digits is expected")
    }
    return ViewStamp(version: version, digest: digest)
  }

  mutating func expect(_ format: String, _ kind: String) throws(ViewCodingError) {
    let foundFormat = try text()
    guard foundFormat == format else {
      throw ViewCodingError(message: "format \"\(foundFormat.prefix(40))\", which this version does not know")
    }
    let foundKind = try text()
    guard foundKind == kind else {
      throw ViewCodingError(message: "\"\(foundKind.prefix(40))\" where \"\(kind)\" is expected")
    }
  }
}
