package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Two bodies for arm64. Both multiply signed bytes: they use x-128 and add 128 times the weights of
// a channel to its bias, which is exact. rows_arm64.go, first_arm64.go and depthwise_arm64.go pack
// the weights, the .s files compute.
var (
	// neonBody runs on every arm64 CPU.
	neonBody = &Body{
		name: "neon", block: armBlock, group: armGroup,
		pack: packNEON, weightBytes: 1, scratch: signedBytes,
		requantize: requantizeNEON, pool: poolNEON,
		packFirst: packFirstNEON, firstBlock: armBlock, firstSlack: expandSlack,
		firstBytes: int(unsafe.Sizeof(neonLayer{})) / armBlock,

		packPlain: packPlainNEON, plainLeast: depthwiseBlock,
		plainBytes: 2 * int(unsafe.Sizeof(depthwiseRecord{})+unsafe.Sizeof(plainRecord{})) / depthwiseBlock,
		packNarrow: packNarrowNEON, narrowGroup: 8, narrowLeast: 2, narrowBytes: int(unsafe.Sizeof(narrowedNEON{})) / neonChannels,
		packDepthwise: packDepthwiseNEON, depthwiseLeast: depthwiseBlock,
		depthwiseBytes: 2 * int(unsafe.Sizeof(depthwiseRecord{})) / depthwiseBlock,
	}
	// sdotBody needs the dot product instructions of ARMv8.2: Cortex-A55, A75 and later.
	sdotBody = &Body{
		name: "sdot", block: armBlock, group: armGroup,
		pack: packSDOT, weightBytes: 1, scratch: signedBytes,
		requantize: requantizeNEON, pool: poolNEON,
		packFirst: packFirstSDOT, firstBlock: armBlock, firstSlack: expandSlack,
		firstBytes: int(unsafe.Sizeof(sdotLayer{})) / armBlock,

		packPlain: packPlainSDOT, plainLeast: depthwiseBlock,
		plainBytes: 2 * int(unsafe.Sizeof(depthwiseRecord{})+unsafe.Sizeof(plainRecord{})) / depthwiseBlock,
		packNarrow: packNarrowSDOT, narrowGroup: 8, narrowLeast: 2, narrowBytes: int(unsafe.Sizeof(narrowedNEON{})) / neonChannels,
		packDepthwise: packDepthwiseSDOT, depthwiseLeast: depthwiseBlock,
		depthwiseBytes: 2 * int(unsafe.Sizeof(sdotRecord{})) / depthwiseBlock,
	}
)

const (
	armBlock = 16 // channels: four registers of sums, one register of bytes
	armGroup = 16 // values of x in a register
)

// detect returns the assembly bodies that this CPU can run, the fastest first.
func detect() []*Body {
	if cpu.ARM64.HasASIMDDP {
		return []*Body{sdotBody, neonBody}
	}
	return []*Body{neonBody}
}

//go:noescape
func neonRequantize(dst *uint8, sums *int32, mult *float32, channels, n int)

//go:noescape
func neonPool(dst *uint8, top, bottom *int32, n int, mult *float32, channels int)

func requantizeNEON(dst []uint8, sums []int32, mult []float32) {
	dst = dst[:len(sums)]
	neonRequantize(&dst[0], &sums[0], &mult[0], len(mult), len(sums)/len(mult))
}

func poolNEON(dst []uint8, top, bottom []int32, n int, mult []float32) {
	dst, top, bottom = dst[:n*len(mult)], top[:2*n*len(mult)], bottom[:2*n*len(mult)]
	if n > 0 {
		neonPool(&dst[0], &top[0], &bottom[0], n, &mult[0], len(mult))
	}
}
