package cache

// KeepHorizon lets c have its horizon in virtual time too, where a cache otherwise has none.
func KeepHorizon[K comparable, V any](c *Cache[K, V]) { c.horizon.faked = true }
