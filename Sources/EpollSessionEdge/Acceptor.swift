/// Accepts connections and hands them to the loops in turn.
internal import EdgeEngine
internal import Glibc
internal import Logging
internal import Polling
internal import Synchronization

struct Acceptor: Sendable {
  let listener: ListeningSocket
  let loops: [EdgeLoop]

  /// Under which the listener is in the poller.
  static let token = UInt64.max - 1
  /// Connections that are accepted before others are served again.
  private static let batch = 1_024

  /// Takes what waits to be accepted.
  func accept(_ shared: EdgeShared, now: Milliseconds) {
    let most = DescriptorShare.connections
    for _ in 0..<Self.batch {
      switch listener.accept() {
      case .connection(let socket, let address):
        guard loops.reduce(0, { $0 + $1.load.load(ordering: .relaxed) }) < most else {
          close(socket)
          return makeRoom(most, shared, now)
        }
        hand(socket, address, shared, now)
      case .none: return
      case .outOfDescriptors:
        shared.spare.refuseOne(at: listener)
        return makeRoom(most, shared, now)
      case .failed(let error):
        return shared.warn("A connection could not be accepted", ["error": "\(error)"], now: now)
      }
    }
  }

  private func hand(_ socket: Int32, _ address: PeerAddress, _ shared: EdgeShared, _ now: Milliseconds) {
    guard shared.admit(address, now: now) else {
      close(socket)
      return shared.warn(
        "A client address opens more connections than it may; they are closed",
        ["client.address": "\(address)", "limits": "--max-connections-per-address, --max-new-connections"], now: now)
    }
    let least = loops.min { $0.load.load(ordering: .relaxed) < $1.load.load(ordering: .relaxed) }
    least?.load.add(1, ordering: .relaxed)
    least?.post(.adopt(socket, address))
  }

  /// A connection was closed for want of descriptors: left alone, it would keep the listener ready, and its client waiting. Those that
  /// have a descriptor and no call make room for the next.
  private func makeRoom(_ most: Int, _ shared: EdgeShared, _ now: Milliseconds) {
    shared.warn(
      "The process has no descriptor left for another connection: raise its hard limit (ulimit -Hn, LimitNOFILE), or set --max-sessions",
      ["connections": "\(most)"], now: now)
    guard shared.maySweep(now) else { return }
    for loop in loops { loop.post(.shed) }
  }
}
