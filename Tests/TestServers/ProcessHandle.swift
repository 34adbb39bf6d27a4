public import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// A child process of a test: its output in a file, its end an event, and no way to survive the test.
///
/// Each child has a thread of its own that spawns it and then blocks in `waitid` until it ends. That thread matters:
/// the child is started through `setpriv --pdeathsig KILL`, and Linux sends that signal when the *thread* that spawned
/// the child ends. A thread of Swift's pool may end when idle, ours ends only after the child; so the child dies
/// exactly when the test process does, however that happens (also by SIGKILL), and never before.
///
/// Signals go by process id, and only while the child is not reaped, so never to a stranger that got the same id.
public final class ProcessHandle: Sendable {
  public enum Exit: Sendable, Hashable {
    case code(Int32)
    case signal(Int32)
  }

  private enum State {
    case running
    case ended(Exit)
  }

  public let command: String
  public let processID: pid_t
  /// Standard output and standard error together.
  public let outputFile: URL
  private let state: SharedState

  /// Held by the handle and by the waiting thread, which must not keep the handle alive.
  private final class SharedState: Sendable {
    let mutex = Mutex(State.running)
  }

  /// - Parameters:
  ///   - executable: a name found in PATH, or a path.
  ///   - environment: added to the test's own.
  public init(
    _ executable: String, _ arguments: [String], environment: [String: String] = [:], outputFile: URL
  ) throws {
    command = ([executable] + arguments).joined(separator: " ")
    self.outputFile = outputFile
    let state = SharedState()
    self.state = state
    let spawned = SpawnResult()
    let words = ["setpriv", "--pdeathsig", "KILL", "--", executable] + arguments
    let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
    Thread.detachNewThread {
      let result = spawn(words, variables, outputFile.path)
      spawned.set(result)
      if case .success(let processID) = result { Self.awaitEnd(of: processID, state) }
    }
    processID = try spawned.wait().get()
  }

  deinit { signal(SIGKILL) }

  private static func awaitEnd(of processID: pid_t, _ state: SharedState) {
    var information = siginfo_t()
    // Leaves the zombie, so that the id can't be given away before the state says "ended".
    while waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) == -1 && errno == EINTR {}
    state.mutex.withLock { state in
      var status: Int32 = 0
      while waitpid(processID, &status, 0) == -1 && errno == EINTR {}
      let signal = status & 0x7f
      state = .ended(signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal))
    }
  }

  /// Nil while it runs.
  public var exit: Exit? {
    state.mutex.withLock { if case .ended(let exit) = $0 { exit } else { nil } }
  }

  public var output: String {
    (try? Data(contentsOf: outputFile)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// SIGTERM, SIGKILL, SIGSTOP, SIGCONT, …; nothing happens when it has ended.
  public func signal(_ number: Int32) {
    state.mutex.withLock { if case .running = $0 { _ = kill(processID, number) } }
  }

  /// The first line of output that contains `text`.
  @discardableResult
  public func line(containing text: String, within limit: Duration = .seconds(10)) async throws -> String {
    try await waitUntil("'\(command)' prints '\(text)'", within: limit) { () throws -> String? in
      let found = self.output.split(separator: "\n").first { $0.contains(text) }
      if let found { return String(found) }
      if let exit = self.exit { throw self.failure("ended (\(exit)) before it printed '\(text)'") }
      return nil
    }
  }

  /// Waits for its end, which is not an error whatever the code.
  @discardableResult
  public func awaitExit(within limit: Duration = .seconds(10)) async throws -> Exit {
    try await waitUntil("'\(command)' ends", within: limit) { self.exit }
  }

  /// SIGKILL, and waits until it is gone.
  public func killAndWait() async throws {
    signal(SIGKILL)
    try await awaitExit()
  }

  func failure(_ what: String) -> TestServerError {
    TestServerError("'\(command)' \(what). Its output:\n\(output.suffix(2_000))")
  }

  /// Runs a command to its end and gives its output; throws unless it exits with 0.
  @discardableResult
  public static func run(
    _ executable: String, _ arguments: [String], within limit: Duration = .seconds(20)
  ) async throws -> String {
    let directory = try TemporaryDirectory()
    let process = try ProcessHandle(executable, arguments, outputFile: directory.file("output"))
    let exit = try await process.awaitExit(within: limit)
    guard exit == .code(0) else { throw process.failure("ended with \(exit)") }
    return process.output
  }
}

/// Hands the spawning thread's result to the one that waits for it.
private final class SpawnResult: Sendable {
  private let result = Mutex<Result<pid_t, TestServerError>?>(nil)
  private let ready = DispatchSemaphore(value: 0)

  func set(_ value: Result<pid_t, TestServerError>) {
    result.withLock { $0 = value }
    ready.signal()
  }

  func wait() -> Result<pid_t, TestServerError> {
    ready.wait()
    return result.withLock { $0 } ?? .failure(TestServerError("the spawning thread gave no result"))
  }
}

/// A child that inherited the sockets of a test's clients would keep their connections open after the test closed them
/// (NIO's client sockets are not close-on-exec). glibc (2.34 or newer) has an action against that, which its Swift
/// module does not show.
private func closeFrom(_ actions: inout posix_spawn_file_actions_t, _ first: CInt) -> CInt {
  typealias AddCloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, CInt) -> CInt
  guard let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else { return ENOSYS }
  // The type is the one that glibc's spawn.h declares.
  return unsafeBitCast(symbol, to: AddCloseFrom.self)(&actions, first)
}

private func spawn(_ words: [String], _ variables: [String], _ output: String) -> Result<pid_t, TestServerError> {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
  posix_spawn_file_actions_adddup2(&actions, 1, 2)
  guard closeFrom(&actions, 3) == 0 else { return .failure(TestServerError("the C library has no closefrom action")) }
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  // The test process may block or ignore signals; its children must not inherit that.
  var none = sigset_t()
  sigemptyset(&none)
  var all = sigset_t()
  sigfillset(&all)
  posix_spawnattr_setsigmask(&attributes, &none)
  posix_spawnattr_setsigdefault(&attributes, &all)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

  var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
  var environment: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
  defer { (argv + environment).forEach { free($0) } }
  var processID: pid_t = 0
  let code = posix_spawnp(&processID, words[0], &actions, &attributes, &argv, &environment)
  guard code == 0 else {
    return .failure(
      TestServerError("can't start '\(words.joined(separator: " "))': \(String(cString: strerror(code)))"))
  }
  return .success(processID)
}
