internal import Benchmark
internal import MeasuredParts

/// Times each part. One iteration does it a thousand times, unless it takes long enough as it is, so that it is well above
/// the clock's resolution; the table shows the time of one operation.
///
/// It is the wall clock's, because the processor time that ordo-one's package reads on Linux comes in steps of 10 ms.
/// Nothing here waits, so both are the same on a machine that has nothing else to do.
let benchmarks: @Sendable () -> Void = {
  for part in Part.all {
    var run: Part.Run?
    Benchmark(
      part.name, configuration: configuration(part),
      closure: { benchmark in
        guard let run else { return }
        Benchmark.blackHole(try run(benchmark.scaledIterations.count))
      },
      setup: { run = try part.prepare() })
  }
}

private func configuration(_ part: Part) -> Benchmark.Configuration {
  .init(
    metrics: [.wallClock, .throughput], timeUnits: .nanoseconds, warmupIterations: 3,
    scalingFactor: part.isLong ? .one : .kilo, maxDuration: .seconds(1), maxIterations: 10_000)
}
