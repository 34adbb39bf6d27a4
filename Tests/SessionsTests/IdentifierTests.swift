import Sessions
import Testing

@Suite struct IdentifierTests {
  @Test func aRandomIdentifierHasAllItsDigits() {
    #expect(identifierText(.max, .max) == String(repeating: "f", count: 32))
    #expect(identifierText(1, 0xab) == "0000000000000001" + "00000000000000ab")
  }
}
