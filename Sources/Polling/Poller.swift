/// The kernel's readiness notifications (epoll) for the sockets of one thread, and non-blocking reads and writes on them. The
/// session edge and the benchmark's clients are built on it.
internal import CEpoll
internal import Glibc

/// One thread's epoll instance, with a descriptor that wakes it.
package struct Poller: ~Copyable {
  private let descriptor: Int32
  private let wakeDescriptor: WakeDescriptor
  private var events: [epoll_event]

  /// What became ready.
  package struct Ready: Sendable {
    /// As it was given to `add`.
    package let token: UInt64
    package let isReadable: Bool
    package let isWritable: Bool
    package let isBroken: Bool
  }

  /// The token under which `wake` is reported, and not handed out.
  private static let wakeToken = UInt64.max

  package init() throws(SystemCallError) {
    let (descriptor, wakeDescriptor) = try Self.open()
    self.descriptor = descriptor
    self.wakeDescriptor = wakeDescriptor
    events = Array(repeating: epoll_event(), count: 512)
  }

  private static func open() throws(SystemCallError) -> (descriptor: Int32, wakeDescriptor: WakeDescriptor) {
    let wakeDescriptor = eventfd(0, eventfd_flags)
    guard wakeDescriptor >= 0 else { throw SystemCallError("eventfd") }
    let owned = WakeDescriptor(wakeDescriptor)
    let descriptor = epoll_create1(epoll_close_on_exec)
    guard descriptor >= 0 else { throw SystemCallError("epoll_create1") }
    var event = epoll_event(events: epoll_readable, data: epoll_data_t(u64: wakeToken))
    guard epoll_ctl(descriptor, epoll_add, owned.number, &event) == 0 else {
      let error = SystemCallError("epoll_ctl")
      close(descriptor)
      throw error
    }
    return (descriptor, owned)
  }

  deinit { close(descriptor) }

  /// For other threads. Without effect once the poller is gone.
  package var wake: PollerWake { PollerWake(descriptor: wakeDescriptor) }

  package func add(_ socket: Int32, token: UInt64, writable: Bool) throws(SystemCallError) {
    try control(epoll_add, socket, token, writable: writable)
  }

  package func change(_ socket: Int32, token: UInt64, writable: Bool) throws(SystemCallError) {
    try control(epoll_modify, socket, token, writable: writable)
  }

  /// Closing a socket does the same.
  package func remove(_ socket: Int32) {
    var event = epoll_event()
    _ = epoll_ctl(descriptor, epoll_delete, socket, &event)
  }

  private func control(_ operation: Int32, _ socket: Int32, _ token: UInt64, writable: Bool) throws(SystemCallError) {
    let interest = epoll_readable | (writable ? epoll_writable : 0)
    var event = epoll_event(events: interest, data: epoll_data_t(u64: token))
    guard epoll_ctl(descriptor, operation, socket, &event) == 0 else { throw SystemCallError("epoll_ctl") }
  }

  /// Waits until something is ready, the poller is woken, or the time is over.
  ///
  /// - Parameter ready: what is ready is appended.
  package mutating func wait(milliseconds: Int32, into ready: inout [Ready]) {
    let count = epoll_wait(descriptor, &events, Int32(events.count), milliseconds)
    guard count > 0 else { return }
    for event in events[..<Int(count)] {
      guard event.data.u64 != Self.wakeToken else {
        var value: UInt64 = 0
        _ = read(wakeDescriptor.number, &value, 8)
        continue
      }
      ready.append(
        Ready(
          token: event.data.u64, isReadable: event.events & epoll_readable != 0,
          isWritable: event.events & epoll_writable != 0, isBroken: event.events & epoll_broken != 0))
    }
  }
}

/// Wakes a poller from any thread.
package struct PollerWake: Sendable {
  fileprivate let descriptor: WakeDescriptor

  package func callAsFunction() {
    var one: UInt64 = 1
    _ = write(descriptor.number, &one, 8)
  }
}

/// An eventfd; open as long as the poller or anybody who may wake it, so that none of these writes to another file.
private final class WakeDescriptor: Sendable {
  let number: Int32
  init(_ number: Int32) { self.number = number }
  deinit { close(number) }
}

/// A call of the system that failed.
package struct SystemCallError: Error, Hashable, Sendable, CustomStringConvertible {
  package let call: String
  package let code: Int32

  /// With the present `errno`.
  package init(_ call: String) {
    self.init(call, code: errno)
  }

  package init(_ call: String, code: Int32) {
    self.call = call
    self.code = code
  }

  package var description: String { "\(call): \(String(cString: strerror(code)))" }
}

/// Nanoseconds of the clock that all processes of this machine share and nobody sets: what a message's due time is given
/// in.
package func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
