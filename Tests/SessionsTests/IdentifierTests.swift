import Sessions
import Testing

@Suite struct IdentifierTests {
  /// "é" in one code point and in two: the same to Swift's strings, and to nobody else who goes by these ids.
  static let (one, other) = ("caf\u{e9}", "cafe\u{301}")

  @Test func identifiersAreTheSameIfTheirBytesAre() throws {
    #expect(Self.one == Self.other)
    #expect(try UserID(Self.one) != UserID(Self.other))
    #expect(try SessionID(Self.one) != SessionID(Self.other))
    #expect(try UserID(Self.one) == UserID(String(decoding: Array(Self.one.utf8), as: UTF8.self)))
    #expect(Set([try SessionID(Self.one), try SessionID(Self.other), try SessionID(Self.one)]).count == 2)
    let keys = try [Self.one, Self.other].flatMap { user in
      try [Self.one, Self.other].map { SessionKey(user: try UserID(user), session: try SessionID($0)) }
    }
    #expect(Set(keys).count == 4)
  }

  @Test func aTableTellsUsersApartWhoseNamesLookAlike() throws {
    var fixture = Fixture()
    try fixture.live(1, user: Self.one)
    try fixture.live(2, user: Self.other)
    _ = fixture.hello(3, user: Self.one, session: "watch")
    #expect(fixture.table.counts.live == 2)
    #expect(try fixture.deliver(user: Self.one).map(\.stream?.rawValue) == [1])
    #expect(try fixture.deliver(user: Self.other).map(\.stream?.rawValue) == [2])
    let key = SessionKey(user: try UserID(Self.other), session: try SessionID("watch"))
    #expect(!fixture.table.isRegistering(key))
  }

  @Test func aRandomIdentifierHasAllItsDigits() {
    #expect(identifierText(.max, .max) == String(repeating: "f", count: 32))
    #expect(identifierText(1, 0xab) == "0000000000000001" + "00000000000000ab")
  }
}
