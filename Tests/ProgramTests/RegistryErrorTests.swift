import Foundation
import TestServers
import Testing

/// What is wrong with Redis is said at once, in words, and without the password.
struct RegistryErrorTests {
  @Test(arguments: [["ring", "inspect"], ["ring", "owner", "u"], ["sessions", "u"]])
  func aRedisThatIsNotThereIsNamedWithinSeconds(command: [String]) async throws {
    let port = try freePort()
    let done = try await pushring(command + ["--redis", "redis://127.0.0.1:\(port)"])
    #expect(done.code == 1)
    #expect(done.output.contains("127.0.0.1:\(port)"))
  }

  @Test(arguments: [["ring", "inspect"], ["session-manager", "--pod-id", "p"], ["sender"]])
  func aWrongPasswordEndsEveryProgramAtOnceAndIsNotShown(command: [String]) async throws {
    var options = RedisServer.Options()
    options.password = "right"
    let redis = try await RedisServer.start(options)
    let listening = command[0] == "ring" ? [] : try listenAnywhere(command[0])
    let done = try await pushring(
      command + listening + ["--redis", "redis://:wrong-password@127.0.0.1:\(redis.port)", "--redis-timeout", "1s"])
    #expect(done.code == 1)
    #expect(done.output.lowercased().contains("password"))
    #expect(!done.output.contains("wrong-password"))
    try await redis.kill()
  }

  @Test(arguments: ["nonsense", "http://127.0.0.1:6379", "redis://127.0.0.1:port", "redis://:secret@127.0.0.1/x"])
  func anUnusableURLIsAnErrorAboutItsFlagWithoutThePassword(url: String) async throws {
    let done = try await pushring(["ring", "inspect", "--redis", url])
    #expect(done.code == 64)
    #expect(done.output.contains("--redis"))
    #expect(!done.output.contains("secret"))
  }

  @Test(arguments: [["inspect"], ["owner", "ann"]])
  func aClusterThatNobodyEverJoinedIsToldAsSuch(command: [String]) async throws {
    let redis = try await RedisServer.start()
    let done = try await pushring(["ring"] + command + ["--redis", redis.url, "--cluster", "nobody"])
    #expect(done.code == 1)
    #expect(done.output.hasPrefix("Error: cluster nobody has no members: nobody ever joined it"))
    try await redis.kill()
  }

  @Test func aProgramGetsAnObjectOfAClusterThatNobodyEverJoined() async throws {
    let redis = try await RedisServer.start()
    let done = try await pushring(["ring", "inspect", "--redis", redis.url, "--output", "json"])
    #expect(done.code == 1)
    #expect(done.output.hasPrefix("{\"cluster\":\"default\"") && done.output.contains("\"members\":[]"))
    try await redis.kill()
  }

  @Test(arguments: ["session-manager", "sender"])
  func aServerWithoutRedisLivesIsNotReadyAndStopsInGoodOrder(program: String) async throws {
    let port = try freePort()
    let admin = try freePort()
    let directory = try TemporaryDirectory()
    var arguments = [program] + (try listenAnywhere(program)) + ["--redis", "redis://127.0.0.1:\(port)"]
    arguments[arguments.firstIndex(of: "--admin-listen")! + 1] = "127.0.0.1:\(admin)"
    let server = try ProcessHandle(try programPath(), arguments, outputFile: directory.file("log"))
    _ = try await server.line(containing: "Redis can't be reached")
    #expect(try await get(admin, "/healthz").status == 200)
    let ready = try await get(admin, "/readyz")
    #expect(ready.status == 503)
    #expect(ready.body.contains("Redis at redis://127.0.0.1:\(port)"))
    if program == "sender" {
      let sender = arguments[arguments.firstIndex(of: "--listen")! + 1]
      _ = try await server.line(containing: "Listening for pushes")
      _ = try await server.line(containing: "The view can't be read")
      let push = try await pushring(["push", "--sender", sender, "--user", "u", "--message", "m"])
      #expect(push.code == 1)
      #expect(push.output.contains("the Sender at \(sender) refused the push: no view of the cluster is known yet"))
      #expect(push.output.contains("redis://127.0.0.1:\(port)"))
      #expect(!push.output.contains("is it running there"))
    }
    server.signal(SIGTERM)
    #expect(try await server.awaitExit() == .code(0))
  }

  private func listenAnywhere(_ program: String) throws -> [String] {
    let flags = program == "sender" ? ["--listen", "--admin-listen"] : ["--listen", "--peer-listen", "--admin-listen"]
    return try flags.flatMap { [$0, "127.0.0.1:\(try freePort())"] }
  }
}

/// One answer of an administration port, by the simplest client there is.
private func get(_ port: Int, _ path: String) async throws -> (status: Int, body: String) {
  let output = try await ProcessHandle.run(
    "curl", ["--silent", "--max-time", "5", "--write-out", "\n%{http_code}", "http://127.0.0.1:\(port)\(path)"])
  let lines = output.split(separator: "\n")
  return (Int(lines.last ?? "") ?? 0, lines.dropLast().joined(separator: "\n"))
}
