package ratelimithttp

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// This file reads Lists of Items, RFC 9651, section 4.2: as much of structured fields as the RateLimit fields are made
// of, with every type that a parameter may have. A structured field that breaks a rule is not read at all, so that a
// scanner only remembers that it failed.

// kind is the type of a bare item.
type kind byte

const (
	noItem kind = iota
	integerItem
	decimalItem
	stringItem
	tokenItem
	bytesItem
	booleanItem
	dateItem
	displayItem
)

// bareItem is a value. Those that no RateLimit field uses are checked, and not kept.
type bareItem struct {
	kind    kind
	integer int64
	text    string // of a String, or the bytes of a Byte Sequence
}

// scanner reads from the left. Its methods return something empty once it has failed.
type scanner struct {
	rest   string
	failed bool
}

func (s *scanner) fail() { s.failed, s.rest = true, "" }

// skip skips a byte if it is c.
func (s *scanner) skip(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scanner) need(c byte) {
	if !s.skip(c) {
		s.fail()
	}
}

// span takes the longest prefix of bytes for which is holds.
func (s *scanner) span(is func(c byte) bool) string {
	n := 0
	for n < len(s.rest) && is(s.rest[n]) {
		n++
	}
	taken := s.rest[:n]
	s.rest = s.rest[n:]
	return taken
}

// next tells whether the list goes on, from the end of a member.
func (s *scanner) next() bool {
	s.span(isBlank)
	if s.failed || s.rest == "" {
		return false
	}
	s.need(',')
	s.span(isBlank)
	if s.rest == "" {
		s.fail() // a comma at the end
	}
	return !s.failed
}

// parameters reads the parameters of an item and calls f with each. Of those with the same name the last one counts.
func (s *scanner) parameters(f func(name string, value bareItem)) {
	for s.skip(';') {
		s.span(func(c byte) bool { return c == ' ' })
		if s.rest == "" || !isLower(s.rest[0]) && s.rest[0] != '*' {
			s.fail()
			return
		}
		name := s.span(isKey)
		value := bareItem{kind: booleanItem}
		if s.skip('=') {
			value = s.item()
		}
		if s.failed {
			return
		}
		f(name, value)
	}
}

// item reads a bare item.
func (s *scanner) item() bareItem {
	if s.rest == "" {
		s.fail()
		return bareItem{}
	}
	switch c := s.rest[0]; {
	case c == '"':
		return bareItem{kind: stringItem, text: s.string()}
	case c == '-' || isDigit(c):
		return s.number()
	case c == ':':
		return bareItem{kind: bytesItem, text: s.bytes()}
	case c == '*' || isLetter(c):
		s.span(isToken)
		return bareItem{kind: tokenItem}
	case s.skip('?'):
		if !s.skip('0') {
			s.need('1')
		}
		return bareItem{kind: booleanItem}
	case s.skip('@'):
		if s.number().kind != integerItem {
			s.fail()
		}
		return bareItem{kind: dateItem}
	case s.skip('%'):
		s.display()
		return bareItem{kind: displayItem}
	default:
		s.fail()
		return bareItem{}
	}
}

func (s *scanner) number() bareItem {
	negative := s.skip('-')
	digits := s.span(isDigit)
	decimal := digits != "" && s.skip('.')
	if decimal {
		if fraction := s.span(isDigit); len(digits) > 12 || fraction == "" || len(fraction) > 3 {
			s.fail()
		}
		return bareItem{kind: decimalItem}
	}
	if digits == "" || len(digits) > 15 {
		s.fail()
		return bareItem{}
	}
	var n int64
	for i := range len(digits) {
		n = n*10 + int64(digits[i]-'0')
	}
	if negative {
		n = -n
	}
	return bareItem{kind: integerItem, integer: n}
}

func (s *scanner) string() string {
	s.need('"')
	plain := s.span(isPlain)
	if s.skip('"') {
		return plain // mostly there is nothing to unescape
	}
	var b strings.Builder
	b.WriteString(plain)
	for s.skip('\\') {
		if s.rest == "" || s.rest[0] != '"' && s.rest[0] != '\\' {
			s.fail()
			return ""
		}
		b.WriteByte(s.rest[0])
		s.rest = s.rest[1:]
		b.WriteString(s.span(isPlain))
	}
	s.need('"')
	return b.String()
}

// bytes reads a Byte Sequence. The padding may be missing, as section 4.2.7 advises.
func (s *scanner) bytes() string {
	s.need(':')
	text := s.span(isBase64)
	padding := s.span(func(c byte) bool { return c == '=' })
	s.need(':')
	decoded, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || padding != "" && (len(text)+len(padding))%4 != 0 || len(padding) > 2 {
		s.fail()
		return ""
	}
	return string(decoded)
}

// display reads a Display String after its percent sign.
func (s *scanner) display() {
	s.need('"')
	var b []byte
	for s.rest != "" && s.rest[0] != '"' {
		c := s.rest[0]
		s.rest = s.rest[1:]
		if c < ' ' || c > '~' {
			s.fail()
			return
		}
		if c == '%' {
			if len(s.rest) < 2 || !isHex(s.rest[0]) || !isHex(s.rest[1]) {
				s.fail()
				return
			}
			c = unhex(s.rest[0])<<4 | unhex(s.rest[1])
			s.rest = s.rest[2:]
		}
		b = append(b, c)
	}
	s.need('"')
	if !utf8.Valid(b) {
		s.fail()
	}
}

func isBlank(c byte) bool  { return c == ' ' || c == '\t' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLower(c byte) bool  { return c >= 'a' && c <= 'z' }
func isLetter(c byte) bool { return isLower(c | 0x20) }
func isHex(c byte) bool    { return isDigit(c) || c >= 'a' && c <= 'f' }
func isPlain(c byte) bool  { return c >= ' ' && c <= '~' && c != '"' && c != '\\' }
func isKey(c byte) bool    { return isLower(c) || isDigit(c) || strings.IndexByte("_-.*", c) >= 0 }
func isBase64(c byte) bool { return isLetter(c) || isDigit(c) || c == '+' || c == '/' }
func isToken(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~:/", c) >= 0
}

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c - 'a' + 10
}
