/// Waiting in tests: always for something, never for a time; and never for ever.

/// Runs `operation`, and throws when it isn't done within `limit` (its task is then cancelled).
public func bounded<Value: Sendable>(
  _ limit: Duration = .seconds(10), _ what: String = "the operation",
  _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
  try await withThrowingTaskGroup(of: Value.self) { group in
    group.addTask(operation: operation)
    group.addTask {
      try await Task.sleep(for: limit)
      throw TestServerError("\(what) was not done within \(limit)")
    }
    defer { group.cancelAll() }
    guard let first = try await group.next() else { throw TestServerError("no result") }
    return first
  }
}

/// Asks `condition` again and again until it gives a value; throws when that takes longer than `limit`.
@discardableResult
public func waitUntil<Value>(
  _ what: String, within limit: Duration = .seconds(10), isolation: isolated (any Actor)? = #isolation,
  _ condition: () async throws -> Value?
) async throws -> Value {
  let clock = ContinuousClock()
  let end = clock.now + limit
  while true {
    if let value = try await condition() { return value }
    guard clock.now < end else { throw TestServerError("waited \(limit) in vain until \(what)") }
    try await Task.sleep(for: .milliseconds(10))
  }
}

/// As `waitUntil`, for conditions that are true or false.
public func eventually(
  _ what: String, within limit: Duration = .seconds(10), isolation: isolated (any Actor)? = #isolation,
  _ condition: () async throws -> Bool
) async throws {
  try await waitUntil(what, within: limit) { try await condition() ? true : nil }
}
