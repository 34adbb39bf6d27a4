public import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// A real `redis-server` of the test's own, on a loopback port, that ends with the test.
public final class RedisServer: Sendable {
  public struct Options: Sendable {
    /// Nil: a free one.
    public var port: Int?
    /// The default user's.
    public var password: String?
    public var users: [User] = []
    /// Serves TLS (only) with a certificate of its own authority for 127.0.0.1 and localhost.
    public var usesTLS = false
    /// Every write is on disk before its reply, so that `restart(empty: false)` finds it again.
    public var isPersistent = false
    /// Further lines of redis.conf.
    public var lines: [String] = []
    public init() {}
  }

  /// A user of Redis' access control lists.
  public struct User: Sendable {
    public var name: String
    public var password: String
    /// As in "user NAME on >PASSWORD RULES", e.g. "~* &* +@all".
    public var rules: String
    public init(name: String, password: String, rules: String = "~* &* +@all") {
      self.name = name
      self.password = password
      self.rules = rules
    }
  }

  public let port: Int
  public let options: Options
  /// Nil without TLS.
  public let certificates: TestCertificates?
  private let directory: TemporaryDirectory
  private let process: Mutex<ProcessHandle>

  public static func start(_ options: Options = Options()) async throws -> RedisServer {
    guard try await isInstalled() else {
      throw TestServerError("these tests need redis-server: apt-get install redis-server")
    }
    let directory = try TemporaryDirectory()
    let certificates = options.usesTLS ? try await TestCertificates(in: directory) : nil
    var attempts = 0
    while true {
      let port = try options.port ?? freePort()
      do {
        let process = try await launch(port, options, directory, certificates)
        return RedisServer(port, options, directory, certificates, process)
      } catch {
        // Another process may have taken the port since; a fixed one may take a moment to become free.
        attempts += 1
        guard attempts < 5, "\(error)".contains("ddress already in use") else { throw error }
      }
    }
  }

  private init(
    _ port: Int, _ options: Options, _ directory: TemporaryDirectory, _ certificates: TestCertificates?,
    _ process: ProcessHandle
  ) {
    self.port = port
    self.options = options
    self.directory = directory
    self.certificates = certificates
    self.process = Mutex(process)
  }

  /// "redis://127.0.0.1:PORT" (or "rediss://…"), with the default user's password if there is one.
  public var url: String {
    "\(options.usesTLS ? "rediss" : "redis")://\(options.password.map { ":\($0)@" } ?? "")127.0.0.1:\(port)"
  }

  public var processID: pid_t { process.withLock { $0.processID } }
  public var output: String { process.withLock { $0.output } }

  /// SIGSTOP: it falls silent, and its connections stay open (and new ones are still accepted, by the kernel).
  public func suspend() { process.withLock { $0.signal(SIGSTOP) } }

  /// SIGCONT: it answers what has come meanwhile.
  public func resume() { process.withLock { $0.signal(SIGCONT) } }

  /// SIGKILL, and waits until it is gone. `restart` brings it back.
  public func kill() async throws {
    try await process.withLock { $0 }.killAndWait()
  }

  /// Killed if it still runs, and started again on the same port.
  /// - Parameter empty: false needs `Options.isPersistent`.
  public func restart(empty: Bool) async throws {
    precondition(empty || options.isPersistent, "without isPersistent a restarted redis-server is always empty")
    try await kill()
    if empty { try removeData() }
    let process = try await Self.launch(port, options, directory, certificates)
    self.process.withLock { $0 = process }
  }

  /// Runs redis-cli against it as the default user: `try await server.cli("CLIENT", "KILL", "TYPE", "normal")`.
  @discardableResult
  public func cli(_ arguments: String...) async throws -> String {
    var all = ["-h", "127.0.0.1", "-p", "\(port)", "-e"]
    if let password = options.password { all += ["-a", password, "--no-auth-warning"] }
    if let certificates { all += ["--tls", "--cacert", certificates.authority.path] }
    return try await ProcessHandle.run("redis-cli", all + arguments)
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private func removeData() throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: directory.url.path)
    where name.hasPrefix("appendonly") || name.hasSuffix(".rdb") {
      try FileManager.default.removeItem(at: directory.file(name))
    }
  }

  private static func isInstalled() async throws -> Bool {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    return path.split(separator: ":").contains { access("\($0)/redis-server", X_OK) == 0 }
  }

  private static func launch(
    _ port: Int, _ options: Options, _ directory: TemporaryDirectory, _ certificates: TestCertificates?
  ) async throws -> ProcessHandle {
    let file = directory.file("redis.conf")
    let text = configuration(port, options, directory, certificates).joined(separator: "\n") + "\n"
    try text.write(to: file, atomically: true, encoding: .utf8)
    let output = directory.file("output-\(UUID().uuidString)")
    let process = try ProcessHandle("redis-server", [file.path], outputFile: output)
    try await process.line(containing: "Ready to accept connections")
    return process
  }

  private static func configuration(
    _ port: Int, _ options: Options, _ directory: TemporaryDirectory, _ certificates: TestCertificates?
  ) -> [String] {
    var lines = ["bind 127.0.0.1", "dir \(directory.url.path)", "save \"\"", "enable-debug-command local"]
    if options.isPersistent { lines += ["appendonly yes", "appendfsync always"] }
    if let certificates {
      lines += [
        "port 0", "tls-port \(port)", "tls-auth-clients no", "tls-ca-cert-file \(certificates.authority.path)",
        "tls-cert-file \(certificates.certificate.path)", "tls-key-file \(certificates.key.path)",
      ]
    } else {
      lines.append("port \(port)")
    }
    if let password = options.password { lines.append("requirepass \(password)") }
    lines += options.users.map { "user \($0.name) on >\($0.password) \($0.rules)" }
    return lines + options.lines
  }
}
