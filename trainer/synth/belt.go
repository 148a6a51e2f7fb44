package synth

// belt is the surface of the conveyor, which moves along x.
type belt struct {
	level        float32 // brightness relative to clean rubber
	warm         float32
	weave        float32 // contrast of the fabric
	pitch        float32 // pitch of the fabric, units
	cleat        float32 // distance of the cross marks, units; 0 for none
	cleatDark    float32
	grime, patch field
	dirt         float32
	tracks       [3]float32 // y of wear marks
	trackLight   float32
	skin         field
}

func newBelt(s stream) *belt {
	t := tiles()
	b := &belt{
		level: s.between(1.8, 2.8), warm: s.around(0.01, 0.02), weave: s.between(0.01, 0.05), pitch: s.between(3, 5.5),
		dirt: s.between(0.04, 0.13), grime: newField(t.cloud, s, s.between(0.5, 1)), patch: newField(t.cloud, s, 2.3),
		trackLight: s.between(-0.12, 0.1), skin: newField(t.grain, s, 1),
	}
	if s.chance(0.5) {
		b.cleat, b.cleatDark = s.between(70, 190), s.between(0.1, 0.35)
	}
	for i := range b.tracks {
		b.tracks[i] = s.between(-190, 190)
	}
	// Dirt is stretched along the belt's direction.
	b.grime.fx *= 0.35
	return b
}

// at returns brightness and tint of the belt at (x, y), units.
func (b *belt) at(x, y float32) (light, red, blue float32) {
	g := b.grime.at(x, y)
	p := b.patch.at(x, y)
	l := 1 + b.dirt*(0.8*g+0.6*p) + 0.025*b.skin.at(x, y)
	wx, wy := x/b.pitch, y/b.pitch
	wx, wy = abs32(wx-floor32(wx)-0.5), abs32(wy-floor32(wy)-0.5)
	l += b.weave * (2*(wx+wy) - 1) * (1 + 0.3*g)
	if b.cleat > 0 {
		d := abs32(x/b.cleat-floor32(x/b.cleat)-0.5) * b.cleat
		l *= 1 - b.cleatDark*(1-smooth(1, 2.4, d)) + 0.5*b.cleatDark*(1-smooth(0, 1.6, abs32(d-3.2)))
	}
	for _, t := range b.tracks {
		l += b.trackLight * (1 - smooth(3, 16, abs32(y-t))) * (1 + 0.5*g)
	}
	warm := b.warm + 0.012*p
	return b.level * max(0.2, l), warm, -warm * 1.3
}
