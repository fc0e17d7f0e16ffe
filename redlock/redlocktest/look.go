package redlocktest

// Lock returns what stands at a lock's name at node time now: the id, and its
// remaining ttl in ms, -1 for a key that never expires. ok is false where there
// is no key, or one that is no string. It removes keys that have expired, as
// every look at a server does, and allocates nothing where prefix is empty.
func (s *State) Lock(prefix, name string, now int64) (id string, ttl int64, ok bool) {
	s.Expire(now)
	k := s.find(joined{prefix, name})
	if k == nil || k.list {
		return "", 0, false
	}
	return k.value, k.left(now), true
}
