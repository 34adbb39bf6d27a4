/// A call's header fields, checked as RFC 9113, section 8.2 and 8.3 and gRPC over HTTP/2 demand.
internal import HTTP2Wire

public struct RequestHead: Sendable {
  /// Without the leading slash: "package.Service/Method".
  public let method: String
  /// What the application may look at: no pseudo-header fields. Binary values are base 64, as on the wire.
  public let metadata: [(String, String)]
  /// Milliseconds that the client gives the call; nil when it gives no limit.
  public let timeout: Milliseconds?
  /// Whether the client has declared how it compresses messages (grpc-encoding).
  let declaresEncoding: Bool
}

extension RequestHead {
  enum Refusal: Error {
    /// Reset the stream with PROTOCOL_ERROR.
    case malformed(String)
    /// Not gRPC: an HTTP status, for clients that speak something else.
    case status(Int)
  }

  init(_ headers: HeaderList) throws(Refusal) {
    var pseudo = PseudoFields()
    var metadata: [(String, String)] = []
    metadata.reserveCapacity(headers.count)
    for field in headers {
      if field.name.first == UInt8(ascii: ":") {
        guard metadata.isEmpty else { throw .malformed("a pseudo-header field after others") }
        try pseudo.take(field)
      } else {
        try Self.check(field)
        metadata.append((String(decoding: field.name, as: UTF8.self), String(decoding: field.value, as: UTF8.self)))
      }
    }
    try pseudo.check()
    method = String(decoding: pseudo.path.dropFirst(), as: UTF8.self)
    guard pseudo.isPost else { throw .status(405) }
    guard let type = headers.first("content-type"), type.starts(with: "application/grpc".utf8) else {
      throw .status(415)
    }
    timeout = try headers.first("grpc-timeout").map { text throws(Refusal) in try Self.timeout(text) }
    let encoding = headers.first("grpc-encoding")
    declaresEncoding = encoding.map { !$0.elementsEqual("identity".utf8) } ?? false
    self.metadata = metadata
  }

  /// Sections 8.2.1 and 8.2.2.
  private static func check(_ field: HeaderField) throws(Refusal) {
    guard !field.name.isEmpty,
      field.name.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !(0x41...0x5a).contains($0) && $0 != 0x3a })
    else { throw .malformed("a field name with characters that are not allowed") }
    guard field.value.allSatisfy({ $0 != 0 && $0 != 0x0a && $0 != 0x0d }) else {
      throw .malformed("a field value with characters that are not allowed")
    }
    guard !isBlank(field.value.first), !isBlank(field.value.last) else {
      throw .malformed("a field value with white space around it")
    }
    for name in connectionFields where field.name.elementsEqual(name) {
      throw .malformed("a field of HTTP/1.1's connections")
    }
    if field.name.elementsEqual("te".utf8), !field.value.elementsEqual("trailers".utf8) {
      throw .malformed("te is not trailers")
    }
  }

  private static func isBlank(_ byte: UInt8?) -> Bool { byte == 0x20 || byte == 0x09 }

  private static let connectionFields = [
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
  ]
  .map { Array($0.utf8) }

  /// At most eight digits and a unit.
  private static func timeout(_ text: ArraySlice<UInt8>) throws(Refusal) -> Milliseconds {
    guard let unit = text.last, (1...8).contains(text.count - 1),
      text.dropLast().allSatisfy({ (0x30...0x39).contains($0) })
    else { throw .malformed("grpc-timeout is no time") }
    let number = text.dropLast().reduce(Int64(0)) { $0 * 10 + Int64($1 - 0x30) }
    switch unit {
    case UInt8(ascii: "H"): return number * 3_600_000
    case UInt8(ascii: "M"): return number * 60_000
    case UInt8(ascii: "S"): return number * 1_000
    case UInt8(ascii: "m"): return number
    case UInt8(ascii: "u"): return number / 1_000
    case UInt8(ascii: "n"): return number / 1_000_000
    default: throw .malformed("grpc-timeout has no unit")
    }
  }
}

/// Section 8.3.1: each at most once, the first three always.
private struct PseudoFields {
  private var method: ArraySlice<UInt8>?
  private var scheme: ArraySlice<UInt8>?
  private var authority: ArraySlice<UInt8>?
  private var target: ArraySlice<UInt8>?

  var path: ArraySlice<UInt8> { target ?? [] }

  var isPost: Bool { method?.elementsEqual("POST".utf8) == true }

  mutating func take(_ field: HeaderField) throws(RequestHead.Refusal) {
    if field.name.elementsEqual(":path".utf8), target == nil {
      target = field.value
    } else if field.name.elementsEqual(":method".utf8), method == nil {
      method = field.value
    } else if field.name.elementsEqual(":scheme".utf8), scheme == nil {
      scheme = field.value
    } else if field.name.elementsEqual(":authority".utf8), authority == nil {
      authority = field.value
    } else {
      throw .malformed("a pseudo-header field that is not known, or twice")
    }
  }

  func check() throws(RequestHead.Refusal) {
    guard method != nil, scheme != nil, path.first == UInt8(ascii: "/") else {
      throw .malformed("a request without :method, :scheme or :path")
    }
  }
}
