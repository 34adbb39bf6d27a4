internal import Glibc
internal import Polling

/// Connecting, as a load client needs it.
enum Socket {
  /// - Parameter source: connects from 127.0.0.0 and so much.
  static func connecting(to address: sockaddr_in, from source: UInt32) throws(SystemCallError) -> Int32 {
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(AF_INET, kind, 0)
    guard descriptor >= 0 else { throw SystemCallError("socket") }
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    let isLoopback = UInt32(bigEndian: address.sin_addr.s_addr) >> 24 == 127
    if isLoopback, source > 1 {
      // The port is chosen at the connect, so that it need not be free for every destination.
      setsockopt(descriptor, Int32(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT, &one, 4)
      var own = sockaddr_in()
      own.sin_family = sa_family_t(AF_INET)
      own.sin_addr.s_addr = (UInt32(127) << 24 | source).bigEndian
      guard bound(descriptor, &own) else {
        let error = SystemCallError("bind to 127.0.0.\(source)")
        close(descriptor)
        throw error
      }
    }
    var target = address
    let result = withUnsafePointer(to: &target) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 || errno == EINPROGRESS else {
      let error = SystemCallError("connect")
      close(descriptor)
      throw error
    }
    return descriptor
  }

  private static func bound(_ descriptor: Int32, _ address: inout sockaddr_in) -> Bool {
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }
}
