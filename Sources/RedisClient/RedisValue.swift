/// A reply of RESP2, the protocol that every Redis since 1.2 and its relatives speak.
public enum RedisValue: Sendable, Hashable {
  case status(String)
  case bulk([UInt8])
  case integer(Int64)
  case array([RedisValue])
  case null
  /// Only inside an array: an error that is the whole reply is thrown.
  case error(String)
}
