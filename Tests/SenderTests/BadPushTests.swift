import Testing

@testable import Sender

@Suite struct BadPushTests {
  @Test(arguments: [
    (Push(user: "", text: ""), "user id"),
    (Push(user: String(repeating: "u", count: 257), text: ""), "at most 256"),
    (Push(user: "line\nbreak", text: ""), "control character"),
    (Push(user: "ann", session: String(repeating: "s", count: 257), text: ""), "session id"),
    (Push(user: "ann", payload: .init(repeating: 0, count: 256 * 1024 + 1)), "at most 262144"),
    (with { $0.messageID = String(repeating: "m", count: 129) }, "at most 128"),
    (with { $0.messageID = "a\u{7}" }, "control character"),
    (with { $0.headers = Dictionary(uniqueKeysWithValues: (0..<33).map { ("\($0)", "") }) }, "at most 32"),
    (with { $0.headers = [String(repeating: "k", count: 65): ""] }, "1 to 64"),
    (with { $0.headers = ["": ""] }, "1 to 64"),
    (with { $0.headers = ["k": String(repeating: "v", count: 1025)] }, "at most 1024"),
    (with { $0.timeout = .seconds(301) }, "300 seconds"),
    (with { $0.timeout = .zero }, "300 seconds"),
  ])
  func aWrongPushIsRefusedWithWhatIsAllowed(push: Push, words: String) throws {
    let refusal = #expect(throws: PushError.self) { try PreparedPush(push, SenderConfiguration()) }
    #expect(refusal?.code == .invalidArgument)
    #expect(refusal?.message.contains(words) == true, "\(refusal?.message ?? "")")
  }

  @Test func theLargestAllowedPushIsTaken() throws {
    var push = Push(
      user: String(repeating: "u", count: 256), session: String(repeating: "s", count: 256),
      payload: .init(repeating: 0, count: 256 * 1024))
    push.messageID = String(repeating: "m", count: 128)
    push.headers = Dictionary(
      uniqueKeysWithValues: (10..<42).map {
        (String(repeating: "\($0)", count: 32), String(repeating: "v", count: 1024))
      })
    push.timeout = .seconds(300)
    _ = try PreparedPush(push, SenderConfiguration())
  }
}

private func with(_ change: (inout Push) -> Void) -> Push {
  var push = Push(user: "ann", text: "")
  change(&push)
  return push
}
