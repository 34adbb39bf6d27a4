internal import Glibc

/// Non-blocking reads and writes.
package enum SocketIO {
  package enum Read {
    case bytes(Int)
    case later
    case ended
    case failed(SystemCallError)
  }

  package static func read(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Read {
    let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
    if count > 0 { return .bytes(count) }
    guard count < 0 else { return .ended }
    return errno == EAGAIN || errno == EINTR ? .later : .failed(SystemCallError("recv"))
  }

  /// - Returns: how many bytes were taken; nil when the connection is broken.
  package static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int? {
    guard !bytes.isEmpty else { return 0 }
    let count = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    if count >= 0 { return count }
    return errno == EAGAIN || errno == EINTR ? 0 : nil
  }

  /// Why a socket is broken, by itself.
  package static func pendingError(_ descriptor: Int32) -> SystemCallError {
    var code: Int32 = 0
    var size = socklen_t(4)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
    return SystemCallError("socket", code: code)
  }
}
