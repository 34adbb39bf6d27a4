// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "backend",
  platforms: [.macOS(.v15)],
  dependencies: [
    // Your own package names the repository and a version here.
    .package(name: "pushring", path: "../../.."),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    .executableTarget(
      name: "backend",
      dependencies: [
        .product(name: "PushRingSender", package: "pushring"),
        .product(name: "Logging", package: "swift-log"),
      ])
  ]
)
