package isa

func detect() []Set { return []Set{NEON} }
