package main

import "testing"

func TestSpliceReplacesWhatStandsBetweenTheMarkers(t *testing.T) {
	got, err := splice([]byte("a\n"+begin+"old\n"+end+"b\n"), []byte("new\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "a\n" + begin + "new\n" + end + "b\n"; string(got) != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestSpliceNeedsBothMarkersInOrder(t *testing.T) {
	for _, text := range []string{"", begin, end, end + begin} {
		if got, err := splice([]byte(text), []byte("new\n")); err == nil {
			t.Errorf("splice(%q) = %q, want an error", text, got)
		}
	}
}
