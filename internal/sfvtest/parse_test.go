package sfvtest

import (
	"fmt"
	"math"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/dunglas/httpsfv"
	"pgregory.net/rapid"

	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

var asciiTable = &unicode.RangeTable{R16: []unicode.Range16{{Lo: ' ', Hi: '~', Stride: 1}}, LatinOffset: 1}

// unpadded finds Byte Sequences for which the library is stricter than RFC 9651 advises.
var unpadded = regexp.MustCompile(`:[A-Za-z0-9+/]*=*:`)

// outside tells that lines are more than is parsed, or where the library and the RFC part.
func outside(lines []string) bool {
	all := strings.Join(lines, ",")
	for _, bytes := range unpadded.FindAllString(all, -1) {
		if (len(bytes)-2)%4 != 0 {
			return true
		}
	}
	return len(all) > 16<<10 || strings.Count(all, ",") > 60
}

// limitsByLibrary reads RateLimit with the library, and applies what the draft asks of it.
func limitsByLibrary(lines []string) ([]ratelimithttp.ServiceLimit, bool) {
	members, err := httpsfv.UnmarshalList(lines)
	if err != nil {
		return nil, false
	}
	var limits []ratelimithttp.ServiceLimit
	for _, m := range members {
		item, ok := m.(httpsfv.Item)
		if !ok {
			return nil, false
		}
		var l ratelimithttp.ServiceLimit
		valid := true
		l.Name, ok = item.Value.(string)
		valid = valid && ok
		for _, name := range item.Params.Names() {
			value, _ := item.Params.Get(name)
			n, isInteger := value.(int64)
			bytes, isBytes := value.([]byte)
			switch name {
			case "r":
				l.Remaining, ok = n, isInteger && n >= 0
			case "t":
				l.Reset, l.HasReset, ok = 0, true, isInteger && n >= 0
				if ok && n > math.MaxInt64/int64(time.Second) {
					l.Reset = math.MaxInt64
				} else if ok {
					l.Reset = time.Duration(n) * time.Second
				}
			case "pk":
				l.PartitionKey, ok = string(bytes), isBytes
			}
			valid = valid && ok
		}
		if _, there := item.Params.Get("r"); !there || !valid {
			return nil, false
		}
		limits = append(limits, l)
	}
	return limits, true
}

func compare(t interface{ Fatalf(string, ...any) }, lines []string) (parsed bool) {
	got, err := ratelimithttp.ParseLimits(http.Header{"Ratelimit": lines})
	want, ok := limitsByLibrary(lines)
	if (err == nil) != ok || ok && !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: %+v, %v; the library: %+v, %v", lines, got, err, want, ok)
	}
	return ok && len(got) > 0
}

// wellFormed draws lines of RateLimit that must be parsed.
var wellFormed = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.Custom(drawMember), 1, 3).Draw(t, "members"),
		rapid.SampledFrom([]string{",", ", ", "\t,  ", " ,\t"}).Draw(t, "comma"))
}), 1, 3)

func drawMember(t *rapid.T) string {
	name, err := httpsfv.Marshal(httpsfv.NewItem(rapid.StringOf(rapid.RuneFrom(nil, asciiTable)).Draw(t, "name")))
	if err != nil {
		t.Fatal(err)
	}
	tail := rapid.SampledFrom([]string{
		`;t=30`, `;t=999999999999999`, `;t=-0`, `;t=x;t=1`, `;pk=:YQ==:`, `;pk=:YWI=:`, `;pk=::`, `;x`, `;x=?1`, `;x=?0`, `;x=tok/en:*`, `;*x-_.=@-5`,
		`;x=%"a%c3%a4"`, `;x=""`, `;x="\"\\"`, `;x=123456789012.123`, `;x=-0.5`, `;x=00001`, `; r=2`, `;  x`, `;r="x";r=3`,
	})
	return fmt.Sprintf("%s;r=%d%s", name, rapid.Int64Range(0, 1e15-1).Draw(t, "r"), strings.Join(rapid.SliceOfN(tail, 0, 3).Draw(t, "tail"), ""))
}

func TestWellFormedFieldsAreParsedAsTheLibraryDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := wellFormed.Draw(t, "lines")
		if !outside(lines) && !compare(t, lines) {
			t.Fatalf("%q is not parsed", lines)
		}
	})
}

func TestWhatTheLibraryRefusesIsRefused(t *testing.T) {
	junk := rapid.SampledFrom([]string{
		`;r=-1`, `;r=1.5`, `;r="1"`, `;t`, `;pk=:Y:`, `;x=?2`, `;x=@1.5`, `;x=%"%ff"`, `;X=1`, `;x=(1)`, `;x=1.`, `;x=-`, `;x=1234567890123.1`, `;x=1234567890123456`,
		`;`, `,`, ` , `, ` `, "\t", `(`, `)`, `tok`, `7`, `:YQ==:`, `?0`, `@1`, `"`, `\`, "\x7f", "é", `=`, `%`, `-`, `.`,
	})
	rapid.Check(t, func(t *rapid.T) {
		lines := wellFormed.Draw(t, "lines")
		for range rapid.IntRange(1, 3).Draw(t, "pieces") {
			i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
			at := rapid.IntRange(0, len(lines[i])).Draw(t, "at")
			lines[i] = lines[i][:at] + junk.Draw(t, "junk") + lines[i][at:]
		}
		if !outside(lines) {
			compare(t, lines)
		}
	})
}

func FuzzTheParserAgreesWithTheLibrary(f *testing.F) {
	for _, seed := range []string{`"a";r=1;t=2, "b\"";r=0;pk=:YQ==:`, `"a";r=1;x=@5;y=%"%c3%a4";z=tok;w=?0;v=-1.5`, `("a");r=1`, "", " ", ","} {
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		if lines := []string{first, second}; !outside(lines) {
			compare(t, lines)
		}
	})
}
