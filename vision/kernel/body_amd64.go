package kernel

import "golang.org/x/sys/cpu"

// detect returns the assembly bodies that this CPU can run, the fastest first.
func detect() []*Body {
	var have []*Body
	if x := &cpu.X86; x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VNNI {
		have = append(have, avx512vnni)
	}
	if cpu.X86.HasAVX2 {
		have = append(have, avx2)
	}
	return have
}
