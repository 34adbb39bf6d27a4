public import GRPCNIOTransportHTTP2Posix
internal import Listening
internal import NIOCore

/// Where to bind; a name that can't be resolved is left as it is, and binding fails for it.
public func listenAddress(host: String, port: Int) -> GRPCNIOTransportCore.SocketAddress {
  let resolved = (try? listenSocketAddress(host: host, port: port))?.ipAddress ?? host
  return resolved.contains(":") ? .ipv6(host: resolved, port: port) : .ipv4(host: resolved, port: port)
}
