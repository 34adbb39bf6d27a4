import GRPCCore
import NIOCore
import Testing

@testable import Sender

@Suite struct LinkFailureWordsTests {
  @Test(arguments: [
    (CInt(111), "it refuses connections"), (104, "the connection was reset"), (24, "Too many open files"),
  ])
  func whatTheSystemSaidIsToldWithoutWhatItIsWrappedIn(errno: CInt, words: String) {
    let system = IOError(errnoCode: errno, reason: "connect(descriptor:addr:size:)")
    let inner = RPCError(code: .unavailable, message: "Could not establish a connection to [ipv4]:1.", cause: system)
    let wrapped = RPCError(code: .unavailable, message: "subchannel is unavailable", cause: inner)
    #expect(linkFailureWords(wrapped) == words)
  }

  @Test func otherwiseTheMessageIsTold() {
    let error = RPCError(code: .unavailable, message: "Stream unexpectedly closed.", cause: CancellationError())
    #expect(linkFailureWords(error) == "Stream unexpectedly closed")
    #expect(linkFailureWords(SenderError(message: "no connection within 1 s")) == "no connection within 1 s")
  }
}
