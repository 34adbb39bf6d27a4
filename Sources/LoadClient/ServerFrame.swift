/// What a load client needs of a pod's frames, read in place: a general decoder would cost more than all else it does.
///
/// Field numbers: `Sources/Wire/Protos/pushring/v1/sessions.proto` and `message.proto`.
enum ServerFrame: Equatable {
  /// Where to go when the pod is lost, best first.
  case welcome(epoch: UInt64, successors: [String])
  case message(payload: ArraySlice<UInt8>)
  case reconnect(endpoint: String, ticket: [UInt8])
  case ping(nonce: UInt64)
  case other

  /// Nil when it is no protobuf message.
  init?(_ bytes: ArraySlice<UInt8>) {
    var fields = ProtobufFields(bytes)
    guard let field = fields.next() else {
      self = .other
      return
    }
    switch (field.number, field.value) {
    case (1, .bytes(let welcome)): self = Self.welcome(welcome)
    case (2, .bytes(let message)): self = .message(payload: message.field(2) ?? [])
    case (3, .bytes(let reconnect)):
      self = .reconnect(endpoint: Self.endpoint(reconnect.field(1) ?? []), ticket: Array(reconnect.field(3) ?? []))
    case (4, .bytes(let ping)): self = .ping(nonce: ping.number(1) ?? 0)
    default: self = .other
    }
    if fields.isMalformed { return nil }
  }

  private static func welcome(_ bytes: ArraySlice<UInt8>) -> ServerFrame {
    var epoch: UInt64 = 0
    var successors: [String] = []
    var fields = ProtobufFields(bytes)
    while let field = fields.next() {
      switch (field.number, field.value) {
      case (3, .number(let number)): epoch = number
      case (6, .bytes(let pod)): successors.append(endpoint(pod))
      default: break
      }
    }
    return .welcome(epoch: epoch, successors: successors)
  }

  /// A PodEndpoint's.
  private static func endpoint(_ pod: ArraySlice<UInt8>) -> String {
    String(decoding: pod.field(2) ?? [], as: UTF8.self)
  }
}

/// The fields of a protobuf message, one after another.
struct ProtobufFields {
  enum Value {
    case number(UInt64)
    case bytes(ArraySlice<UInt8>)
  }

  private var rest: ArraySlice<UInt8>
  private(set) var isMalformed = false

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  mutating func next() -> (number: Int, value: Value)? {
    guard !rest.isEmpty, !isMalformed else { return nil }
    guard let tag = varint() else { return fail() }
    let number = Int(truncatingIfNeeded: tag >> 3)
    switch tag & 7 {
    case 0:
      guard let value = varint() else { return fail() }
      return (number, .number(value))
    case 1: return fixed(8).map { (number, .number($0)) } ?? fail()
    case 5: return fixed(4).map { (number, .number($0)) } ?? fail()
    case 2:
      guard let count = varint(), count <= UInt64(rest.count) else { return fail() }
      defer { rest = rest.dropFirst(Int(count)) }
      return (number, .bytes(rest.prefix(Int(count))))
    default: return fail()
    }
  }

  private mutating func fail() -> (number: Int, value: Value)? {
    isMalformed = true
    return nil
  }

  private mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return value }
    }
    return nil
  }

  private mutating func fixed(_ count: Int) -> UInt64? {
    guard rest.count >= count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

extension ArraySlice<UInt8> {
  /// The last field of this number that has bytes.
  fileprivate func field(_ number: Int) -> ArraySlice<UInt8>? {
    var fields = ProtobufFields(self)
    var found: ArraySlice<UInt8>?
    while let field = fields.next() {
      if field.number == number, case .bytes(let bytes) = field.value { found = bytes }
    }
    return found
  }

  fileprivate func number(_ number: Int) -> UInt64? {
    var fields = ProtobufFields(self)
    var found: UInt64?
    while let field = fields.next() {
      if field.number == number, case .number(let value) = field.value { found = value }
    }
    return found
  }
}

/// A `ClientFrame` with a Hello of a client that can move, as bytes.
func helloFrame(user: String, session: String, epoch: UInt64, ticket: [UInt8] = []) -> [UInt8] {
  var hello: [UInt8] = []
  appendField(1, Array(user.utf8), to: &hello)
  appendField(2, Array(session.utf8), to: &hello)
  if epoch > 0 {
    hello.append(3 << 3)
    appendVarint(epoch, to: &hello)
  }
  // Capabilities: moves.
  appendField(5, [1 << 3, 1], to: &hello)
  if !ticket.isEmpty { appendField(6, ticket, to: &hello) }
  var frame: [UInt8] = []
  appendField(1, hello, to: &frame)
  return frame
}

/// A `ClientFrame` with a Pong.
func pongFrame(nonce: UInt64) -> [UInt8] {
  var pong: [UInt8] = [1 << 3]
  appendVarint(nonce, to: &pong)
  var frame: [UInt8] = []
  appendField(4, pong, to: &frame)
  return frame
}

private func appendField(_ number: UInt8, _ bytes: [UInt8], to output: inout [UInt8]) {
  output.append(number << 3 | 2)
  appendVarint(UInt64(bytes.count), to: &output)
  output += bytes
}

private func appendVarint(_ value: UInt64, to output: inout [UInt8]) {
  var rest = value
  while rest > 0x7f {
    output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
    rest >>= 7
  }
  output.append(UInt8(rest))
}
