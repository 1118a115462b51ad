package ratelimithttp

import "strings"

const blank = " \t" // optional white space, RFC 9110, section 5.6.3

// lastAddress reads the last element of a line of X-Forwarded-For, which has no standard: addresses with commas between
// them, with ports or without. It returns the place of the comma before the element, or -1.
func lastAddress(line string) (element node, comma int, ok bool) {
	comma = strings.LastIndexByte(line, ',')
	element, ok = parseNode(strings.Trim(line[comma+1:], blank))
	return element, comma, ok
}

// lastFor reads the parameter for of the last element of a line of Forwarded, RFC 7239, and returns the place of the comma
// before the element, or -1.
//
// The line is cut from the right, because its left is the client's: a quotation mark that is opened there and never closed
// would swallow what proxies add. From the right, a comma between two quotation marks does not count. An escaped quotation
// mark is thereby taken for a plain one, and the cut may be wrong; but the backslash before it is then in the same
// element, which is not read if it has one.
func lastFor(line string) (element node, comma int, ok bool) {
	quoted := false
	for comma = len(line) - 1; comma >= 0; comma-- {
		if c := line[comma]; c == '"' {
			quoted = !quoted
		} else if c == ',' && !quoted {
			break
		}
	}
	element, ok = forOf(line[comma+1:])
	return element, comma, ok && !quoted
}

// forOf reads the parameter for of one element. It is false unless there is exactly one, with an address.
func forOf(element string) (from node, ok bool) {
	if strings.IndexByte(element, '\\') >= 0 {
		return node{}, false
	}
	found := false
	for rest, more := element, true; more; {
		var pair string
		pair, rest, more = cutPair(rest)
		name, value, assigned := strings.Cut(strings.Trim(pair, blank), "=")
		if !assigned || name == "" {
			return node{}, false
		}
		if !strings.EqualFold(name, "for") {
			continue
		}
		if found {
			return node{}, false
		}
		if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		if from, found = parseNode(value); !found {
			return node{}, false
		}
	}
	return from, found
}

// cutPair cuts the first parameter off an element, at a semicolon that is not in quotation marks.
func cutPair(s string) (pair, rest string, more bool) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ';' && !quoted:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}
