// What travels: `Protos/` is the source, `Generated/` is made from it by `scripts/generate-protobuf`, and the
// conversions beside this file are the only places that know both a protobuf type and its counterpart in the core.
//
// All of it is `package`: a program that embeds the Sender sees no protobuf type, so that a new version of the
// protobuf library is never a breaking change of ours.
