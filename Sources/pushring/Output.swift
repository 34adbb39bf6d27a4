internal import Administration
internal import ArgumentParser
internal import Foundation

// The one way of writing output: data goes to stdout and everything about it to stderr, so that a pipe gets only data.
// Colour only where a person looks, and has not asked to be spared it.

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case table
  case json
}

/// For commands that print data.
struct OutputOptions: ParsableArguments {
  @Option(name: .long, help: "How to print: table or json.")
  var output: OutputFormat = .table
  @OptionGroup var colour: ColourOptions

  var palette: Palette { colour.palette }

  func show(_ report: some Encodable, _ text: (Palette) -> String) throws {
    printData(output == .json ? try reportJSON(report) : text(palette))
  }
}

enum PictureFormat: String, ExpressibleByArgument, CaseIterable { case table, json, svg }

/// For commands that can draw, too.
struct PictureOptions: ParsableArguments {
  @Option(name: .long, help: "How to print: table, json or svg.")
  var output: PictureFormat = .table
  @OptionGroup var colour: ColourOptions

  var palette: Palette { colour.palette }
}

struct ColourOptions: ParsableArguments {
  @Flag(name: .long, help: "No colour; nor is there any with NO_COLOR set, or where stdout is no terminal.")
  var noColor = false

  var palette: Palette {
    // https://no-color.org: set, and not empty, whatever to.
    let isUnwanted = ProcessInfo.processInfo.environment["NO_COLOR"].map { !$0.isEmpty } ?? false
    let isDumb = ProcessInfo.processInfo.environment["TERM"] == "dumb"
    return Palette(isColoured: isTerminal && !noColor && !isUnwanted && !isDumb)
  }
}

/// At once, not when a buffer is full: who reads a session's messages from a pipe waits for each.
func printData(_ text: String) {
  // When the reader has gone there is nobody left to tell.
  try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
}

func printProgress(_ text: String) {
  try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
}

/// A question on stderr, answered on stdin; nil at the end of the input.
func ask(_ question: String) -> String? {
  try? FileHandle.standardError.write(contentsOf: Data(question.utf8))
  return readLine()?.trimmingCharacters(in: .whitespaces)
}

/// A person looks at stdout.
var isTerminal: Bool { isatty(1) == 1 }

/// A person can answer.
var canAsk: Bool { isatty(0) == 1 && isatty(2) == 1 }

/// A failure whose message is for the user, with exit code 1.
struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
