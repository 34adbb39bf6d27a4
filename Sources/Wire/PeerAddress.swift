package import GRPCNIOTransportHTTP2Posix

/// "HOST:PORT" or "[IPv6]:PORT": where a pod's peers and Senders connect, as its member description says.
package struct PeerAddress: Hashable, Sendable {
  /// An IPv6 address stands in brackets.
  package let host: String
  package let port: Int

  package init(_ text: String) throws(PeerAddressError) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (1...65_535).contains(port), colon != text.startIndex
    else { throw PeerAddressError(message: "\"\(text)\" is no HOST:PORT; set --peer-advertise on that pod") }
    self.port = port
    host = String(text[..<colon])
  }

  /// Without brackets.
  package var bareHost: String {
    host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
  }

  package var target: any ResolvableTarget {
    if host.hasPrefix("[") { return .ipv6(address: bareHost, port: port) }
    if host.allSatisfy({ $0.isNumber || $0 == "." }) { return .ipv4(address: host, port: port) }
    return .dns(host: host, port: port)
  }
}

package struct PeerAddressError: Error, CustomStringConvertible {
  package let message: String
  package var description: String { message }
}
