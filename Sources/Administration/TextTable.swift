/// Columns of text, as wide as their widest cell; numbers to the right.
public struct TextTable: Sendable {
  public enum Alignment: Sendable { case left, right }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [Row] = []

  private struct Row: Sendable {
    let cells: [String]
    let styles: [Int: Palette.Style]
  }

  public init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  public var isEmpty: Bool { rows.isEmpty }

  /// - Parameter styles: by column.
  public mutating func add(_ cells: [String], styles: [Int: Palette.Style] = [:]) {
    precondition(cells.count == columns.count, "a row has one cell for each column")
    rows.append(Row(cells: cells.map(printable), styles: styles))
  }

  /// Ends with a line break.
  public var text: String { text(.plain) }

  public func text(_ palette: Palette) -> String {
    let headings = Dictionary(uniqueKeysWithValues: columns.indices.map { ($0, Palette.Style.heading) })
    let all = [Row(cells: columns.map(\.title), styles: headings)] + rows
    let widths = columns.indices.map { column in all.map { $0.cells[column].count }.max() ?? 0 }
    return all.map { line($0, widths, palette) + "\n" }.joined()
  }

  private func line(_ row: Row, _ widths: [Int], _ palette: Palette) -> String {
    let last = row.cells.lastIndex { !$0.isEmpty } ?? 0
    var line = ""
    for (column, cell) in row.cells.enumerated().prefix(last + 1) {
      let padding = String(repeating: " ", count: widths[column] - cell.count)
      let styled = palette(cell, row.styles[column] ?? .plain)
      line += column == 0 ? "" : "  "
      if columns[column].alignment == .right {
        line += padding + styled
      } else {
        // Nothing follows that would have to be in line.
        line += styled + (column == last ? "" : padding)
      }
    }
    return line
  }
}

/// Text that clients or operators chose must not steer the terminal.
func printable(_ text: String) -> String {
  String(
    String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) ? "?" : $0 })
  )
}
