internal import CEpoll
internal import Glibc

/// A client's IP address, without its port.
enum PeerAddress: Hashable, Sendable {
  case version4(UInt32)
  case version6(UInt64, UInt64)

  init(_ storage: sockaddr_storage) {
    self = withUnsafeBytes(of: storage) { bytes in
      // The addresses lie at fixed places behind family and port: RFC 3493, section 3.3, and ip(7).
      if storage.ss_family == sa_family_t(AF_INET6) {
        return .version6(
          bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
          bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
      }
      return .version4(bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    }
  }
}
