package import NIOCore

/// Where to bind. A host name is resolved, once, which may block for as long as the system's resolver does.
///
/// - Throws: NIO's error for a name that can't be resolved; `ListenFailure` knows it.
package func listenSocketAddress(host: String, port: Int) throws -> SocketAddress {
  let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
  return try SocketAddress.makeAddressResolvingHost(bare == "localhost" ? "127.0.0.1" : bare, port: port)
}
