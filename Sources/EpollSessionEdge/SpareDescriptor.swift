internal import Glibc
internal import Synchronization

/// One descriptor in reserve, to accept and close a connection with when there are no others.
final class SpareDescriptor: Sendable {
  private let descriptor = Mutex(SpareDescriptor.opened())

  private static func opened() -> Int32 { open("/dev/null", O_RDONLY | O_CLOEXEC) }

  /// Accepts one connection and closes it.
  func refuseOne(at listener: ListeningSocket) {
    descriptor.withLock { descriptor in
      if descriptor >= 0 { close(descriptor) }
      if case .connection(let socket, _) = listener.accept() { close(socket) }
      descriptor = Self.opened()
    }
  }

  deinit {
    let last = descriptor.withLock { $0 }
    if last >= 0 { close(last) }
  }
}
