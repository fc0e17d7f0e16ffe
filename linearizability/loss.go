package linearizability

import (
	"fmt"
	"time"
)

// lossMargin is how long after its deadline a holder may learn of it.
const lossMargin = 50 * time.Millisecond

// timelyLoss: a claim that is not released has its loss told before its
// deadline, or soon after.
func (h *history) timelyLoss() Clause {
	const name = "losses are told in time"
	judged, excused, short := 0, 0, 0
	for i := range h.holds {
		c := &h.holds[i]
		if c.EndedBy == EndedByLoss {
			judged++ // told before its deadline
			continue
		}
		if c.EndedBy != EndedByDeadline {
			continue
		}
		due := max(c.Deadline, c.StartTime)
		told, line := h.told(c)
		by := min(told, h.end)
		limit := h.away.after(c.Client, due, lossMargin)
		switch {
		case h.away.goneMeets(c.Client, due, min(by, limit)):
			excused++
			continue
		case by <= limit && line < 0:
			short++
			continue
		}
		if judged++; by <= limit {
			continue
		}
		tale := "was never told: the history ends at " + at(h.end)
		if line >= 0 {
			tale = "learnt of it only at " + at(told)
		}
		return invalid(name, judged, []int{c.Invoke, c.Start, line},
			"%s, returned at %s, ended at its deadline %s; its holder, which was stalled for %s since, %s, more than %s late",
			c.who(), at(c.StartTime), at(c.Deadline), at(h.away.stalledIn(c.Client, due, by)), tale, lossMargin)
	}
	note := fmt.Sprintf("%d of frozen or crashed clients excused, %d too close to the history's end", excused, short)
	if judged == 0 {
		return notJudged(name, "no claim ended by itself and could be judged; %s", note)
	}
	return valid(name, judged, "%s not released in time, each told of its loss in time; %s", plural(judged, "claim"), note)
}

// told returns when and in which line the holder of c knew that it was over, or
// Never and -1.
func (h *history) told(c *Hold) (when int64, line int) {
	line = c.Lost
	if c.Released >= 0 && (line < 0 || c.Released < line) {
		line = c.Released
	}
	if line < 0 {
		return Never, -1
	}
	return h.events[line].Time, line
}
