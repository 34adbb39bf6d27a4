import CHiredis

/// hiredis' incremental parser: bytes in, in pieces of any size; whole replies out.
///
/// Owns the C parser and frees it. It knows RESP2 to a depth of seven arrays, far more than any reply here.
struct ReplyReader: ~Copyable {
  struct Violation: Error, Equatable {
    let reason: String
  }

  private let reader: UnsafeMutablePointer<redisReader>

  init() {
    // Nil only when memory has run out, which Swift itself does not survive either.
    guard let reader = redisReaderCreate() else { preconditionFailure("no memory for a Redis parser") }
    self.reader = reader
  }

  deinit { redisReaderFree(reader) }

  /// hiredis copies the bytes, so the pointer need not outlive the call.
  mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(Violation) {
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
    try check(redisReaderFeed(reader, start.assumingMemoryBound(to: CChar.self), bytes.count))
  }

  /// Nil when more bytes are needed. After it threw, every further call throws.
  mutating func next() throws(Violation) -> RedisValue? {
    var reply: UnsafeMutableRawPointer?
    try check(redisReaderGetReply(reader, &reply))
    guard let reply else { return nil }
    defer { freeReplyObject(reply) }
    // The parser was made with hiredis' default functions, so what it gives is a redisReply.
    return try Self.value(reply.assumingMemoryBound(to: redisReply.self).pointee)
  }

  private func check(_ code: Int32) throws(Violation) {
    guard code != REDIS_OK else { return }
    let text = withUnsafeBytes(of: reader.pointee.errstr) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    throw Violation(reason: text)
  }

  private static func value(_ reply: redisReply) throws(Violation) -> RedisValue {
    switch reply.type {
    case REDIS_REPLY_STATUS: return .status(String(decoding: bytes(reply), as: UTF8.self))
    case REDIS_REPLY_ERROR: return .error(String(decoding: bytes(reply), as: UTF8.self))
    case REDIS_REPLY_STRING: return .bulk(Array(bytes(reply)))
    case REDIS_REPLY_INTEGER: return .integer(reply.integer)
    case REDIS_REPLY_NIL: return .null
    case REDIS_REPLY_ARRAY: return try array(reply)
    default: throw Violation(reason: "a reply of RESP3 (type \(reply.type)), which was not asked for")
    }
  }

  private static func bytes(_ reply: redisReply) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: reply.str, count: reply.str == nil ? 0 : reply.len)
  }

  private static func array(_ reply: redisReply) throws(Violation) -> RedisValue {
    var values: [RedisValue] = []
    values.reserveCapacity(reply.elements)
    for index in 0..<reply.elements {
      guard let element = reply.element[index] else { throw Violation(reason: "an array with a missing element") }
      values.append(try value(element.pointee))
    }
    return .array(values)
  }
}
