internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix

/// "HOST:PORT" or "[IPv6]:PORT" as gRPC wants it.
struct PeerAddress {
  let host: String
  let port: Int

  init(_ text: String) throws(SenderError) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (1...65_535).contains(port), colon != text.startIndex
    else { throw SenderError(message: "\"\(text)\" is no HOST:PORT; set --peer-advertise on that pod") }
    self.port = port
    host = String(text[..<colon])
  }

  var target: any ResolvableTarget {
    if host.hasPrefix("[") { return .ipv6(address: String(host.dropFirst().dropLast()), port: port) }
    if host.allSatisfy({ $0.isNumber || $0 == "." }) { return .ipv4(address: host, port: port) }
    return .dns(host: host, port: port)
  }
}
