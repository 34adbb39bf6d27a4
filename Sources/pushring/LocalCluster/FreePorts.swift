internal import Foundation

/// Ports of 127.0.0.1 that nobody listens on. They are all held at once while they are chosen, so they differ; somebody
/// else may take one before it is used, and then its server says so.
func freePorts(_ count: Int) throws -> [Int] {
  var sockets: [Int32] = []
  defer { sockets.forEach { _ = close($0) } }
  return try (0..<count).map { _ in
    #if canImport(Darwin)
    let descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #else
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #endif
    guard descriptor >= 0 else { throw Failure("can't open a socket: errno \(errno)") }
    sockets.append(descriptor)
    return try boundPort(descriptor)
  }
}

private func boundPort(_ descriptor: Int32) throws -> Int {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  // The address is a plain C structure of the size that is passed, and outlives both calls.
  let result = withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
      bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
    }
  }
  guard result else { throw Failure("can't bind a port of 127.0.0.1: errno \(errno)") }
  return Int(UInt16(bigEndian: address.sin_port))
}
