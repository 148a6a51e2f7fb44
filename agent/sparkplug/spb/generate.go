// Package spb is the payload of Sparkplug B. protoc (Debian's protobuf-compiler) generates it from
// spb.proto. Start with [Payload].
package spb

//go:generate sh -c "protoc --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --go_out=paths=source_relative:. spb.proto"
