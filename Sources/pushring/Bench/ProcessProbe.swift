internal import BenchResults
internal import Foundation

/// What the operating system says of processes and of itself, from /proc.
enum ProcessProbe {
  struct Reading: Sendable {
    let cpuSeconds: Double
    /// Memory of the process' own: anonymous pages, in memory.
    let userBytes: UInt64
  }

  /// Zeroes when the process has ended.
  static func read(_ processID: Int32) -> Reading {
    Reading(cpuSeconds: cpuSeconds(processID), userBytes: userBytes(processID))
  }

  private static let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))

  static func cpuSeconds(_ processID: Int32) -> Double {
    guard let stat = text("/proc/\(processID)/stat"), let end = stat.lastIndex(of: ")") else { return 0 }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    // The 14th and 15th of all; two are before the ")".
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
    return (user + system) / ticks
  }

  static func userBytes(_ processID: Int32) -> UInt64 {
    guard let status = text("/proc/\(processID)/status") else { return 0 }
    return kilobytes("RssAnon:", in: status) * 1_024
  }

  /// Kernel memory for sockets on the whole machine: the slab caches of sockets, files, epoll entries and buffers' heads
  /// (`/proc/slabinfo`, which only root may read), and the pages in TCP's buffers. Without root the whole slab, in which
  /// all else that happens on the machine is noise.
  static var socketBytes: UInt64 {
    guard let slabs = text("/proc/slabinfo") else {
      return kilobytes("Slab:", in: text("/proc/meminfo") ?? "") * 1_024 + socketBufferBytes
    }
    return slabs.split(separator: "\n").reduce(socketBufferBytes) { sum, line in
      let fields = line.split(separator: " ", omittingEmptySubsequences: true)
      guard fields.count > 3, socketCaches.contains(String(fields[0])), let count = UInt64(fields[1]),
        let size = UInt64(fields[3])
      else { return sum }
      return sum + count * size
    }
  }

  private static let socketCaches: Set<String> = [
    "TCP", "sock_inode_cache", "filp", "eventpoll_epi", "eventpoll_pwq", "skbuff_head_cache", "skbuff_small_head",
    "skbuff_fclone_cache", "lsm_inode_cache", "lsm_file_cache", "tcp_bind_bucket", "tcp_bind2_bucket",
  ]

  static var cpuTimes: CPUTimes? { text("/proc/stat").flatMap(CPUTimes.init) }

  static var availableBytes: UInt64 { kilobytes("MemAvailable:", in: text("/proc/meminfo") ?? "") * 1_024 }

  /// Pages in socket buffers, of TCP.
  private static var socketBufferBytes: UInt64 {
    let line = (text("/proc/net/sockstat") ?? "").split(separator: "\n").first { $0.hasPrefix("TCP:") }
    let fields = line?.split(separator: " ").map(String.init) ?? []
    guard let index = fields.firstIndex(of: "mem"), index + 1 < fields.count, let pages = UInt64(fields[index + 1])
    else {
      return 0
    }
    return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
  }

  /// Connections that the kernel has turned away since it started, in this network namespace, because a listener's queue
  /// was full.
  static var listenDrops: Int {
    let lines = (text("/proc/net/netstat") ?? "").split(separator: "\n").filter { $0.hasPrefix("TcpExt:") }
    guard lines.count == 2 else { return 0 }
    let names = lines[0].split(separator: " ")
    let values = lines[1].split(separator: " ")
    return zip(names, values).first { $0.0 == "ListenDrops" }.flatMap { Int($0.1) } ?? 0
  }

  /// How many local ports connects from one address to one destination can have.
  static var localPorts: Int {
    let numbers = (text("/proc/sys/net/ipv4/ip_local_port_range") ?? "").split { $0 == "\t" || $0 == " " || $0 == "\n" }
      .compactMap { Int($0) }
    return numbers.count == 2 ? numbers[1] - numbers[0] + 1 : 28_232
  }

  static var machine: Machine {
    let processor = (text("/proc/cpuinfo") ?? "").split(separator: "\n").first { $0.hasPrefix("model name") }
      .flatMap { $0.split(separator: ":").last }.map { $0.trimmingCharacters(in: .whitespaces) }
    return Machine(
      cores: ProcessInfo.processInfo.activeProcessorCount, processor: processor ?? "unknown",
      kernel: (text("/proc/sys/kernel/osrelease") ?? "unknown").trimmingCharacters(in: .whitespacesAndNewlines),
      memoryBytes: ProcessInfo.processInfo.physicalMemory)
  }

  /// All of it: Foundation reads a file whose size is given as 0, as all in /proc are, only up to its first page.
  private static func text(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer.prefix(count) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func kilobytes(_ name: String, in text: String) -> UInt64 {
    let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
    return line?.split(separator: " ").compactMap { UInt64($0) }.first ?? 0
  }
}
