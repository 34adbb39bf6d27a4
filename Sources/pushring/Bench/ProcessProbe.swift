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

  /// Slab memory of the whole machine: sockets, their buffers' heads, files, epoll entries.
  static var slabBytes: UInt64 { kilobytes("Slab:", in: text("/proc/meminfo") ?? "") * 1_024 }

  static var availableBytes: UInt64 { kilobytes("MemAvailable:", in: text("/proc/meminfo") ?? "") * 1_024 }

  /// Pages in socket buffers, of TCP.
  static var socketBufferBytes: UInt64 {
    let line = (text("/proc/net/sockstat") ?? "").split(separator: "\n").first { $0.hasPrefix("TCP:") }
    let fields = line?.split(separator: " ").map(String.init) ?? []
    guard let index = fields.firstIndex(of: "mem"), index + 1 < fields.count, let pages = UInt64(fields[index + 1])
    else {
      return 0
    }
    return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
  }

  /// How many local ports connects from one address to one destination can have.
  static var localPorts: Int {
    let numbers = (text("/proc/sys/net/ipv4/ip_local_port_range") ?? "").split { $0 == "\t" || $0 == " " || $0 == "\n" }
      .compactMap { Int($0) }
    return numbers.count == 2 ? numbers[1] - numbers[0] + 1 : 28_232
  }

  /// The soft limit is raised to the hard one first.
  static var descriptorLimit: Int {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Int(clamping: limit.rlim_max)
  }

  static var machine: Machine {
    let processor = (text("/proc/cpuinfo") ?? "").split(separator: "\n").first { $0.hasPrefix("model name") }
      .flatMap { $0.split(separator: ":").last }.map { $0.trimmingCharacters(in: .whitespaces) }
    return Machine(
      cores: ProcessInfo.processInfo.activeProcessorCount, processor: processor ?? "unknown",
      kernel: (text("/proc/sys/kernel/osrelease") ?? "unknown").trimmingCharacters(in: .whitespacesAndNewlines),
      memoryBytes: ProcessInfo.processInfo.physicalMemory)
  }

  private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

  private static func kilobytes(_ name: String, in text: String) -> UInt64 {
    let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
    return line?.split(separator: " ").compactMap { UInt64($0) }.first ?? 0
  }
}
