internal import Foundation
public import Logging

/// Writes log lines to stderr: stdout belongs to the data that a command prints.
public struct StandardErrorLogHandler: LogHandler {
  public var logLevel: Logger.Level
  public var metadata: Logger.Metadata = [:]
  public var metadataProvider: Logger.MetadataProvider?
  private let label: String
  private let format: LogFormat

  public init(label: String, format: LogFormat, level: Logger.Level) {
    self.label = label
    self.format = format
    logLevel = level
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    let fields = (metadataProvider?.get() ?? [:]).merging(metadata) { $1 }
    let line = logLine(event, label: label, metadata: fields, at: Date(), format: format)
    // One write for one line, so that lines of several threads don't mix. When stderr is closed there is nobody to tell.
    try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
  }
}
