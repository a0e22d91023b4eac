package ratelimit

// Buckets counts what a limiter keeps in this process.
func Buckets(l *Limiter) int {
	n := 0
	for i := range l.local.shards {
		n += len(l.local.shards[i].buckets)
	}
	return n
}
