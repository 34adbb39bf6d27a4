import Glibc
import TestServers

/// A peer that opens an HTTP/2 connection and a call by hand, then neither reads nor answers: what a device that lost
/// its network looks like.
final class SilentPeer: Sendable {
  private let socket: Int32

  /// - Parameter address: "127.0.0.1:PORT".
  init(_ address: String) throws {
    let port = UInt16(address.split(separator: ":")[1]) ?? 0
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var target = sockaddr_in()
    target.sin_family = sa_family_t(AF_INET)
    target.sin_port = port.bigEndian
    target.sin_addr.s_addr = inet_addr("127.0.0.1")
    let result = withUnsafePointer(to: &target) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw TestServerError("cannot connect to \(address): errno \(errno)") }
  }

  /// The connection preface, empty SETTINGS, and HEADERS of a call, each header field as a literal without indexing.
  func openCall(_ path: String) throws {
    let fields = [
      (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"), ("te", "trailers"),
      ("content-type", "application/grpc"),
    ]
    var block: [UInt8] = []
    for (name, value) in fields {
      block += [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
    }
    let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
    let headers: [UInt8] = [0, 0, UInt8(block.count), 1, 4, 0, 0, 0, 1] + block
    let all = preface + settings + headers
    guard write(socket, all, all.count) == all.count else { throw TestServerError("cannot write: errno \(errno)") }
  }

  func close() { _ = Glibc.close(socket) }
}
