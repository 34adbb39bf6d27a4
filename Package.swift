// swift-tools-version: 6.2
import PackageDescription

// Read from top to bottom, this file is the architecture: programs on top, then shells (which do I/O),
// adapters (Redis, protobuf), the core (values only: no I/O, no clock, no randomness of its own), and C.
// A target sees only what it lists, and lists only what lies below it.

/// `PUSHRING_STRICT=1` (set by `scripts/test`) turns warnings into errors. It is not the default, so that a
/// newer compiler's new warning does not break the build of somebody who embeds the Sender.
let strict: [SwiftSetting] =
  Context.environment["PUSHRING_STRICT"] == "1" ? [.treatAllWarnings(as: .error)] : []

let settings: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ] + strict

func nio(_ name: String) -> Target.Dependency { .product(name: name, package: "swift-nio") }

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let grpcCore = Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2")
let grpcProtobuf = Target.Dependency.product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let grpcTransport = Target.Dependency.product(
  name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

// MARK: - Programs

let programs: [Target] = [
  .executableTarget(
    name: "pushring",
    dependencies: [
      "SessionManager", "Sender", "SessionClient", "Administration", "Observability", "Settings",
      "RedisDirectory", "RedisClient", "EpollSessionEdge", "SessionEdge", "Wire", "Simulation", "Routing",
      "Rebalancing", "Sessions", "Placement", "HashRing", "Scale", "LoadClient", "Polling", "BenchResults", "CMalloc",
      arguments, logging, metrics,
      lifecycle,
      signals, grpcCore,
      grpcProtobuf, grpcTransport, protobuf,
    ],
    swiftSettings: settings)
]

// MARK: - Shells: gRPC, NIO, clocks, logging, metrics

let shells: [Target] = [
  .target(
    name: "SessionManager",
    dependencies: [
      "SessionEdge", "GRPCServing", "Listening", "RedisDirectory", "Wire", "Rebalancing", "Placement", "Sessions",
      "HashRing", "CMalloc", grpcCore, grpcProtobuf, grpcTransport, protobuf, logging, metrics, lifecycle,
      nio("NIOCore"), nio("NIOPosix"),
    ],
    swiftSettings: settings),
  .target(
    name: "Sender",
    dependencies: [
      "GRPCServing", "Listening", "RedisDirectory", "Wire", "Routing", "Placement", "Sessions", "HashRing",
      grpcCore, grpcProtobuf, grpcTransport, protobuf, logging, metrics, lifecycle, nio("NIOCore"),
    ],
    swiftSettings: settings),
  .target(
    name: "SessionClient",
    dependencies: ["Wire", "Sessions", grpcCore, grpcProtobuf, grpcTransport, logging],
    swiftSettings: settings),
  .target(
    name: "Administration",
    dependencies: [
      "RedisDirectory", "Wire", "Routing", "Rebalancing", "Placement", "Sessions", "HashRing", grpcCore, grpcTransport,
      logging,
    ],
    swiftSettings: settings),
  .target(name: "GRPCServing", dependencies: ["Listening", grpcTransport, nio("NIOCore")], swiftSettings: settings),
  .target(name: "Listening", dependencies: [nio("NIOCore")], swiftSettings: settings),
  .target(
    name: "EpollSessionEdge",
    dependencies: [
      "EdgeEngine", "HTTP2Wire", "SessionEdge", "Listening", "Polling", "CEpoll", nio("NIOCore"), logging,
    ],
    swiftSettings: settings),
  .target(
    name: "Observability",
    dependencies: [
      "Listening", logging, metrics, lifecycle, .product(name: "Hummingbird", package: "hummingbird"),
    ],
    swiftSettings: settings),
  .target(name: "LoadClient", dependencies: ["HTTP2Wire", "Polling"], swiftSettings: settings),
  .target(name: "Polling", dependencies: ["CEpoll"], swiftSettings: settings),
  .target(
    name: "BenchResults", dependencies: [.product(name: "Histogram", package: "hdrhistogram-swift")],
    swiftSettings: settings),
  .target(
    name: "Settings",
    dependencies: [.product(name: "Configuration", package: "swift-configuration")],
    swiftSettings: settings),
]

// MARK: - Adapters

let adapters: [Target] = [
  .target(
    name: "RedisDirectory",
    dependencies: ["RedisClient", "Placement", "Sessions", "HashRing", logging],
    resources: [.embedInCode("Scripts")],
    swiftSettings: settings),
  .target(
    name: "RedisClient",
    dependencies: [
      "CHiredis", nio("NIOCore"), nio("NIOPosix"), .product(name: "NIOSSL", package: "swift-nio-ssl"), logging,
    ],
    swiftSettings: settings),
  .target(
    name: "Wire",
    dependencies: ["Placement", "Sessions", protobuf, grpcCore, grpcProtobuf, grpcTransport],
    swiftSettings: settings),
]

// MARK: - Core: values only

let core: [Target] = [
  .target(name: "EdgeEngine", dependencies: ["SessionEdge", "HTTP2Wire"], swiftSettings: settings),
  .target(name: "SessionEdge", swiftSettings: settings),
  .target(name: "HTTP2Wire", swiftSettings: settings),
  .target(
    name: "Simulation", dependencies: ["Routing", "Rebalancing", "Sessions", "Placement", "HashRing"],
    swiftSettings: settings),
  .target(name: "Scale", dependencies: ["Placement", "HashRing"], swiftSettings: settings),
  .target(name: "Routing", dependencies: ["Placement", "Sessions", "HashRing"], swiftSettings: settings),
  .target(name: "Rebalancing", dependencies: ["Sessions", "Placement", "HashRing"], swiftSettings: settings),
  .target(name: "Sessions", dependencies: ["Placement"], swiftSettings: settings),
  .target(name: "Placement", dependencies: ["HashRing"], swiftSettings: settings),
  .target(
    name: "HashRing",
    dependencies: ["CXXHash", .product(name: "Atomics", package: "swift-atomics")],
    swiftSettings: settings),
]

// MARK: - C libraries of the system

let systemLibraries: [Target] = [
  .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
  .systemLibrary(name: "CEpoll"),
  .systemLibrary(name: "CMalloc"),
  .systemLibrary(name: "CHiredis", pkgConfig: "hiredis", providers: [.apt(["libhiredis-dev"])]),
]

// MARK: - Tests

let tests: [Target] = [
  .target(
    name: "TestServers",
    dependencies: [logging],
    path: "Tests/TestServers",
    swiftSettings: settings),
  .target(
    name: "TestCalls",
    dependencies: ["SessionEdge", "TestServers", grpcCore, grpcTransport],
    path: "Tests/TestCalls",
    swiftSettings: settings),
  .testTarget(name: "HashRingTests", dependencies: ["HashRing"], swiftSettings: settings),
  .testTarget(name: "LoadClientTests", dependencies: ["LoadClient", "Wire", protobuf], swiftSettings: settings),
  .testTarget(name: "BenchResultsTests", dependencies: ["BenchResults"], swiftSettings: settings),
  .testTarget(
    name: "EdgeEngineTests", dependencies: ["EdgeEngine", "SessionEdge", "HTTP2Wire"], swiftSettings: settings),
  .testTarget(name: "EpollSessionEdgeTests", dependencies: ["EpollSessionEdge", "CEpoll"], swiftSettings: settings),
  .testTarget(name: "HTTP2WireTests", dependencies: ["HTTP2Wire"], swiftSettings: settings),
  .target(
    name: "EdgeFuzzing", dependencies: ["EdgeEngine", "SessionEdge", "HTTP2Wire"], path: "Tests/EdgeFuzzing",
    exclude: ["Corpus", "Entry", "http2.dict"], swiftSettings: settings),
  // With wire-probe, the program by which Tests/EndToEnd compare what is on the wire, so that it is built with the tests.
  .testTarget(name: "EdgeFuzzingTests", dependencies: ["EdgeFuzzing", "wire-probe"], swiftSettings: settings),
  .executableTarget(
    name: "wire-probe", dependencies: ["EdgeEngine", "SessionEdge", "HTTP2Wire"], path: "Tests/WireProbe",
    swiftSettings: settings),
  .testTarget(name: "PlacementTests", dependencies: ["Placement", "HashRing"], swiftSettings: settings),
  .testTarget(
    name: "RebalancingTests", dependencies: ["Rebalancing", "Sessions", "Placement"], swiftSettings: settings),
  .testTarget(name: "SessionsTests", dependencies: ["Sessions", "Placement"], swiftSettings: settings),
  .testTarget(
    name: "SimulationTests", dependencies: ["Simulation"], exclude: ["Scenarios"], swiftSettings: settings),
  .testTarget(name: "ScaleTests", dependencies: ["Scale", "Placement", "HashRing"], swiftSettings: settings),
  .testTarget(
    name: "RoutingTests", dependencies: ["Routing", "Sessions", "Placement", "HashRing"], swiftSettings: settings),
  .testTarget(
    name: "RedisClientTests",
    dependencies: ["RedisClient", "TestServers", logging, nio("NIOCore"), nio("NIOPosix")], swiftSettings: settings),
  .testTarget(
    name: "RedisDirectoryTests",
    dependencies: ["RedisDirectory", "RedisClient", "Placement", "Sessions", "HashRing", "TestServers", logging],
    swiftSettings: settings),
  .testTarget(
    name: "SessionEdgeTests",
    dependencies: ["SessionEdge", "EpollSessionEdge", "TestCalls", "TestServers", grpcCore, grpcTransport, logging],
    swiftSettings: settings),
  .testTarget(
    name: "SessionManagerTests",
    dependencies: [
      "SessionManager", "SessionEdge", "EpollSessionEdge", "RedisDirectory", "RedisClient", "Wire", "Sessions",
      "Placement", "TestCalls", "HashRing", protobuf, "TestServers", grpcCore, grpcProtobuf, grpcTransport, logging,
    ],
    swiftSettings: settings),
  .testTarget(
    name: "SenderTests",
    dependencies: [
      "Sender", "GRPCServing", "Routing", "RedisDirectory", "RedisClient", "Wire", "Sessions", "Placement", "HashRing",
      "TestServers",
      grpcCore, grpcProtobuf, grpcTransport, logging, nio("NIOCore"),
    ],
    swiftSettings: settings),
  .testTarget(
    name: "AdministrationTests",
    dependencies: ["Administration", "RedisDirectory", "Placement", "Sessions", "HashRing", "TestServers", logging],
    swiftSettings: settings),
  .testTarget(
    name: "ObservabilityTests", dependencies: ["Observability", logging, metrics, lifecycle], swiftSettings: settings),
  .testTarget(
    name: "SessionClientTests",
    dependencies: [
      "SessionClient", "GRPCServing", "Wire", "TestServers", grpcCore, grpcProtobuf, grpcTransport, logging,
    ],
    swiftSettings: settings),
  .testTarget(name: "ListeningTests", dependencies: ["Listening", nio("NIOCore")], swiftSettings: settings),
  .testTarget(name: "SettingsTests", dependencies: ["Settings"], swiftSettings: settings),
  .testTarget(
    name: "ProgramTests",
    dependencies: ["TestServers", "pushring", "Settings", "Wire", "RedisDirectory", "RedisClient", logging],
    swiftSettings: settings),
]

let package = Package(
  name: "pushring",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "pushring", targets: ["pushring"]),
    .library(name: "PushRingSender", targets: ["Sender", "RedisDirectory", "RedisClient"]),
    // Only for Benchmarks/parts: a package of its own sees no targets but those of products. No API to depend on.
    .library(name: "PushRingParts", targets: ["HashRing", "Placement", "Sessions", "Routing", "HTTP2Wire"]),
    .library(name: "CHiredis", targets: ["CHiredis"]),
    .library(name: "CMalloc", targets: ["CMalloc"]),
  ],
  dependencies: [
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-atomics", from: "1.3.0"),
    .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["JSON", "YAML"]),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
    .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: programs + shells + adapters + core + systemLibraries + tests
)
