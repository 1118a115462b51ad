package bulkhead

import "testing"

func TestACutForgetsTheCallsThatBroughtItAbout(t *testing.T) {
	l := newAIMD(AIMD{}, bounds{100, 1, 1000})
	if limit, fresh := l.next(window{calls: 100, drops: 1, peak: 100, limit: 100}); limit != 102 || fresh {
		t.Errorf("one drop in a hundred: %d, fresh %v", limit, fresh)
	}
	if limit, fresh := l.next(window{calls: 100, drops: 2, peak: 100, limit: 102}); limit != 91 || !fresh {
		t.Errorf("two drops in a hundred: %d, fresh %v", limit, fresh)
	}
}
