import Foundation
import RedisClient
import TestServers
import Testing

@Suite struct AuthenticationTests {
  @Test func theDefaultUsersPasswordIsGiven() async throws {
    var options = RedisServer.Options()
    options.password = "open-sesame"
    try await withServer(options) { _, client in
      let user = try await client.send(["ACL", "WHOAMI"])
      #expect(user == .bulk(Array("default".utf8)))
    }
  }

  @Test func aUserOfTheAccessControlListIsUsedWithItsRights() async throws {
    var options = RedisServer.Options()
    options.users = [.init(name: "ann", password: "pw", rules: "~ann:* +@all -ping")]
    try await withServer(
      options,
      configure: {
        $0.username = "ann"
        $0.password = "pw"
      }
    ) { _, client in
      try await expect(client, ["ACL", "WHOAMI"], gives: .bulk(Array("ann".utf8)))
      let error = try await failure { () throws(RedisError) in try await client.send(["GET", "other"]) }
      #expect(error.code == .server && error.message.contains("NOPERM"))
    }
  }

  @Test(arguments: [nil, "wr0ng"] as [String?])
  func aMissingOrWrongPasswordIsToldWithoutTheWrongOne(_ password: String?) async throws {
    var options = RedisServer.Options()
    options.password = "right"
    try await withServer(options, configure: { $0.password = password }) { server, client in
      for _ in 0..<2 {
        let error = try await failure { () throws(RedisError) in try await client.send(["GET", "k"]) }
        #expect(error.code == .authentication && !error.mayHaveRun)
        #expect(error.message.contains(password == nil ? "wants a password" : "check user and password"))
        #expect(error.message.contains(":\(server.port)/0"))
        #expect(!error.message.contains("wr0ng"))
      }
    }
  }

  @Test func aPasswordRepairedOnTheServerIsFoundByTheRetries() async throws {
    var options = RedisServer.Options()
    options.password = "old"
    try await withServer(options, configure: { $0.password = "new" }) { server, client in
      let error = try await failure { () throws(RedisError) in try await client.send(["PING"]) }
      #expect(error.code == .authentication)
      try await server.cli("CONFIG", "SET", "requirepass", "new")
      try await eventually("the client got in") { (try? await client.send(["PING"])) == .status("PONG") }
    }
  }

  @Test func aPasswordWhereNoneIsSetIsToldAsSuch() async throws {
    try await withServer(configure: { $0.password = "s3cret" }) { _, client in
      let error = try await failure { () throws(RedisError) in try await client.send(["PING"]) }
      #expect(error.code == .authentication && !error.message.contains("s3cret"), "\(error)")
    }
  }
}

@Suite struct TLSTests {
  static var options: RedisServer.Options {
    var options = RedisServer.Options()
    options.usesTLS = true
    return options
  }

  @Test(arguments: ["127.0.0.1", "localhost"])
  func aServerOfTheTrustedAuthorityIsSpokenTo(_ host: String) async throws {
    try await withServer(Self.options, configure: { $0.host = host }) { _, client in
      let reply = try await client.send(["ECHO", "x"])
      #expect(reply == .bulk(Array("x".utf8)))
    }
  }

  @Test func anotherAuthoritysServerIsRefused() async throws {
    let other = try await TestCertificates(in: try TemporaryDirectory())
    try await withServer(Self.options, configure: { $0.tlsCertificateAuthorityFile = other.authority.path }) {
      _, client in
      try await expectTLSFailure(client, "signed by the authority in '\(other.authority.path)'")
    }
  }

  @Test func withoutAnAuthorityTheSystemsAreTrustedAndNotTheTests() async throws {
    try await withServer(Self.options, configure: { $0.tlsCertificateAuthorityFile = nil }) { _, client in
      try await expectTLSFailure(client, "an authority the system trusts")
    }
  }

  @Test func aServerWithoutTLSIsToldAsPossible() async throws {
    try await withServer(configure: {
      $0.usesTLS = true
      $0.commandTimeout = .milliseconds(500)
    }) { _, client in
      // Redis waits for the end of what it takes for a line, so the only sign is silence.
      try await eventually("the error names TLS as a possible cause") {
        await errorOf(client, ["PING"])?.message.contains("does not speak TLS on this port") == true
      }
    }
  }

  @Test func aMissingAuthorityFileIsAConfigurationError() async throws {
    try await withServer(Self.options, configure: { $0.tlsCertificateAuthorityFile = "/nowhere/ca.pem" }) { _, client in
      let error = try await failure { () throws(RedisError) in try await client.send(["PING"]) }
      #expect(error.message.contains("'/nowhere/ca.pem'"), "\(error)")
    }
  }

  func expectTLSFailure(_ client: RedisClient, _ hint: String) async throws {
    let error = try await failure { () throws(RedisError) in try await client.send(["PING"]) }
    #expect(error.code == .unavailable && !error.mayHaveRun)
    #expect(error.message.contains("TLS failed") && error.message.contains(hint), "\(error)")
  }
}
