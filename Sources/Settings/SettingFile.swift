internal import Configuration
internal import Foundation
internal import Synchronization

/// A configuration file as a flat list of names and texts.
///
/// swift-configuration's snapshots answer for keys that one asks for, and don't list the keys that are there. They do ask
/// for each key whether it is a secret: that question is how an unknown key is found.
struct SettingFile: Sendable {
  let path: String
  let texts: [String: String]

  init(path: String) throws(SettingError) {
    self.path = path
    let bytes: Data
    do {
      bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw SettingError(message: "configuration file \(path): can't be read: \(error.localizedDescription)")
    }
    texts = try Self.parse(bytes, path: path)
  }

  private static func parse(_ bytes: Data, path: String) throws(SettingError) -> [String: String] {
    let keys = SeenKeys()
    let snapshot: any ConfigSnapshot
    do {
      switch URL(fileURLWithPath: path).pathExtension.lowercased() {
      case "json":
        snapshot = try JSONSnapshot(
          data: bytes.bytes, providerName: path,
          parsingOptions: .init(secretsSpecifier: .dynamic { key, _ in keys.insert(key) }))
      case "yaml", "yml":
        snapshot = try YAMLSnapshot(
          data: bytes.bytes, providerName: path,
          parsingOptions: .init(secretsSpecifier: .dynamic { key, _ in keys.insert(key) }))
      default:
        throw SettingError(message: "configuration file \(path): its name must end in .json, .yaml or .yml")
      }
    } catch let error as SettingError {
      throw error
    } catch {
      throw SettingError(message: "configuration file \(path): can't be understood: \(words(error))")
    }
    return try texts(of: keys.sorted, in: snapshot, path: path)
  }

  private static func texts(of keys: [String], in snapshot: any ConfigSnapshot, path: String)
    throws(SettingError) -> [String: String]
  {
    let known = Set(Settings.all.map(\.name))
    var texts: [String: String] = [:]
    for key in keys {
      guard known.contains(key) else {
        throw SettingError(
          message: "\(path): unknown key \"\(key)\"\(suggestion(for: key, among: known)); "
            + "Docs/configuration.md lists all")
      }
      guard key != Settings.config.description.name else {
        throw SettingError(message: "\(path): a configuration file can't name another: remove \"config\"")
      }
      guard let text = text(of: key, in: snapshot) else {
        throw SettingError(message: "\(path), key \"\(key)\": must be a text, a number, true, false or a list of texts")
      }
      texts[key] = text
    }
    return texts
  }

  /// As text, whatever its type in the file is; nil for what is neither scalar nor a list of texts.
  private static func text(of key: String, in snapshot: any ConfigSnapshot) -> String? {
    for type in [ConfigType.string, .int, .double, .bool, .stringArray] {
      switch (try? snapshot.value(forKey: AbsoluteConfigKey([key]), type: type))?.value?.content {
      case .string(let text): return text
      case .int(let number): return String(number)
      case .double(let number): return String(number)
      case .bool(let flag): return String(flag)
      case .stringArray(let texts): return texts.joined(separator: ",")
      default: continue
      }
    }
    return nil
  }
}

/// Of what Foundation says of broken JSON only the sentence that says where it is broken.
private func words(_ error: any Error) -> String {
  (error as NSError).userInfo["NSDebugDescription"] as? String ?? "\(error)"
}

private final class SeenKeys: Sendable {
  private let keys = Mutex<Set<String>>([])

  /// Always false: nothing is marked as secret.
  func insert(_ key: String) -> Bool {
    keys.withLock { _ = $0.insert(key) }
    return false
  }

  var sorted: [String] { keys.withLock { $0.sorted() } }
}
