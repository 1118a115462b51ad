//go:build !long

package main

import "time"

const excessFor = 200 * time.Millisecond
