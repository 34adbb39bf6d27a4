import Sessions
import Testing

@Suite struct HelloTests {
  @Test func anEmptySessionIDIsReplacedByTheChosenOne() throws {
    let hello = try Hello(HelloRequest(userID: "ann"), chosenSessionID: "chosen")
    #expect(hello.key.session.text == "chosen")
  }

  @Test(arguments: [
    (HelloRequest(userID: ""), "user id is empty"),
    (HelloRequest(userID: String(repeating: "u", count: 257)), "user id has 257 bytes"),
    (HelloRequest(userID: "a\nb"), "control character"),
    (HelloRequest(userID: "ann", sessionID: "a\u{7f}"), "session id has a control character"),
    (HelloRequest(userID: "ann", sessionID: String(repeating: "s", count: 257)), "session id has 257 bytes"),
    (HelloRequest(userID: "ann", epoch: .max), "epoch"),
    (HelloRequest(userID: "ann", labels: ["": "x"]), "label's key has 0 bytes"),
    (HelloRequest(userID: "ann", labels: ["k": String(repeating: "v", count: 257)]), "label's value has 257"),
    (
      HelloRequest(userID: "ann", labels: Dictionary(uniqueKeysWithValues: (0..<17).map { ("\($0)", "") })),
      "17 labels"
    ),
  ])
  func whatIsWrongIsSaid(_ request: HelloRequest, _ expected: String) {
    let error = #expect(throws: IdentifierError.self) { try Hello(request, chosenSessionID: "chosen") }
    #expect(error?.message.contains(expected) == true, "\(String(describing: error))")
  }

  @Test func limitsAreInBytesNotCharacters() throws {
    _ = try Hello(HelloRequest(userID: String(repeating: "é", count: 128)), chosenSessionID: "c")
    #expect(throws: IdentifierError.self) {
      try Hello(HelloRequest(userID: String(repeating: "é", count: 129)), chosenSessionID: "c")
    }
  }
}
