import Listening
import NIOCore
import Testing

struct ListenFailureTests {
  @Test(arguments: [
    (CInt(98), "the port is in use"), (99, "no such address"), (13, "choose one above 1023"),
    (24, "Too many open files"),
  ])
  func theReasonIsInWordsAndNamesAddressAndFlag(errno: CInt, words: String) {
    let text = text(IOError(errnoCode: errno, reason: "bind(descriptor:ptr:bytes:)"), host: "127.0.0.1")
    #expect(text.hasPrefix("can't listen for clients on 127.0.0.1:7400 (--listen): "))
    #expect(text.contains(words))
    #expect(!text.contains("descriptor"))
  }

  @Test func aNameThatDoesNotResolveIsToldAsSuch() {
    #expect(text(SocketAddressError.failedToParseIPString("x"), host: "x").contains("the name can't be resolved"))
  }

  @Test func anIPv6AddressStandsInBrackets() {
    #expect(text(IOError(errnoCode: 98, reason: ""), host: "::1").contains(" on [::1]:7400 "))
  }

  private func text(_ cause: any Error, host: String) -> String {
    ListenFailure(cause, what: "for clients", host: host, port: 7400, flag: "--listen").description
  }
}
