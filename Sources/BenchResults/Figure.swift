/// A figure of a result, with its name for people.
public struct Figure: Sendable {
  /// As in the JSON.
  public let key: String
  public let title: String
  public let unit: String
  public let value: @Sendable (BenchResult) -> Double?

  /// Drawn as bars where several results stand side by side.
  static let compared = all.filter {
    [
      "userBytesPerSession", "kernelBytesPerSession", "connectsPerCPUSecond", "pushesPerSecond",
      "pushesPerPodCPUSecond",
      "rpcsPerPush", "registryReadsPerPush", "latencyP99Ms", "missed",
    ].contains($0.key)
  }

  public static let all: [Figure] = [
    Figure(key: "userBytesPerSession", title: "User-space memory per session", unit: "bytes") {
      $0.userBytesPerSession
    },
    Figure(key: "kernelBytesPerSession", title: "Kernel memory per session", unit: "bytes") {
      $0.kernelBytesPerSession
    },
    Figure(key: "idleCPUMicrosecondsPerSession", title: "CPU per idle session and second", unit: "µs") {
      $0.idleCPUMicrosecondsPerSession
    },
    Figure(key: "connectsPerSecond", title: "Sessions connected per second", unit: "") { $0.connectsPerSecond },
    Figure(key: "connectsPerCPUSecond", title: "Sessions connected per CPU second of the pods", unit: "") {
      $0.connectsPerCPUSecond
    },
    Figure(key: "listenDrops", title: "Connections dropped by the kernel", unit: "") {
      $0.listenDrops.map(Double.init)
    },
    Figure(key: "stormSeconds", title: "Until all were welcomed", unit: "s") { $0.stormSeconds },
    Figure(key: "connectP50Ms", title: "Connect to Welcome, p50", unit: "ms") { $0.connectMs?.p50 },
    Figure(key: "connectP99Ms", title: "Connect to Welcome, p99", unit: "ms") { $0.connectMs?.p99 },
    Figure(key: "pushesPerSecond", title: "Pushes per second", unit: "") { $0.pushesPerSecond },
    Figure(key: "pushesPerPodCPUSecond", title: "Pushes per CPU second of the pods", unit: "") {
      $0.pushesPerPodCPUSecond
    },
    Figure(key: "pushesPerSenderCPUSecond", title: "Pushes per CPU second of the Sender", unit: "") {
      $0.pushesPerSenderCPUSecond
    },
    Figure(key: "redisCPUMicrosecondsPerPush", title: "Redis CPU per push", unit: "µs") {
      $0.redisCPUMicrosecondsPerPush
    },
    Figure(key: "rpcsPerPush", title: "RPCs per push", unit: "") { $0.rpcsPerPush },
    Figure(key: "registryReadsPerPush", title: "Registry reads per push", unit: "") { $0.registryReadsPerPush },
    Figure(key: "redisReadsPerPush", title: "HGETALL per push, counted by Redis", unit: "") { $0.redisReadsPerPush },
    Figure(key: "completeShare", title: "Pushes that were complete", unit: "share") { $0.completeShare },
    Figure(key: "latencyP50Ms", title: "Latency p50", unit: "ms") { $0.latencyMs?.p50 },
    Figure(key: "latencyP99Ms", title: "Latency p99", unit: "ms") { $0.latencyMs?.p99 },
    Figure(key: "latencyP999Ms", title: "Latency p99.9", unit: "ms") { $0.latencyMs?.p999 },
    Figure(key: "latencyMaxMs", title: "Latency, largest", unit: "ms") { $0.latencyMs?.max },
    Figure(key: "stolenShare", title: "CPU time that the hypervisor took", unit: "share") { $0.stolenShare },
    Figure(key: "recoverySeconds", title: "From the fault until every session was live", unit: "s") {
      $0.recoverySeconds
    },
    Figure(key: "moves", title: "Sessions moved", unit: "") { $0.moves.map(Double.init) },
    Figure(key: "failedMoves", title: "Asked to move, and stayed", unit: "") { $0.failedMoves.map(Double.init) },
    Figure(key: "idealMoveShare", title: "What had to move, by the ring", unit: "share") { $0.idealMoveShare },
    Figure(key: "moveSeconds", title: "Until all had moved", unit: "s") { $0.moveSeconds },
    Figure(key: "moveP50Ms", title: "From the request to the Welcome elsewhere, p50", unit: "ms") { $0.moveMs?.p50 },
    Figure(key: "moveP99Ms", title: "The same, p99", unit: "ms") { $0.moveMs?.p99 },
    Figure(key: "strayShare", title: "Strays at the end", unit: "share") { $0.strayShare },
    Figure(key: "missed", title: "Sessions that a push should have reached and did not", unit: "") {
      $0.missed.map(Double.init)
    },
    Figure(key: "lost", title: "Delivered, by its result, and not arrived", unit: "") { $0.lost.map(Double.init) },
    Figure(key: "duplicated", title: "Arrived twice", unit: "") { $0.duplicated.map(Double.init) },
    Figure(key: "lostStreams", title: "Streams lost", unit: "") { $0.lostStreams.map(Double.init) },
  ]
}
