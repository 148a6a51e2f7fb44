package sparkplug

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"tirewatch/agent/sparkplug/spb"
	"tirewatch/vision/verdict"
)

// Names of metrics that the specification defines.
const (
	bdSeqName   = "bdSeq"
	rebirthName = "Node Control/Rebirth"
)

// metric is one metric of a birth certificate. Its alias is its position in the list of all
// metrics, starting at 1.
type metric[T any] struct {
	name  string
	kind  spb.DataType
	value func(T) any // int32, uint64, float64, bool or string, as kind requires; nil is null
}

// nodeMetrics are the metrics of the edge node, in addition to the two of the specification.
var nodeMetrics = []metric[facts]{
	{"Station/Name", spb.DataType_String, func(f facts) any { return f.station }},
	{"Station/Version", spb.DataType_String, func(f facts) any { return f.version }},
	{"Station/Problem", spb.DataType_String, func(f facts) any { return f.Problem }},
	{"Model/Serial", spb.DataType_UInt64, func(f facts) any { return f.ModelSerial }},
	{"Model/Hash", spb.DataType_String, func(f facts) any { return nullIfEmpty(f.ModelHash) }},
}

// deviceMetrics are the metrics of a verdict. Each DDATA contains all of them, because they belong
// together. Before the first verdict they are null.
var deviceMetrics = []metric[*verdict.Verdict]{
	{"Verdict/Sequence", spb.DataType_UInt64, func(v *verdict.Verdict) any { return v.Seq }},
	{"Verdict/Label", spb.DataType_String, func(v *verdict.Verdict) any { return string(v.Label) }},
	{"Verdict/Reject", spb.DataType_Boolean, func(v *verdict.Verdict) any { return v.Reject }},
	{"Verdict/Reason", spb.DataType_String, func(v *verdict.Verdict) any { return nullIfEmpty(v.Reason) }},
	{"Verdict/Probability", spb.DataType_Double, func(v *verdict.Verdict) any { return v.Probability }},
	{"Verdict/Threshold", spb.DataType_Double, func(v *verdict.Verdict) any { return v.Threshold }},
	{"Verdict/Frames", spb.DataType_Int32, func(v *verdict.Verdict) any { return int32(len(v.Votes)) }},
	{"Verdict/Model Serial", spb.DataType_UInt64, func(v *verdict.Verdict) any { return v.ModelSerial }},
	{"Verdict/Model Hash", spb.DataType_String, func(v *verdict.Verdict) any { return v.ModelHash }},
	{"Verdict/Trigger", spb.DataType_String, func(v *verdict.Verdict) any { return nullIfEmpty(v.Trigger) }},
	{"Verdict/Part", spb.DataType_String, func(v *verdict.Verdict) any { return nullIfEmpty(v.Part) }},
	{"Verdict/View", spb.DataType_String, tiled(func(t *verdict.Tiling) any { return t.View })},
	{"Verdict/Tiles", spb.DataType_Int32, tiled(func(t *verdict.Tiling) any { return int32(len(t.Tiles)) })},
	{"Verdict/Angle", spb.DataType_Double, tiled(func(t *verdict.Tiling) any { return t.Angle })},
	{"Verdict/Image", spb.DataType_String, func(v *verdict.Verdict) any { return nullIfEmpty(v.Image) }},
	{"Verdict/Crop", spb.DataType_String, func(v *verdict.Verdict) any { return nullIfEmpty(v.Crop) }},
	{"Verdict/Forward", spb.DataType_Double, func(v *verdict.Verdict) any { return v.MS.Forward }},
	{"Verdict/Sound Below", spb.DataType_Double, func(v *verdict.Verdict) any { return nullIfZero(v.SoundBelow) }},
}

// Aliases are numbered in this order: bdSeq, the node's metrics, the device's metrics.
const bdSeqAlias = 1

