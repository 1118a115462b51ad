// Package flight lets calls that want the same thing at the same moment share one call: a generic singleflight.
package flight
