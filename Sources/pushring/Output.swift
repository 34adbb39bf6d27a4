internal import ArgumentParser
internal import Foundation

// Data goes to stdout and everything about it to stderr, so that a pipe gets only data.

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case table
  case json
}

/// At once, not when a buffer is full: who reads a session's messages from a pipe waits for each.
func printData(_ text: String) {
  // When the reader has gone there is nobody left to tell.
  try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
}

func printProgress(_ text: String) {
  try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
}

/// A person looks at stdout.
var isTerminal: Bool { isatty(1) == 1 }

/// A failure whose message is for the user, with exit code 1.
struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
