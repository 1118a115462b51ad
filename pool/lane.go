package pool

// seat tells a task that may leave the queue where it was put last. Whether it is there still, the lane tells.
type seat struct {
	lane *lane // nil before it was put anywhere
	at   int64
}

// lane holds what waits of one tenant: tasks that have a place, and callers that wait for one. A pool that is not fair
// has one lane.
//
// The tasks are a ring: a task's number, which counts up as tasks are put behind the others and down as they are put
// before them, is its index but for a mask. One that leaves from the middle leaves an empty slot. A ring without free
// slots closes the empty ones up if they are half of it, else it grows, so that it has at most four slots for each task.
type lane struct {
	tenant     string
	slots      []task // a power of two, or nil; nil slots are empty
	head, tail int64  // the number of the first slot, and of the one behind the last
	n          int    // tasks; the other slots in between are empty
	calls      calls
	links      [2]link // in the ring of lanes with tasks, and in that of lanes with calls
}

const leastSlots = 8

func (l *lane) slot(number int64) *task { return &l.slots[number&int64(len(l.slots)-1)] }

// put puts a task behind all others, and tells its seat, if it has one.
func (l *lane) put(t task, s *seat) {
	if l.tail-l.head == int64(len(l.slots)) {
		l.makeRoom()
	}
	*l.slot(l.tail) = t
	if s != nil {
		s.lane, s.at = l, l.tail
	}
	l.tail++
	l.n++
}

// putBack puts a task before all others.
func (l *lane) putBack(t task) {
	if l.tail-l.head == int64(len(l.slots)) {
		l.makeRoom()
	}
	l.head--
	*l.slot(l.head) = t
	if s := t.seat(); s != nil {
		s.lane, s.at = l, l.head
	}
	l.n++
}

// take takes the first task. There is one.
func (l *lane) take() task {
	for {
		at := l.slot(l.head)
		l.head++
		if t := *at; t != nil {
			*at = nil
			l.n--
			return t
		}
	}
}

// leave takes the task of a seat out, and returns nil if it does not stand there.
func (l *lane) leave(s *seat) task {
	if s.at < l.head || s.at >= l.tail {
		return nil
	}
	at := l.slot(s.at)
	t := *at
	if t == nil || t.seat() != s {
		return nil
	}
	*at = nil
	if l.n--; l.n == 0 {
		l.head = l.tail
	}
	return t
}

// makeRoom makes free slots where there are none.
func (l *lane) makeRoom() {
	old := *l
	size := len(l.slots)
	if l.n > size/2 || size == 0 {
		size = max(2*size, leastSlots)
	}
	l.slots, l.tail, l.n = make([]task, size), l.head, 0
	for number := old.head; number < old.tail; number++ {
		if t := *old.slot(number); t != nil {
			l.put(t, t.seat())
		}
	}
}
