public import Sessions

/// What PushRing reads from Redis and writes there, without the connection: its own files, by symbolic links.
///
/// They are internal to modules that this build does without, because those bring SwiftNIO and BoringSSL along: minutes of
/// compiling for 150 lines. If one of them comes to need another file, link that as well.

/// The replies of one connection.
public final class ReplyStream {
  private var reader = ReplyReader()

  public init() {}

  /// How many replies are complete with these bytes.
  public func read(_ bytes: [UInt8]) throws -> Int {
    try bytes.withUnsafeBytes { try reader.feed($0) }
    var count = 0
    while try reader.next() != nil { count += 1 }
    return count
  }
}

/// Session records as Redis stores them.
public enum StoredRecord {
  public static func encode(_ record: SessionRecord) -> String { record.encoded }

  /// - Throws: when the text is no record.
  public static func decode(_ text: String, key: SessionKey) throws -> SessionRecord {
    try SessionRecord(key: key, encoded: text, storedAt: "the record measured")
  }
}

/// In place of RedisDirectory's, which can carry an error of the connection.
struct DirectoryError: Error {
  enum Code { case incompatible }
  let code: Code
  let message: String
}
