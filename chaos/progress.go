package chaos

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The periods of progress: of a line that is redrawn, and of plain lines.
const (
	redrawPeriod = 250 * time.Millisecond
	linePeriod   = 5 * time.Second
)

// progress shows how the run goes until ctx ends.
func (r *run) progress(ctx context.Context) {
	period := linePeriod
	if r.opts.Terminal {
		period = redrawPeriod
	}
	tick := time.NewTicker(period)
	defer tick.Stop()
	last, lastAt := 0, time.Duration(0)
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			if r.opts.Terminal {
				fmt.Fprint(r.opts.Progress, "\r\x1b[K")
			}
			return
		}
		total, now := r.board.acquisitions(), sinceStart(r.rec)
		line := r.status(now, float64(total-last)/(now-lastAt).Seconds(), total)
		last, lastAt = total, now
		if r.opts.Terminal {
			// One line, however long: what does not fit is cut off, or each
			// redraw would leave a wrapped line behind.
			fmt.Fprintf(r.opts.Progress, "\r\x1b[K%.*s", columns(r.opts.Progress)-1, line)
		} else {
			fmt.Fprintln(r.opts.Progress, line)
		}
	}
}

// columns is how wide the terminal is now; it may be resized at any moment.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n := terminalWidth(f); n > 1 {
			return n
		}
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 1 {
		return n
	}
	return 80
}

// status is the progress line.
func (r *run) status(now time.Duration, rate float64, total int) string {
	phase := fmt.Sprintf("/%v", r.plan.Duration.D().Round(time.Second))
	if r.isCalm() {
		phase = " healed, going on without faults"
	}
	faults := "none"
	if active := r.ledger.now(); len(active) > 0 {
		faults = strings.Join(active, ", ")
	}
	return fmt.Sprintf("%5.1fs%s | %d acquired, %.0f/s | held: %s | faults: %s",
		now.Seconds(), phase, total, rate, r.board.held(), faults)
}

func (r *run) isCalm() bool {
	select {
	case <-r.calm:
		return true
	default:
		return false
	}
}

func (b *board) acquisitions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

// held says who holds what, and how many wait for it.
func (b *board) held() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []string
	for key, holder := range b.holders {
		s := strings.TrimPrefix(key, "story-") + "=" + holder[0]
		if n := b.waiting[key]; n > 0 {
			s += fmt.Sprintf("(+%d)", n)
		}
		list = append(list, s)
	}
	slices.Sort(list)
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, " ")
}
