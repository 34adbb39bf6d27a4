/// One argument's bytes.
public struct RedisArgument: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
  public let bytes: [UInt8]
  public init(_ bytes: [UInt8]) { self.bytes = bytes }
  public init(_ text: some StringProtocol) { bytes = Array(text.utf8) }
  public init(_ integer: some BinaryInteger) { bytes = Array(String(integer).utf8) }
  public init(stringLiteral value: String) { self.init(value) }
  public init(integerLiteral value: Int) { self.init(value) }
}

/// A command with its arguments, not empty: `["SET", "key", RedisArgument(bytes)]`.
public struct RedisCommand: Sendable, Hashable, ExpressibleByArrayLiteral {
  public let arguments: [RedisArgument]
  public init(_ arguments: [RedisArgument]) { self.arguments = arguments }
  public init(arrayLiteral elements: RedisArgument...) { arguments = elements }

  /// The first argument, for errors: the others may be secret or huge.
  var name: String { arguments.first.map { String(decoding: $0.bytes.prefix(64), as: UTF8.self) } ?? "(empty)" }
}
