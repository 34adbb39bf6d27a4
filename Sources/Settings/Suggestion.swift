/// ": did you mean …?" for the nearest known name, or nothing when none is near.
func suggestion(for name: String, among known: some Collection<String>) -> String {
  // What all variables begin with says nothing about which is meant.
  let length = name.count - (name.hasPrefix(environmentPrefix) ? environmentPrefix.count : 0)
  let nearest = known.map { (name: $0, distance: editDistance(name, $0)) }
    .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
  guard let nearest, nearest.distance <= max(2, length / 3) else { return "" }
  return ": did you mean \(nearest.name)?"
}

/// How many characters to insert, delete or replace to turn one into the other (Levenshtein).
private func editDistance(_ left: String, _ right: String) -> Int {
  let right = Array(right)
  var previous = Array(0...right.count)
  for (row, character) in left.enumerated() {
    var current = [row + 1]
    for (column, other) in right.enumerated() {
      let replaced = previous[column] + (character == other ? 0 : 1)
      current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
    }
    previous = current
  }
  return previous[right.count]
}
