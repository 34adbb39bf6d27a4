internal import CCallgrind
internal import MeasuredParts

/// Does every part as often as it says, and has callgrind dump its counters after each, under the part's name. `check`
/// starts it; alone it only shows that all parts work.
///
/// Counting is off until then, so that the input is made at nearly full speed. The operations run once before they are
/// counted: tables have grown, lazy globals exist, and the linker has resolved what it resolves late.
@main struct CountParts {
  static func main() throws {
    for part in Part.all {
      let run = try part.prepare()
      _ = try run(part.counted)
      callgrind_start()
      callgrind_zero()
      let sum = try run(part.counted)
      callgrind_dump(part.name)
      callgrind_stop()
      print("\(part.name)\t\(part.counted)\t\(sum)")
    }
  }
}
