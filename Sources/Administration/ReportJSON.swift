internal import Foundation

/// One report as one JSON object on one line, keys in alphabetical order, so that equal reports are equal text.
public func reportJSON(_ report: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(report), as: UTF8.self) + "\n"
}
