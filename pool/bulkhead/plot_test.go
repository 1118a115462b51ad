//go:build !race

package bulkhead_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/bulkhead"
)

// go test -run Plot -plot ../../docs/bulkhead-limit.svg ./pool/bulkhead draws the figure of the docs anew.
var plotFile = flag.String("plot", "", "draw the figure of the docs into this file")

// trace is a run of the course, a point for each second.
type trace struct{ limit, useful []float64 }

// draw runs the server's course with a limit: whole for 40 s, half for 30, whole for 30, and twice as slow for 20.
func draw(t *testing.T, limit bulkhead.Limit) (tr trace) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(workers, mean)
		l := newLoad(limited(t, limit), s, rate(workers, mean, overload), inTime)
		for second := range 120 {
			switch second {
			case 40:
				s.resize(workers / 2)
			case 70:
				s.resize(workers)
			case 100:
				s.slow(2 * mean)
			}
			r := l.watch(time.Second, nil)
			tr.limit, tr.useful = append(tr.limit, r.limit), append(tr.useful, r.useful)
		}
		l.calls.Wait()
	})
	return tr
}

// best is what a fixed limit could do that knew the server's course.
func best() (tr trace) {
	perS := rate(workers, mean, overload)
	for _, p := range []struct {
		seconds, workers int
		mean             time.Duration
	}{{40, workers, mean}, {30, workers / 2, mean}, {30, workers, mean}, {20, workers, 2 * mean}} {
		limit, useful := bestLimit(p.workers, p.mean, perS, inTime)
		for range p.seconds {
			tr.limit, tr.useful = append(tr.limit, float64(limit)), append(tr.useful, useful)
		}
	}
	return tr
}

// usefulIn is how many answers in time a run has had from one second to another, as a share of the best.
func (tr trace) usefulIn(from, to int, of trace) float64 {
	got, could := 0.0, 0.0
	for second := from; second < to; second++ {
		got += tr.useful[second]
		could += of.useful[second]
	}
	return got / could
}

// The guide on bounded concurrency shows the picture, and says in words what is to be seen.
func TestPlotOfTheLimitShowsWhatTheGuideSays(t *testing.T) {
	ideal := best()
	twice := int(2 * ideal.limit[0])
	gradient, fixed := draw(t, bulkhead.Gradient{}), draw(t, bulkhead.Fixed(twice))
	for _, phase := range []struct {
		name     string
		from, to int // the seconds after the time to follow
	}{{"whole", 10, 40}, {"half of the workers", 50, 70}, {"whole again", 90, 100}, {"half the speed", 110, 120}} {
		if share := gradient.usefulIn(phase.from, phase.to, ideal); share < 0.9 {
			t.Errorf("%s: Gradient gets %.2f of what can be had", phase.name, share)
		}
	}
	if share := fixed.usefulIn(50, 70, gradient); share > 0.05 {
		t.Errorf("with half of the workers a fixed limit gets %.2f of what Gradient does, want hardly any", share)
	}
	if share := fixed.usefulIn(110, 120, gradient); share < 0.15 || share > 0.35 {
		t.Errorf("at half the speed a fixed limit gets %.2f of what Gradient does, want about a quarter", share)
	}
	picture := plot([]curve{
		{"the best fixed limit of the moment", "#9aa0a6", ideal},
		{fmt.Sprintf("Fixed(%d), twice too large", twice), "#d1495b", fixed},
		{"Gradient{}", "#1f6feb", gradient},
	})
	if *plotFile != "" {
		if err := os.WriteFile(*plotFile, []byte(picture), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	drawn, err := os.ReadFile("../../docs/bulkhead-limit.svg")
	if err != nil {
		t.Fatal(err)
	}
	points := regexp.MustCompile(`points="[^"]*"`)
	if points.ReplaceAllString(picture, "") != points.ReplaceAllString(string(drawn), "") {
		t.Error("docs/bulkhead-limit.svg is to be drawn anew")
	}
}

type curve struct {
	name, colour string
	trace        trace
}

// plot draws two panels, one above the other.
func plot(curves []curve) string {
	const width, height, left, top, gap = 760, 150, 60, 64, 50
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		left+width+20, top+2*height+gap+50)
	fmt.Fprintln(&b, `<rect width="100%" height="100%" fill="white"/>`)
	for i, c := range curves {
		fmt.Fprintf(&b, `<line x1="%d" y1="18" x2="%d" y2="18" stroke="%s" stroke-width="3"/><text x="%d" y="22">%s</text>`+"\n",
			left+i*260, left+i*260+24, c.colour, left+i*260+30, c.name)
	}
	panel := func(y int, title string, top float64, of func(trace) []float64) {
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", left, y-8, title)
		for i := range 5 {
			at := float64(y+height) - float64(i)*height/4
			fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#e5e7eb"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n",
				left, at, left+width, at, left-8, at+4, top*float64(i)/4)
		}
		for _, c := range curves {
			var points []string
			values := of(c.trace)
			for i, v := range values {
				points = append(points, fmt.Sprintf("%.1f,%.1f", left+float64(i)*width/float64(len(values)-1),
					float64(y+height)-math.Min(v/top, 1)*height))
			}
			fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>`+"\n", c.colour, strings.Join(points, " "))
		}
	}
	panel(top, "limit, calls in flight", 100, func(t trace) []float64 { return t.limit })
	panel(top+height+gap, "answers within 150 ms, per second", 1000, func(t trace) []float64 { return t.useful })
	base := top + 2*height + gap
	for _, mark := range []struct {
		second int
		text   string
	}{{0, "40 workers of 50 ms"}, {40, "20 workers"}, {70, "40 workers"}, {100, "40 of 100 ms"}} {
		x := left + mark.second*width/119
		fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#6b7280" stroke-dasharray="3 3"/><text x="%d" y="%d">%d s: %s</text>`+"\n",
			x, top, x, base, x+3, base+18, mark.second, mark.text)
	}
	fmt.Fprintln(&b, `</svg>`)
	return b.String()
}
