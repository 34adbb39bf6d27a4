internal import CEpoll
internal import Glibc

/// Whom a limit for each address counts: an IPv4 address, or the half of an IPv6 address that names a network, for every
/// machine has 2^64 addresses within its own (RFC 4291, section 2.5.4). A reference, as most connections keep none.
indirect enum PeerAddress: Hashable, Sendable {
  case version4(UInt32)
  case version6Network(UInt64)

  init(_ storage: sockaddr_storage) {
    self = withUnsafeBytes(of: storage) { bytes in
      // The addresses lie at fixed places behind family and port: RFC 3493, section 3.3, and ip(7).
      func word<Word: FixedWidthInteger>(_ offset: Int, _: Word.Type) -> Word {
        Word(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Word.self))
      }
      guard storage.ss_family == sa_family_t(AF_INET6) else { return .version4(word(4, UInt32.self)) }
      // ::ffff:a.b.c.d, an IPv4 client of a socket that serves both (RFC 4291, section 2.5.5.2).
      if word(8, UInt64.self) == 0, word(16, UInt32.self) == 0xffff { return .version4(word(20, UInt32.self)) }
      return .version6Network(word(8, UInt64.self))
    }
  }
}

extension PeerAddress: CustomStringConvertible {
  var description: String {
    switch self {
    case .version4(let address):
      [24, 16, 8, 0].map { String(address >> $0 & 0xff) }.joined(separator: ".")
    case .version6Network(let network):
      [48, 32, 16, 0].map { String(network >> $0 & 0xffff, radix: 16) }.joined(separator: ":") + "::/64"
    }
  }
}
