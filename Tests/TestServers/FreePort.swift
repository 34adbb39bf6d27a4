#if canImport(Glibc)
import Glibc
#endif

/// A loopback TCP port that nobody listened on a moment ago. Somebody else may take it before it is used: whoever
/// starts a server on it should try again with another one, as `RedisServer` does.
public func freePort() throws -> Int {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  guard descriptor >= 0 else { throw TestServerError("no socket: errno \(errno)") }
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let code = withUnsafeMutablePointer(to: &address) { pointer in
    // A sockaddr_in is a sockaddr by C's convention for socket addresses.
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
      bind(descriptor, generic, length) == 0 ? getsockname(descriptor, generic, &length) : -1
    }
  }
  guard code == 0 else { throw TestServerError("no free loopback port: errno \(errno)") }
  return Int(UInt16(bigEndian: address.sin_port))
}
