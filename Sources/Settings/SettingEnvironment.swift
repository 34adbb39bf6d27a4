/// The variables that are ours; unknown ones are an error.
///
/// Except what others put there: Kubernetes sets `PUSHRING_SERVICE_HOST`, `PUSHRING_PORT_7400_TCP_ADDR` and the like in
/// every pod beside a Service named "pushring…" (also `PUSHRING_SENDER_PORT`), and builds and tests have theirs.
func ownVariables(_ environment: [String: String]) throws(SettingError) -> [String: String] {
  let known = Set(Settings.all.map(\.environmentVariable))
  var own: [String: String] = [:]
  // Sorted, so that of several unknown ones always the same is reported.
  for (name, text) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix(environmentPrefix) {
    if known.contains(name) {
      own[name] = text
    } else if !belongsToOthers(name) {
      throw SettingError(
        message: "unknown environment variable \(name)\(suggestion(for: name, among: known)); "
          + "Docs/configuration.md lists all")
    }
  }
  return own
}

private func belongsToOthers(_ name: String) -> Bool {
  ["PUSHRING_STRICT", "PUSHRING_BIN", "PUSHRING_VENV"].contains(name) || name.hasPrefix("PUSHRING_TEST_")
    || name.hasSuffix("_SERVICE_HOST") || name.hasSuffix("_SERVICE_PORT") || name.contains("_SERVICE_PORT_")
    || name.hasSuffix("_PORT") || name.contains("_PORT_")
}
