package isa

import "golang.org/x/sys/cpu"

func detect() []Set {
	x := &cpu.X86
	switch {
	case !x.HasAVX2:
		return nil
	case !(x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VBMI && x.HasAVX512VNNI):
		return []Set{AVX2}
	}
	return []Set{AVX2, AVX512}
}
