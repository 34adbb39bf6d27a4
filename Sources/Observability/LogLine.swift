internal import Foundation
internal import Logging

/// How log lines look.
public enum LogFormat: String, Sendable, CaseIterable {
  /// For people: `2026-01-31T12:00:00.000Z info  pod: joined pod.incarnation=3`
  case text
  /// For machines: one JSON object a line with `time`, `level`, `logger`, `message`, and `metadata` if there is any.
  case json
}

/// One event as a line, without its line break. Whatever a client put into metadata, it stays one line.
func logLine(_ event: LogEvent, label: String, metadata: Logger.Metadata, at date: Date, format: LogFormat) -> String {
  var fields = metadata.merging(event.metadata ?? [:]) { $1 }
  if let error = event.error { fields["error"] = "\(error)" }
  let time = date.formatted(
    .iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted))
  switch format {
  case .text: return textLine(event, label: label, fields: fields, time: time)
  case .json: return jsonLine(event, label: label, fields: fields, time: time)
  }
}

private func textLine(_ event: LogEvent, label: String, fields: Logger.Metadata, time: String) -> String {
  let level = event.level.rawValue
  let padding = String(repeating: " ", count: max(0, 8 - level.count))
  var line = "\(time) \(level)\(padding) \(label): \(escapingControls("\(event.message)"))"
  for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
    line += " \(key)=\(quotedIfNeeded("\(value)"))"
  }
  return line
}

private func quotedIfNeeded(_ text: String) -> String {
  let needsQuotes = text.isEmpty || text.contains { $0 == " " || $0 == "\"" || $0 == "=" }
  let escaped = escapingControls(text)
  return needsQuotes ? "\"\(escaped.replacing("\"", with: "\\\""))\"" : escaped
}

/// So that no text can start a line of its own or reach the terminal as an escape sequence.
private func escapingControls(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\n": result += "\\n"
    case "\r": result += "\\r"
    case "\t": result += "\\t"
    case _ where scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value):
      result += "\\u{\(String(scalar.value, radix: 16))}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

private struct JSONLogLine: Encodable {
  let time: String
  let level: String
  let logger: String
  let message: String
  let metadata: [String: String]?
}

private func jsonLine(_ event: LogEvent, label: String, fields: Logger.Metadata, time: String) -> String {
  let line = JSONLogLine(
    time: time, level: event.level.rawValue, logger: label, message: "\(event.message)",
    metadata: fields.isEmpty ? nil : fields.mapValues { "\($0)" })
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  // Strings only: there is nothing that could not be encoded.
  guard let bytes = try? encoder.encode(line) else { return "{}" }
  return String(decoding: bytes, as: UTF8.self)
}
