import Glibc
import TestServers

/// A port of this machine that takes connections and never says a word: a process that hangs. The kernel takes them.
final class SilentListener: Sendable {
  let address: String
  private let descriptor: Int32

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw TestServerError("no socket: errno \(errno)") }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &name) { [descriptor] pointer in
      // A sockaddr_in is a sockaddr by C's convention for socket addresses.
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        guard bind(descriptor, generic, length) == 0, listen(descriptor, 64) == 0 else { return Int32(-1) }
        return getsockname(descriptor, generic, &length)
      }
    }
    guard code == 0 else { throw TestServerError("no silent listener: errno \(errno)") }
    address = "127.0.0.1:\(UInt16(bigEndian: name.sin_port))"
  }

  deinit { Glibc.close(descriptor) }
}
