/// The machine's processor time since it started, in ticks, as the first line of `/proc/stat` has it (proc_stat(5)).
public struct CPUTimes: Hashable, Sendable {
  private let all: UInt64
  private let stolen: UInt64

  /// - Parameter text: of `/proc/stat`. Nil when its first line is none of processor times with "steal", which Linux has
  ///   had since 2.6.11.
  public init?(_ text: String) {
    let fields = text.prefix { $0 != "\n" }.split(separator: " ")
    let ticks = fields.dropFirst().compactMap { UInt64($0) }
    guard fields.first == "cpu", ticks.count >= 8, ticks.count == fields.count - 1 else { return nil }
    // What guests took comes after, and is in "user" and "nice" already.
    all = ticks[..<8].reduce(0, +)
    stolen = ticks[7]
  }

  /// What the hypervisor gave to others while this machine had something to run, of all its processor time.
  /// - Returns: from 0 to 1; nil if no time has passed.
  public func stolenShare(since earlier: CPUTimes) -> Double? {
    guard all > earlier.all, stolen >= earlier.stolen else { return nil }
    return Double(stolen - earlier.stolen) / Double(all - earlier.all)
  }
}
