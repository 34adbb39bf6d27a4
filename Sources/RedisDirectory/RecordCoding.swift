internal import Placement
internal import Sessions

// A session record in Redis is the hash field `session id` with the value
//
//     1 INCARNATION EPOCH PODID
//     1 INCARNATION EPOCH PODID INCARNATION EPOCH PODID
//
// The first character is the format. Text, so that scripts take it apart with one pattern and people can read it; and
// there is exactly one way to write a record, so that "is it still this record" is an equality of bytes, of those up to
// the first pod id. A pod id has no space in it.
//
// What follows that is the record *before*: of a session that is about to move, and whose old stream lives. Should the pod
// that it moves to die before it has welcomed it, the session is found by that. It is struck out when the move is over.

extension SessionRecord {
  /// The value stored for this record.
  var encoded: String { "1 \(incarnation) \(epoch) \(podID)" }

  /// - Throws: `.incompatible` when another format or garbage is stored; the message names `storedAt`.
  init(key: SessionKey, encoded: String, storedAt: String) throws(DirectoryError) {
    let fields = encoded.split(separator: " ", omittingEmptySubsequences: false)
    guard fields.first == "1" else {
      throw DirectoryError(
        code: .incompatible,
        message: """
          \(storedAt), session "\(key.session)": a record of format "\(fields.first ?? "")", which this version does \
          not know; run the version that wrote it, or delete the record
          """)
    }
    guard fields.count == 4 || fields.count == 7, let incarnation = UInt64(fields[1]), let epoch = UInt64(fields[2]),
      !fields[3].isEmpty
    else {
      throw DirectoryError(
        code: .incompatible,
        message: """
          \(storedAt), session "\(key.session)": "\(encoded.prefix(200))" is no session record; find out what else \
          writes to this key, and delete the record
          """)
    }
    self.init(
      key: key, podID: String(fields[3]), incarnation: Incarnation(rawValue: incarnation),
      epoch: Epoch(rawValue: epoch))
  }
}

extension SessionRecord {
  /// The record before, of a session that is about to move; nil when there is none.
  init?(key: SessionKey, before encoded: String) {
    let fields = encoded.split(separator: " ", omittingEmptySubsequences: false)
    guard fields.count == 7, let incarnation = UInt64(fields[4]), let epoch = UInt64(fields[5]), !fields[6].isEmpty
    else { return nil }
    self.init(
      key: key, podID: String(fields[6]), incarnation: Incarnation(rawValue: incarnation),
      epoch: Epoch(rawValue: epoch))
  }
}

/// A member of an incarnation's index: "user \t session". Identifiers hold no control characters.
enum IndexEntry {
  static func encode(_ key: SessionKey) -> String { "\(key.user)\t\(key.session)" }

  /// Nil for garbage: the index is a hint, and what can't be read hints at nothing.
  static func decode(_ text: String) -> SessionKey? {
    let parts = text.split(separator: "\t", omittingEmptySubsequences: false)
    guard parts.count == 2, let user = try? UserID(String(parts[0])), let session = try? SessionID(String(parts[1]))
    else { return nil }
    return SessionKey(user: user, session: session)
  }
}
