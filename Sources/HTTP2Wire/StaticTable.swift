/// The fields that both sides know beforehand (RFC 7541, appendix A).
enum StaticTable {
  static let count = 61

  /// Field 1 of the RFC is at index 0.
  static let list: HeaderList = [
    ":authority": "", ":method": "GET", ":method": "POST", ":path": "/", ":path": "/index.html", ":scheme": "http",
    ":scheme": "https", ":status": "200", ":status": "204", ":status": "206", ":status": "304", ":status": "400",
    ":status": "404", ":status": "500", "accept-charset": "", "accept-encoding": "gzip, deflate",
    "accept-language": "", "accept-ranges": "", "accept": "", "access-control-allow-origin": "", "age": "",
    "allow": "", "authorization": "", "cache-control": "", "content-disposition": "", "content-encoding": "",
    "content-language": "", "content-length": "", "content-location": "", "content-range": "", "content-type": "",
    "cookie": "", "date": "", "etag": "", "expect": "", "expires": "", "from": "", "host": "", "if-match": "",
    "if-modified-since": "", "if-none-match": "", "if-range": "", "if-unmodified-since": "", "last-modified": "",
    "link": "", "location": "", "max-forwards": "", "proxy-authenticate": "", "proxy-authorization": "", "range": "",
    "referer": "", "refresh": "", "retry-after": "", "server": "", "set-cookie": "", "strict-transport-security": "",
    "transfer-encoding": "", "user-agent": "", "vary": "", "via": "", "www-authenticate": "",
  ]

  /// The indices of the fields whose names have this many bytes, in order.
  private static let byNameCount: [[Int]] = {
    var table = [[Int]](repeating: [], count: list.fields.lazy.map { Int($0.nameCount) }.max()! + 1)
    for (index, field) in list.fields.enumerated() { table[Int(field.nameCount)].append(index) }
    return table
  }()

  /// The first field of that name, and whether its value is the same; one with the same value if there is one. From 1.
  static func find(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>) -> (index: Int, whole: Bool)? {
    guard name.count < byNameCount.count else { return nil }
    let list = list
    var first: Int?
    for index in byNameCount[name.count] where list.bytes[list.fields[index].name] == name {
      if list.bytes[list.fields[index].value] == value { return (index + 1, true) }
      if first == nil { first = index + 1 }
    }
    return first.map { ($0, false) }
  }
}
