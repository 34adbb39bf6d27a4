internal import Foundation
internal import Logging
internal import Placement
internal import RedisClient
internal import RedisDirectory
internal import Settings
internal import Synchronization
internal import Wire

/// A private cluster: redis-server, pods and a Sender as processes of their own, as they would run in earnest.
///
/// All files are in one temporary directory, and all processes are known by id, so that nothing is left behind.
final class LocalCluster: Sendable {
  let name: String
  let redisPort: Int
  let sender: HostAndPort
  /// As many as were asked for; a spare one may be started later.
  let pods: [Pod]
  private let directory: URL
  private let executable: URL
  private let redisServer: String
  private let logger: Logger
  private let processes = Mutex<[(name: String, process: Process)]>([])

  struct Pod: Sendable, Hashable {
    let id: String
    let endpoint: String
    let peerEndpoint: String
    let administration: String
  }

  /// - Parameters:
  ///   - name: of the cluster, and in the names of files.
  ///   - redis: one that runs; nil: `startRedis` starts a private one.
  ///   - podCPUs: the cores that pods may run on, as taskset(1) takes them; nil: all.
  ///   - podFlags: more flags for each pod.
  init(
    name: String, pods count: Int, redisServer: String, redis: String? = nil, podCPUs: String? = nil,
    podFlags: [String] = [], logger: Logger
  ) throws {
    self.podCPUs = podCPUs
    self.podFlags = podFlags
    givenRedis = redis
    self.name = name
    guard let executable = Bundle.main.executableURL else { throw Failure("can't find this program's own file") }
    self.executable = executable
    self.redisServer = redisServer
    self.logger = logger
    let ports = try freePorts(3 + 3 * count)
    redisPort = ports[0]
    sender = HostAndPort(host: "127.0.0.1", port: ports[1])
    senderAdministration = "127.0.0.1:\(ports[2])"
    pods = (0..<count).map { index in
      let first = 3 + 3 * index
      return Pod(
        id: "pod-\(index)", endpoint: "127.0.0.1:\(ports[first])", peerEndpoint: "127.0.0.1:\(ports[first + 1])",
        administration: "127.0.0.1:\(ports[first + 2])")
    }
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("pushring-\(name)-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  let senderAdministration: String

  private let podCPUs: String?
  private let podFlags: [String]
  private let givenRedis: String?
  var redisURL: String { givenRedis ?? "redis://127.0.0.1:\(redisPort)" }

  // MARK: Starting

  func startRedis() throws {
    guard givenRedis == nil else { return }
    let arguments = [
      "--port", "\(redisPort)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", directory.path,
    ]
    guard let file = found(redisServer) else {
      throw Failure(
        "there is no program \(redisServer): install Redis (apt-get install redis-server), or say where it is "
          + "with --redis-server FILE")
    }
    try start("redis", file, arguments)
  }

  /// As a shell finds a command.
  private func found(_ command: String) -> URL? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let candidates = command.contains("/") ? [command] : folders.map { "\($0)/\(command)" }
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }.map { URL(fileURLWithPath: $0) }
  }

  func start(_ pod: Pod) throws {
    let arguments =
      [
        "session-manager", "--pod-id", pod.id, "--listen", pod.endpoint, "--peer-listen", pod.peerEndpoint,
        "--admin-listen", pod.administration, "--advertise", pod.endpoint, "--peer-advertise", pod.peerEndpoint,
        "--redis", redisURL, "--cluster", name,
      ] + podFlags
    guard let podCPUs else { return try start(pod.id, executable, arguments) }
    guard let taskset = found("taskset") else { throw Failure("there is no taskset here (Debian: util-linux)") }
    try start(pod.id, taskset, ["-c", podCPUs, executable.path] + arguments)
  }

  func startSender(_ more: [String] = []) throws {
    try start(
      "sender", executable,
      [
        "sender", "--listen", sender.description, "--admin-listen", senderAdministration, "--redis", redisURL,
        "--cluster", name,
      ] + more)
  }

  private func start(_ name: String, _ executable: URL, _ arguments: [String]) throws {
    let log = logFile(name)
    _ = FileManager.default.createFile(atPath: log.path, contents: nil)
    let output = try FileHandle(forWritingTo: log)
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    // Settings of the caller are for the caller's cluster.
    process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PUSHRING_") }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = output
    try process.run()
    processes.withLock { $0.append((name, process)) }
  }

  // MARK: Waiting

