internal import Glibc
internal import Logging
internal import Metrics

/// How many files this process may have open; each stream is one.
enum DescriptorLimit {
  /// What a process needs besides its streams.
  private static let spare = 200

  /// Raises the soft limit to the hard one: what containers have as soft limit, often 1,024, protects programs that use
  /// select(2), which nothing here does.
  ///
  /// - Returns: the limit that is in force.
  @discardableResult
  static func raise() -> Int {
    let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    getrlimit(files, &limit)
    limit.rlim_cur = limit.rlim_max
    setrlimit(files, &limit)
    getrlimit(files, &limit)
    return Int(clamping: limit.rlim_cur)
  }

  /// For a server: says what it is, in a metric and, where `sessions` do not fit, in the log.
  static func raise(forSessions sessions: Int = 0, _ logger: Logger) -> Int {
    let limit = raise()
    Gauge(label: "pushring_descriptor_limit").record(limit)
    if sessions + spare > limit {
      logger.warning(
        "This process may open fewer files than --max-sessions needs: raise its hard limit (ulimit -Hn, LimitNOFILE)",
        metadata: ["limit": "\(limit)", "max.sessions": "\(sessions)"])
    }
    return limit
  }
}
