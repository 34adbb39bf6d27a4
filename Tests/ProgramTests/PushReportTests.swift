import Foundation
import Testing
import Wire

@testable import pushring

struct PushReportTests {
  @Test(arguments: [
    ([Pushring_V1_Outcome.delivered, .delivered], Pushring_V1_Completeness.complete, Int32(0), Int32(0)),
    ([.delivered, .slow], .complete, 2, 0),
    ([.delivered], .unknown, 2, 0),
    ([.gone, .unreachable], .complete, 3, 3),
    ([], .complete, 3, 3),
    ([], .unknown, 3, 3),
  ])
  func theExitCodeTellsAllFromSomeFromNobody(
    outcomes: [Pushring_V1_Outcome], completeness: Pushring_V1_Completeness, code: Int32, codeIfAnyIsEnough: Int32
  ) {
    var result = Pushring_V1_PushResult()
    result.completeness = completeness
    for outcome in outcomes {
      var session = Pushring_V1_SessionOutcome()
      session.outcome = outcome
      result.results.append(session)
    }
    #expect(PushReport(result).exitCode() == code)
    #expect(PushReport(result).exitCode(anyIsEnough: true) == codeIfAnyIsEnough)
  }

  @Test func theJSONHasTheNamesThatScriptsRelyOn() throws {
    var session = Pushring_V1_SessionOutcome()
    session.sessionID = "laptop"
    session.podID = "pod-0"
    session.outcome = .delivered
    var result = Pushring_V1_PushResult()
    result.userID = "alice"
    result.messageID = "m1"
    result.route = .directory
    result.completeness = .complete
    result.deliverRpcs = 2
    result.registryReads = 1
    result.results = [session]
    let data = try JSONEncoder().encode(PushReport(result))
    let object = try #require(try JSONSerialization.jsonObject(with: data) as? NSDictionary)
    let expected: NSDictionary = [
      "user": "alice", "messageID": "m1", "route": "directory", "completeness": "complete", "deliverRPCs": 2,
      "registryReads": 1, "results": [["session": "laptop", "pod": "pod-0", "outcome": "delivered"]],
    ]
    #expect(object == expected)
  }
}
