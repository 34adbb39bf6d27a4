import Foundation
import Testing

/// Docs/http2.md names a test for each section: each is there.
@Suite struct HTTP2DocumentTests {
  private let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  private func names() throws -> [String] {
    let text = try String(contentsOf: repository.appendingPathComponent("Docs/http2.md"), encoding: .utf8)
    let rows = text.split(separator: "\n").filter { $0.hasPrefix("|") && !$0.contains("---") }
    return rows.flatMap { row in
      row.split(separator: "|").last?.split(separator: "`", omittingEmptySubsequences: false).enumerated()
        .filter { !$0.offset.isMultiple(of: 2) }.map { String($0.element) } ?? []
    }
  }

  private func functions() throws -> Set<String> {
    let tests = repository.appendingPathComponent("Tests")
    let files = try FileManager.default.subpathsOfDirectory(atPath: tests.path)
      .filter { $0.hasSuffix("Tests.swift") || $0.hasPrefix("EndToEnd/test_") && $0.hasSuffix(".py") }
    var found: Set<String> = []
    for file in files {
      let text = try String(contentsOf: tests.appendingPathComponent(file), encoding: .utf8)
      let keyword = file.hasSuffix(".py") ? "def " : "func "
      for piece in text.components(separatedBy: keyword).dropFirst() {
        found.insert(String(piece.prefix { $0.isLetter || $0.isNumber || $0 == "_" }))
      }
    }
    return found
  }

  @Test func everyTestThatTheDocumentNamesIsThere() throws {
    let (names, functions) = (try names(), try functions())
    #expect(names.count > 80)
    #expect(Set(names).subtracting(functions).sorted() == [])
  }

  @Test func everyRowNamesATest() throws {
    let text = try String(contentsOf: repository.appendingPathComponent("Docs/http2.md"), encoding: .utf8)
    for row in text.split(separator: "\n") where row.hasPrefix("|") && !row.contains("---") && !row.hasSuffix("tests |")
    {
      #expect(row.split(separator: "|").last?.contains("`") == true, "\(row)")
    }
  }
}
