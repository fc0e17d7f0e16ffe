package explore

// memo is a map from numbers to numbers: what a step of one component leads to.
// It is open addressing with linear probing; an empty slot has key 0, so keys
// are stored plus one.
type memo struct {
	keys, vals []uint64
	n          int
}

func mix(k uint64) uint64 {
	k ^= k >> 32
	k *= 0x9e3779b97f4a7c15
	return k ^ k>>29
}

func (m *memo) get(k uint64) (uint64, bool) {
	if m.n == 0 {
		return 0, false
	}
	mask := uint64(len(m.keys) - 1)
	for i := mix(k) & mask; m.keys[i] != 0; i = (i + 1) & mask {
		if m.keys[i] == k+1 {
			return m.vals[i], true
		}
	}
	return 0, false
}

// put adds a key that is not there.
func (m *memo) put(k, v uint64) {
	if 2*(m.n+1) > len(m.keys) {
		old := *m
		size := max(1024, 2*len(old.keys))
		m.keys, m.vals = make([]uint64, size), make([]uint64, size)
		for i, key := range old.keys {
			if key != 0 {
				m.insert(key, old.vals[i])
			}
		}
	}
	m.insert(k+1, v)
	m.n++
}

func (m *memo) insert(stored, v uint64) {
	mask := uint64(len(m.keys) - 1)
	i := mix(stored-1) & mask
	for m.keys[i] != 0 {
		i = (i + 1) & mask
	}
	m.keys[i], m.vals[i] = stored, v
}

// pool gives each distinct value a number, from 0 up, in order of appearance.
type pool[V any] struct {
	ids    map[string]uint32
	values []V
	bytes  int // of the keys
}

func newPool[V any]() pool[V] { return pool[V]{ids: map[string]uint32{}} }

// intern returns the number of the value with this encoding; fresh makes the
// value where it is new.
func (p *pool[V]) intern(code []byte, fresh func() V) uint32 {
	if id, ok := p.ids[string(code)]; ok {
		return id
	}
	id := uint32(len(p.values))
	p.ids[string(code)] = id
	p.values = append(p.values, fresh())
	p.bytes += len(code) + 16
	return id
}

// interned numbers comparable values.
type interned[K comparable] struct {
	ids    map[K]uint32
	values []K
}

func newInterned[K comparable]() interned[K] { return interned[K]{ids: map[K]uint32{}} }

func (p *interned[K]) id(v K) uint32 {
	if id, ok := p.ids[v]; ok {
		return id
	}
	id := uint32(len(p.values))
	p.ids[v] = id
	p.values = append(p.values, v)
	return id
}

// chunk is how many tuples a piece of a table's memory holds.
const chunk = 1 << 14

// table is the set of visited states, in the order in which they were found.
// It compares whole tuples, so no two states can be taken for one.
type table struct {
	width  int
	data   [][]uint32 // chunk tuples each
	parent [][]uint32
	slots  []uint32 // index+1, by hash
	n      int
}

func newTable(width int) *table { return &table{width: width, slots: make([]uint32, 1<<12)} }

func (t *table) at(i int) []uint32 {
	o := i % chunk * t.width
	return t.data[i/chunk][o : o+t.width : o+t.width]
}

func hashTuple(v []uint32) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, x := range v {
		h = (h ^ uint64(x)) * 0xff51afd7ed558ccd
		h ^= h >> 32
	}
	return h
}

// add puts a state in, and reports whether it is new.
func (t *table) add(v []uint32, parent int) bool {
	mask := uint64(len(t.slots) - 1)
	i := hashTuple(v) & mask
	for ; t.slots[i] != 0; i = (i + 1) & mask {
		if equal(t.at(int(t.slots[i]-1)), v) {
			return false
		}
	}
	if t.n%chunk == 0 {
		t.data = append(t.data, make([]uint32, chunk*t.width))
		t.parent = append(t.parent, make([]uint32, chunk))
	}
	copy(t.data[t.n/chunk][t.n%chunk*t.width:], v)
	t.parent[t.n/chunk][t.n%chunk] = uint32(parent)
	t.n++
	t.slots[i] = uint32(t.n)
	if 3*t.n > 2*len(t.slots) {
		t.grow()
	}
	return true
}

func (t *table) grow() {
	t.slots = make([]uint32, 2*len(t.slots))
	mask := uint64(len(t.slots) - 1)
	for k := range t.n {
		i := hashTuple(t.at(k)) & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = uint32(k + 1)
	}
}

func equal(a, b []uint32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// path returns the indexes of the states that lead to state i, the first one
// first.
func (t *table) path(i int) []int {
	var p []int
	for {
		p = append(p, i)
		if i == 0 {
			break
		}
		i = int(t.parent[i/chunk][i%chunk])
	}
	for a, b := 0, len(p)-1; a < b; a, b = a+1, b-1 {
		p[a], p[b] = p[b], p[a]
	}
	return p
}
