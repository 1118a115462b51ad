//go:build long

package main

import "time"

const excessFor = 5 * time.Second
