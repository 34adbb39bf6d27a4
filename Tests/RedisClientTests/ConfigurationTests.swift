import RedisClient
import Testing

@Suite struct ConfigurationTests {
  struct Good: Sendable {
    let url: String
    let host: String
    var port = 6379
    var username: String? = nil
    var password: String? = nil
    var database = 0
    var usesTLS = false
  }

  @Test(arguments: [
    Good(url: "redis://localhost", host: "localhost"),
    Good(url: "redis://localhost/", host: "localhost"),
    Good(url: "REDIS://h:1", host: "h", port: 1),
    Good(url: "rediss://h:65535/15", host: "h", port: 65535, database: 15, usesTLS: true),
    Good(url: "redis://:secret@h:6380/2", host: "h", port: 6380, password: "secret", database: 2),
    Good(url: "redis://ann:secret@h", host: "h", username: "ann", password: "secret"),
    Good(url: "redis://a%3An%40:p%2Fw%23%3f%25%C3%A4@h", host: "h", username: "a:n@", password: "p/w#?%ä"),
    Good(url: "redis://ann:a:b@h", host: "h", username: "ann", password: "a:b"),
    Good(url: "redis://ann:a@b@h", host: "h", username: "ann", password: "a@b"),
    Good(url: "redis://[::1]", host: "::1"),
    Good(url: "redis://u:p@[fe80::1]:7000/3", host: "fe80::1", port: 7000, username: "u", password: "p", database: 3),
  ])
  func aURLSaysWhereTheServerIs(_ good: Good) throws {
    let configuration = try RedisConfiguration(url: good.url)
    #expect(configuration.host == good.host)
    #expect(configuration.port == good.port)
    #expect(configuration.username == good.username)
    #expect(configuration.password == good.password)
    #expect(configuration.database == good.database)
    #expect(configuration.usesTLS == good.usesTLS)
  }

  @Test(arguments: [
    ("", "scheme"),
    ("localhost:6379", "scheme"),
    ("http://hunter2@h", "scheme"),
    ("redis://", "host"),
    ("redis://:hunter2@:6379", "host"),
    ("redis://:hunter2@h:0", "port '0'"),
    ("redis://:hunter2@h:65536", "port '65536'"),
    ("redis://:hunter2@h:+1", "port '+1'"),
    ("redis://:hunter2@h:", "port ''"),
    ("redis://:hunter2@h/x", "database 'x'"),
    ("redis://:hunter2@h/-1", "database '-1'"),
    ("redis://:hunter2@h/1/2", "database '1/2'"),
    ("redis://:hunter2@h/99999999999999999999", "database"),
    ("redis://:hunter2@h?db=1", "query"),
    ("redis://hunter2@h", "user without a password"),
    ("redis://:hunter2%@h", "%"),
    ("redis://:hunter2%zz@h", "%"),
    ("redis://:hunter2%ff@h", "UTF-8"),
    ("redis://:hunter2@::1", "brackets"),
    ("redis://:hunter2@[::1", "bracket"),
    ("redis://:hunter2@[::1]6379", "after the IPv6"),
  ])
  func aWrongURLSaysWhatIsWrongAndNeverThePassword(_ url: String, _ hint: String) {
    let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: url) }
    #expect(error?.code == .configuration)
    #expect(error?.message.contains(hint) == true, "\(error?.message ?? "")")
    #expect(error?.message.contains("redis://[[user]:password@]host") == true)
    #expect(error?.message.contains("hunter2") == false)
  }

  @Test func theAddressForLogsHasNeitherUserNorPassword() throws {
    #expect(try RedisConfiguration(url: "rediss://ann:secret@h:7/4").address == "rediss://h:7/4")
    #expect(try RedisConfiguration(url: "redis://:secret@[::1]").address == "redis://[::1]:6379/0")
  }
}
