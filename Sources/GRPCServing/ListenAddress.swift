public import GRPCNIOTransportHTTP2Posix
internal import NIOCore

/// Where to bind. A host name is resolved, once; one that can't be is left as it is, and binding fails for it.
public func listenAddress(host: String, port: Int) -> GRPCNIOTransportCore.SocketAddress {
  let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
  let literal = bare == "localhost" ? "127.0.0.1" : bare
  let address = try? NIOCore.SocketAddress.makeAddressResolvingHost(literal, port: port)
  let resolved = address?.ipAddress ?? literal
  return resolved.contains(":") ? .ipv6(host: resolved, port: port) : .ipv4(host: resolved, port: port)
}