var (
	firstNodeAlias   = uint64(bdSeqAlias + 1)
	firstDeviceAlias = firstNodeAlias + uint64(len(nodeMetrics))
)

// nullIfEmpty returns nil for an empty text.
func nullIfEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// nullIfZero returns nil for 0.
func nullIfZero(x float64) any {
	if x == 0 {
		return nil
	}
	return x
}

// tiled is null for a tire that was not cut into tiles. The scores of the tiles are only on the
// plain topics, because most hosts cannot show arrays.
func tiled(value func(*verdict.Tiling) any) func(*verdict.Verdict) any {
	return func(v *verdict.Verdict) any {
		if v.Tiling == nil {
			return nil
		}
		return value(v.Tiling)
	}
}

// encodeMetrics encodes the metrics of table for v. A birth has names and types; data has only
// aliases.
func encodeMetrics[T any](
	table []metric[T], first uint64, v T, at time.Time, birth bool,
) []*spb.Payload_Metric {
	out := make([]*spb.Payload_Metric, len(table))
	for i, m := range table {
		out[i] = newMetric(m, first+uint64(i), m.value(v), at, birth)
	}
	return out
}

func newMetric[T any](m metric[T], alias uint64, value any, at time.Time, birth bool) *spb.Payload_Metric {
	p := &spb.Payload_Metric{Alias: proto.Uint64(alias), Timestamp: proto.Uint64(unixMS(at))}
	if birth {
		p.Name, p.Datatype = proto.String(m.name), proto.Uint32(uint32(m.kind))
	}
	switch v := value.(type) {
	case nil:
		p.IsNull = proto.Bool(true)
	case int32:
		p.Value = &spb.Payload_Metric_IntValue{IntValue: uint32(v)}
	case uint64:
		p.Value = &spb.Payload_Metric_LongValue{LongValue: v}
	case float64:
		p.Value = &spb.Payload_Metric_DoubleValue{DoubleValue: v}
	case bool:
		p.Value = &spb.Payload_Metric_BooleanValue{BooleanValue: v}
	case string:
		p.Value = &spb.Payload_Metric_StringValue{StringValue: strings.ToValidUTF8(v, "\uFFFD")}
	default:
		panic("internal error: metric " + m.name + " has a value without a Sparkplug type")
	}
	return p
}

// nullMetrics returns the device's metrics before the first verdict.
func nullMetrics(at time.Time) []*spb.Payload_Metric {
	out := make([]*spb.Payload_Metric, len(deviceMetrics))
	for i, m := range deviceMetrics {
		out[i] = newMetric(m, firstDeviceAlias+uint64(i), nil, at, true)
	}
	return out
}

// bdSeqMetric is the number that pairs a birth with its death.
func bdSeqMetric(n uint8, at time.Time) *spb.Payload_Metric {
	return &spb.Payload_Metric{
		Name: proto.String(bdSeqName), Timestamp: proto.Uint64(unixMS(at)),
		Datatype: proto.Uint32(uint32(spb.DataType_Int64)),
		Value:    &spb.Payload_Metric_LongValue{LongValue: uint64(n)},
	}
}

// rebirthMetric tells a host that it may request a rebirth. The specification requires it to have
// no alias.
func rebirthMetric(at time.Time) *spb.Payload_Metric {
	return &spb.Payload_Metric{
		Name: proto.String(rebirthName), Timestamp: proto.Uint64(unixMS(at)),
		Datatype: proto.Uint32(uint32(spb.DataType_Boolean)),
		Value:    &spb.Payload_Metric_BooleanValue{BooleanValue: false},
	}
}

// unixMS returns t in Unix ms, 0 for times before 1970.
func unixMS(t time.Time) uint64 { return uint64(max(0, t.UnixMilli())) }

func encode(p *spb.Payload) []byte {
	data, err := proto.Marshal(p)
	if err != nil {
		panic("internal error: " + err.Error()) // our payloads can always be encoded
	}
	return data
}
