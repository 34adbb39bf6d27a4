internal import Glibc

/// How many of the process' descriptors clients may have. The rest is for what has to work when strangers have taken all of these:
/// Redis, the other pods, Senders, probes and metrics.
enum DescriptorShare {
  /// As of now: the limit can be changed while the process runs.
  static var connections: Int {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let files = Int(clamping: limit.rlim_cur)
    return max(1, files - min(max(files / 32, 48), 1_024))
  }
}
