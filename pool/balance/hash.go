package balance

// hash returns the 64-bit FNV-1a hash of s, mixed. It must never change: processes agree by it on which endpoint has which
// key.
func hash(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return mix(h)
}

// mix is the finalizer of MurmurHash3 (A. Appleby): each bit of h changes half of the bits of the result. It is a
// bijection, so endpoints of different hashes never tie for a key.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
