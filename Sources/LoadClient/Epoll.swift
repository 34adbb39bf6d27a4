internal import CEpoll
internal import Glibc

/// The kernel's readiness notifications for one thread's sockets, and a way to wake it.
struct Epoll: ~Copyable {
  private let descriptor: Int32
  private let wakeDescriptor: Int32
  private var events: [epoll_event]

  /// What became ready.
  struct Ready {
    /// As it was given to `add`.
    let token: UInt64
    let isReadable: Bool
    let isWritable: Bool
    let isBroken: Bool
  }

  /// The token under which `wake` is reported.
  static let wakeToken = UInt64.max

  static func make() throws(LoadClientError) -> Epoll {
    let descriptor = epoll_create1(epoll_close_on_exec)
    guard descriptor >= 0 else { throw LoadClientError.system("epoll_create1") }
    let wakeDescriptor = eventfd(0, eventfd_flags)
    guard wakeDescriptor >= 0 else {
      close(descriptor)
      throw LoadClientError.system("eventfd")
    }
    var event = epoll_event(events: epoll_readable, data: epoll_data_t(u64: wakeToken))
    guard epoll_ctl(descriptor, epoll_add, wakeDescriptor, &event) == 0 else {
      close(descriptor)
      close(wakeDescriptor)
      throw LoadClientError.system("epoll_ctl")
    }
    return Epoll(descriptor: descriptor, wakeDescriptor: wakeDescriptor)
  }

  private init(descriptor: Int32, wakeDescriptor: Int32) {
    self.descriptor = descriptor
    self.wakeDescriptor = wakeDescriptor
    events = Array(repeating: epoll_event(), count: 512)
  }

  deinit {
    close(wakeDescriptor)
    close(descriptor)
  }

  /// For other threads: write eight bytes to it.
  var wakeHandle: Int32 { wakeDescriptor }

  func add(_ socket: Int32, token: UInt64, writable: Bool) throws(LoadClientError) {
    try control(epoll_add, socket, token, writable: writable)
  }

  func change(_ socket: Int32, token: UInt64, writable: Bool) throws(LoadClientError) {
    try control(epoll_modify, socket, token, writable: writable)
  }

  private func control(_ operation: Int32, _ socket: Int32, _ token: UInt64, writable: Bool) throws(LoadClientError) {
    let interest = epoll_readable | (writable ? epoll_writable : 0)
    var event = epoll_event(events: interest, data: epoll_data_t(u64: token))
    guard epoll_ctl(descriptor, operation, socket, &event) == 0 else { throw LoadClientError.system("epoll_ctl") }
  }

  /// - Parameter milliseconds: how long to wait at most.
  mutating func wait(milliseconds: Int32, _ handle: (Ready) -> Void) {
    let count = epoll_wait(descriptor, &events, Int32(events.count), milliseconds)
    guard count > 0 else { return }
    for index in 0..<Int(count) {
      let event = events[index]
      if event.data.u64 == Self.wakeToken {
        var value: UInt64 = 0
        _ = read(wakeDescriptor, &value, 8)
        continue
      }
      handle(
        Ready(
          token: event.data.u64, isReadable: event.events & epoll_readable != 0,
          isWritable: event.events & epoll_writable != 0,
          isBroken: event.events & epoll_broken != 0))
    }
  }
}

/// What a load client can't do, and what to do about it.
public struct LoadClientError: Error, Hashable, Sendable, CustomStringConvertible {
  public let message: String
  public var description: String { message }

  public init(message: String) { self.message = message }

  static func system(_ call: String) -> LoadClientError {
    LoadClientError(message: "\(call): \(String(cString: strerror(errno)))")
  }
}

/// Nanoseconds of the clock that all processes of this machine share and nobody sets: what a message's due time is given
/// in.
public func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
