package pool

// link is a lane's place in a ring of lanes.
type link struct{ prev, next *lane }

// ring is a ring of lanes that take turns.
type ring struct {
	turn *lane // whose turn it is
	kind int   // which of a lane's links
}

const (
	withTasks = iota
	withCalls
)

// join puts l behind all others.
func (r *ring) join(l *lane) {
	at := &l.links[r.kind]
	if r.turn == nil {
		at.prev, at.next = l, l
		r.turn = l
		return
	}
	last := r.turn.links[r.kind].prev
	at.prev, at.next = last, r.turn
	last.links[r.kind].next = l
	r.turn.links[r.kind].prev = l
}

func (r *ring) leave(l *lane) {
	at := &l.links[r.kind]
	if at.next == l {
		r.turn = nil
	} else {
		at.prev.links[r.kind].next = at.next
		at.next.links[r.kind].prev = at.prev
		if r.turn == l {
			r.turn = at.next
		}
	}
	*at = link{}
}

// pass gives the turn to the next lane.
func (r *ring) pass() { r.turn = r.turn.links[r.kind].next }

// queue is the bounded queue of a pool: its lanes, of which those with tasks take turns to give one, and those with
// calls take turns to get a place. All of it is guarded by the pool's lock.
type queue struct {
	cap   int
	fair  bool
	n     int  // tasks in all lanes
	waits int  // callers in all lanes
	ready ring // lanes with tasks
	late  ring // lanes with callers

	only  lane             // of a pool that is not fair
	lanes map[string]*lane // of one that is: those with tasks or callers

	free *caller // to be used again
}

func (q *queue) init(size int, fair bool) {
	q.cap, q.fair = size, fair
	q.ready.kind, q.late.kind = withTasks, withCalls
	if fair {
		q.lanes = make(map[string]*lane)
	}
}

// laneOf returns the lane of a tenant.
func (q *queue) laneOf(tenant string) *lane {
	if !q.fair {
		return &q.only
	}
	l := q.lanes[tenant]
	if l == nil {
		l = &lane{tenant: tenant}
		q.lanes[tenant] = l
	}
	return l
}

// forget drops a lane that holds nothing.
func (q *queue) forget(l *lane) {
	if q.fair && l.n == 0 && l.calls.first == nil {
		delete(q.lanes, l.tenant)
	}
}

// room tells whether a task of l may have one of so many free places. A tenant of a fair pool may hold at most as many
// places as are free beside, so that some always are: alone it gets half of the queue, with k others that want as much a
// share of 1/(k+2). (Choudhury and Hahne, Dynamic queue length thresholds for shared-memory packet switches, 1998.)
func (q *queue) room(l *lane, free int) bool {
	if q.fair {
		return l.n < free
	}
	return free > 0
}

// enqueue puts a task into its lane.
func (q *queue) enqueue(l *lane, t task, s *seat) {
	if l.n == 0 {
		q.ready.join(l)
	}
	l.put(t, s)
	q.n++
}

// requeue puts a task back to the head of its lane.
func (q *queue) requeue(l *lane, t task) {
	if l.n == 0 {
		q.ready.join(l)
	}
	l.putBack(t)
	q.n++
}

// take takes the next task: the first of the lane whose turn it is. There is one.
func (q *queue) take() task {
	l := q.ready.turn
	q.ready.pass()
	t := l.take()
	q.took(l)
	return t
}

// leave takes the task of a seat out, wherever it stands. It returns nil if it stands nowhere.
func (q *queue) leave(s *seat) task {
	if s.lane == nil {
		return nil
	}
	t := s.lane.leave(s)
	if t != nil {
		q.took(s.lane)
	}
	return t
}

func (q *queue) took(l *lane) {
	q.n--
	if l.n == 0 {
		q.ready.leave(l)
		q.forget(l)
	}
}

// caller is a call that waits for a place.
type caller struct {
	task       task
	seat       *seat
	lane       *lane     // while it waits, else nil
	admitted   chan bool // gets true with a place, false when the pool is closed; holds one
	prev, next *caller   // in the lane; next also of those to use again, and of a chain
}

// calls are the callers of a lane, in the order in which they came.
type calls struct{ first, last *caller }

// call puts a caller behind those that wait for a place in a lane.
func (q *queue) call(l *lane, t task, s *seat) *caller {
	c := q.free
	if c == nil {
		c = &caller{admitted: make(chan bool, 1)}
	}
	q.free = c.next
	c.task, c.seat, c.lane, c.prev, c.next = t, s, l, l.calls.last, nil
	if c.prev == nil {
		l.calls.first = c
		q.late.join(l)
	} else {
		c.prev.next = c
	}
	l.calls.last = c
	q.waits++
	return c
}

// answer takes a caller out of its lane, and returns the task that it brings.
func (q *queue) answer(c *caller) (task, *seat) {
	l := c.lane
	if c.prev == nil {
		l.calls.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		l.calls.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	if l.calls.first == nil {
		q.late.leave(l)
	}
	q.waits--
	t, s := c.task, c.seat
	c.task, c.seat, c.lane, c.prev, c.next = nil, nil, nil, nil, nil
	return t, s
}

// again keeps a caller that waits no more for another call.
func (q *queue) again(c *caller) { c.next, q.free = q.free, c }

// admit gives one of so many free places to the caller whose turn it is, and returns it, or nil if none may have one.
func (q *queue) admit(free int) *caller {
	for first := q.late.turn; q.late.turn != nil; {
		l := q.late.turn
		q.late.pass()
		if q.room(l, free) {
			c := l.calls.first
			t, s := q.answer(c)
			q.enqueue(l, t, s)
			return c
		}
		if q.late.turn == first {
			break
		}
	}
	return nil
}
