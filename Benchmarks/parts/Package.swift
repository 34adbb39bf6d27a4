// swift-tools-version: 6.1
import PackageDescription

// What PushRing's parts cost, apart from everything around them. Measured twice over: by ordo-one's benchmark for people
// (`run`), and in instructions, which valgrind counts, for the comparison with what was committed (`check`).

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "parts",
  platforms: [.macOS(.v15)],
  dependencies: [
    // By name, as the folder that it was cloned into may have any.
    .package(name: "pushring", path: "../.."),
    // Without its traits: they replace malloc and the Swift runtime's reference counting, to count.
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
  ],
  targets: [
    // The plugin of ordo-one's looks for programs in folders of a folder named Benchmarks.
    .executableTarget(
      name: "Parts",
      dependencies: ["MeasuredParts", .product(name: "Benchmark", package: "benchmark")],
      path: "Benchmarks/Parts",
      swiftSettings: settings,
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    .executableTarget(name: "count-parts", dependencies: ["MeasuredParts", "CCallgrind"], swiftSettings: settings),
    // The ring beside other structures; Benchmarks/ring/run starts it. Here, because the core is built here already.
    .executableTarget(
      name: "measure-ring",
      dependencies: [
        .product(name: "PushRingParts", package: "pushring"), .product(name: "CMalloc", package: "pushring"),
      ],
      swiftSettings: settings),
    // The parts, each with its input: one list for both.
    .target(
      name: "MeasuredParts", dependencies: ["RedisFormats", .product(name: "PushRingParts", package: "pushring")],
      swiftSettings: settings),
    .target(
      name: "RedisFormats",
      dependencies: [
        .product(name: "PushRingParts", package: "pushring"), .product(name: "CHiredis", package: "pushring"),
      ],
      swiftSettings: settings),
    .systemLibrary(name: "CCallgrind"),
  ]
)
