import Foundation
import Logging
import Testing

@testable import Observability

struct LogLineTests {
  private let date = Date(timeIntervalSince1970: 1_700_000_000.25)

  private func event(_ message: Logger.Message, _ metadata: Logger.Metadata? = nil) -> LogEvent {
    LogEvent(
      level: .warning, message: message, error: nil, metadata: metadata, source: "Pod", file: "f", function: "g",
      line: 1)
  }

  @Test func aTextLineHasTimeLevelLabelMessageAndSortedMetadata() {
    let line = logLine(
      event("Joined", ["b": "two words", "a": "1"]), label: "pod", metadata: ["pod.id": "p0"], at: date, format: .text)
    #expect(line == "2023-11-14T22:13:20.250Z warning  pod: Joined a=1 b=\"two words\" pod.id=p0")
  }

  @Test(arguments: LogFormat.allCases)
  func whatAClientSentStaysOnOneLineAndOutOfTheTerminal(format: LogFormat) {
    let line = logLine(
      event("Refused", ["user": "x\ny\u{1b}[31m\"=\u{7f}"]), label: "pod", metadata: [:], at: date, format: format)
    #expect(!line.contains("\n") && !line.contains("\u{1b}"))
  }

  @Test func aJSONLineIsOneObject() throws {
    let line = logLine(event("Joined", ["a": "1"]), label: "pod", metadata: ["pod.id": "p0"], at: date, format: .json)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    #expect(object["message"] as? String == "Joined")
    #expect(object["level"] as? String == "warning")
    #expect(object["logger"] as? String == "pod")
    #expect(object["metadata"] as? [String: String] == ["a": "1", "pod.id": "p0"])
  }
}
