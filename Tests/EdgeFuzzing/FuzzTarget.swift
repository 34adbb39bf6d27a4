/// What is fuzzed of the session edge, and what has to hold for any bytes.
///
/// `scripts/fuzz` gives these targets to libFuzzer, which looks for inputs that reach new code; what it found is in `Corpus`,
/// reduced to the inputs that matter. `EdgeFuzzingTests` runs the corpus, and a fixed number of changed copies of it, with
/// every `scripts/test`, without libFuzzer.
///
/// *An input* is data, then control bytes, then a byte that says how many control bytes there are: so the data stays in one
/// piece for whoever changes it, and the rest says into which pieces it is cut and what happens in between.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// `ServerConnection`: any bytes, in any pieces, with messages and time in between.
  case connection
  /// `HPACKDecoder`, and `HPACKEncoder` with what it decoded.
  case headers
  /// `FrameReader`, and `FrameWriter` with what it read.
  case frames

  /// - Returns: what does not hold for this input; nil when all does.
  public func violation(_ input: [UInt8]) -> String? {
    let input = FuzzInput(input)
    do throws(Violation) {
      switch self {
      case .connection:
        try ConnectionFuzz.check(input)
        try PiecesFuzz.check(input)
      case .headers: try HeadersFuzz.check(input)
      case .frames: try FramesFuzz.check(input)
      }
    } catch {
      return error.message
    }
    return nil
  }
}

struct Violation: Error {
  let message: String
  init(_ message: String) { self.message = message }
}

func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(Violation) {
  if !condition { throw Violation(message()) }
}

struct FuzzInput {
  let data: ArraySlice<UInt8>
  let controls: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) {
    let rest = bytes.dropLast()
    let count = min(Int(bytes.last ?? 0), rest.count)
    data = rest.dropLast(count)
    controls = rest.suffix(count)
  }
}