  /// Runs `body` with access to the cluster's registry.
  func withRegistry<Value: Sendable>(_ body: @escaping @Sendable (RedisDirectory) async throws -> Value) async throws
    -> Value
  {
    let settings = try SettingValues(flags: ["redis": redisURL, "cluster": name], environment: [:])
    return try await RegistryAccess(settings, logger: logger).use(body)
  }

  /// Until `condition` holds, which is looked at again and again; a process that ended meanwhile ends the waiting.
  func wait(for what: String, limit: Duration, until condition: () async throws -> Bool) async throws {
    let start = ContinuousClock.now
    while try await !condition() {
      if let ended = processes.withLock({ $0.first { !$0.process.isRunning && !$0.name.isEmpty }?.name }) {
        throw Failure("\(ended) ended while waiting for \(what)")
      }
      guard start.duration(to: .now) < limit else { throw Failure("\(what): nothing after \(limit)") }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  // MARK: Ending

  /// SIGKILL, as from a machine that loses power.
  func kill(_ pod: Pod) {
    let killed = processes.withLock { processes in
      let killed = processes.first { $0.name == pod.id }?.process
      processes.removeAll { $0.name == pod.id }
      return killed
    }
    killed.map(end)
  }

  /// By name: "redis", "sender", or a pod's id. Nil when it is not running.
  func processID(_ name: String) -> Int32? {
    processes.withLock { $0.first { $0.name == name }?.process }.flatMap { $0.isRunning ? $0.processIdentifier : nil }
  }

  func signal(_ name: String, _ number: Int32) {
    if let id = processID(name) { Foundation.kill(id, number) }
  }

  /// SIGTERM, as from an orchestrator that takes the pod away.
  /// - Returns: the exit code; nil when it had not ended by then, and was killed.
  func drain(_ pod: Pod, limit: Duration) async throws -> Int32? {
    let drained = processes.withLock { processes in
      let drained = processes.first { $0.name == pod.id }?.process
      processes.removeAll { $0.name == pod.id }
      return drained
    }
    guard let drained else { return nil }
    drained.terminate()
    let deadline = ContinuousClock.now + limit
    while drained.isRunning, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(20)) }
    guard !drained.isRunning else {
      end(drained)
      return nil
    }
    return drained.terminationStatus
  }

  /// This program with the cluster's registry, as an operator would run it.
  /// - Returns: the exit code, and what it printed to stdout.
  func command(_ arguments: [String]) async throws -> (code: Int32, output: String) {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments + ["--redis", redisURL, "--cluster", name]
    process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PUSHRING_") }
    process.standardInput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let text = try await Task.detached {
      String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    }.value
    process.waitUntilExit()
    return (process.terminationStatus, text)
  }

  /// SIGKILL for redis-server, which then can be started again: empty.
  func killRedis() {
    let killed = processes.withLock { processes in
      let killed = processes.first { $0.name == "redis" }?.process
      processes.removeAll { $0.name == "redis" }
      return killed
    }
    killed.map(end)
  }

  /// Ends all processes and removes their files.
  func removeEverything() {
    for (_, process) in processes.withLock({ $0 }).reversed() { end(process) }
    processes.withLock { $0 = [] }
    try? FileManager.default.removeItem(at: directory)
  }

  private func end(_ process: Process) {
    guard process.isRunning else { return }
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  // MARK: Telling

  private func logFile(_ name: String) -> URL { directory.appendingPathComponent("\(name).log") }

  var newestLogLines: String {
    processes.withLock { $0.map(\.name) }.map { name in
      let text = (try? String(contentsOf: logFile(name), encoding: .utf8)) ?? ""
      return "--- the newest lines of \(name)\n" + text.split(separator: "\n").suffix(8).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  var commandsToTry: String {
    let program = CommandLine.arguments[0]
    let registry = "--redis \(redisURL) --cluster \(name)"
    let running = processes.withLock { $0.map { String($0.process.processIdentifier) } }
    return """

      The cluster is still running. To try, in two terminals:

        \(program) connect --endpoint \(pods.map(\.endpoint).joined(separator: ",")) --user alice
        \(program) push --sender \(sender) --user alice --message hello

        \(program) ring inspect \(registry)
        \(program) ring owner alice \(registry)
        \(program) sessions alice \(registry)
        curl http://\(senderAdministration)/metrics

      Logs are in \(directory.path). To stop it:

        kill \(running.joined(separator: " ")); rm -r \(directory.path)

      """
  }
}
