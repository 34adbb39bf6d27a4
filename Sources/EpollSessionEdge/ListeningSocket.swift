internal import CEpoll
internal import Glibc
internal import Listening
internal import NIOCore
internal import Polling
internal import SessionEdge

/// A TCP socket that listens, non-blocking.
final class ListeningSocket: Sendable {
  let descriptor: Int32
  /// "host:port" as it is bound.
  let address: String

  /// Connections that the kernel completes before they are accepted, as many as it allows (net.core.somaxconn, 4,096 on
  /// Linux since 5.4): ten thousand clients may come back in the same second.
  private static let backlog: Int32 = 65_535

  init(_ configuration: EdgeConfiguration) throws(EdgeError) {
    guard (0...65535).contains(configuration.port) else {
      throw EdgeError(message: "can't listen on port \(configuration.port): a port is 0 (any) to 65535")
    }
    do {
      let target = try listenSocketAddress(host: configuration.host, port: configuration.port)
      descriptor = try Self.listen(on: target)
      address = try Self.boundAddress(of: descriptor)
    } catch {
      throw EdgeError(
        message: ListenFailure(
          error, what: "for clients", host: configuration.host, port: configuration.port, flag: "--listen"
        ).description)
    }
  }

  deinit { close(descriptor) }

  private static func listen(on target: SocketAddress) throws -> Int32 {
    let family = target.protocol == .inet6 ? AF_INET6 : AF_INET
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(family, kind, 0)
    guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
    // Connections inherit it. A push is a write of its own, which waits for nothing.
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    let isBound = target.withSockAddr { pointer, size in bind(descriptor, pointer, socklen_t(size)) == 0 }
    guard isBound, Glibc.listen(descriptor, backlog) == 0 else {
      let error = IOError(errnoCode: errno, reason: "bind")
      close(descriptor)
      throw error
    }
    return descriptor
  }

  private static func boundAddress(of descriptor: Int32) throws -> String {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
    }
    guard result == 0 else { throw IOError(errnoCode: errno, reason: "getsockname") }
    let isVersion6 = storage.ss_family == sa_family_t(AF_INET6)
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let port = withUnsafeBytes(of: storage) { bytes in
      _ = inet_ntop(
        Int32(storage.ss_family), bytes.baseAddress! + (isVersion6 ? 8 : 4), &text, socklen_t(INET6_ADDRSTRLEN))
      return UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
    }
    let host = text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return isVersion6 ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  enum Accepted {
    case connection(Int32, PeerAddress)
    case none
    /// The process or the system has no descriptor left.
    case outOfDescriptors
    case failed(SystemCallError)
  }

  func accept() -> Accepted {
    var storage = sockaddr_storage()
    let connection = pushring_accept(descriptor, &storage)
    guard connection < 0 else { return .connection(connection, PeerAddress(storage)) }
    switch errno {
    case EAGAIN: return .none
    // Gone before it was accepted, or a network error of its own (accept(2)).
    case ECONNABORTED, EINTR, EPROTO: return accept()
    case EMFILE, ENFILE: return .outOfDescriptors
    default: return .failed(SystemCallError("accept"))
    }
  }
}
