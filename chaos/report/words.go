package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// meanings say what a property asks for, in words for somebody who sees it for
// the first time.
var meanings = map[linearizability.Property]string{
	linearizability.MutualExclusion:  "No two holders of one lock at the same time.",
	linearizability.HonestValidity:   "While a holder is told that it has the lock, a majority of the nodes agrees, and nobody is handed a lock that has expired already.",
	linearizability.TimelyLoss:       "A holder whose lock ends by itself is told so by its deadline.",
	linearizability.TokenOrder:       "Every holder of a lock gets a token greater than all before, so that whoever comes too late can be recognised.",
	linearizability.FencedResource:   "A resource that checks tokens takes nothing from a holder that has been overtaken, and loses no write that it took.",
	linearizability.Liveness:         "Once the faults are over, everybody who waits gets the lock in bounded time, and a dead holder's lock comes free.",
	linearizability.NoOrphans:        "Nothing is left behind on the nodes: every lock key expires, and an attempt that is over leaves no key.",
	linearizability.UnfencedResource: "The same resource without the check of tokens, as a control. It is expected to lose writes.",
	linearizability.Overrun:          "A holder stops working when its lock ends. Careless ones are part of the plan.",
	fencedMutex:                      "There is one order of all acquires in which only one client holds the lock at a time and tokens rise.",
}

// assumptions say what properties rest on.
var assumptions = []struct {
	Name linearizability.Assumption
	Text string
}{
	{linearizability.C1, "The rates of any two clocks differ by at most ρ, and no clock is stepped."},
	{linearizability.C2, "Nodes evict nothing, nobody touches the lock's keys, no server is rolled back unseen."},
	{linearizability.C3, "All clients have the same configuration."},
	{linearizability.C4, "At most N−q nodes are out of the vote at once (N nodes, q a majority)."},
}

// verdictWords say what a word of the verdict means, and what it does not.
var verdictWords = map[string]struct{ Means, Not string }{
	linearizability.WordViolated: {
		"A property that the lock claims was broken in this run. The operations that show it are below.",
		"It does not say where in the lock the mistake is, nor that the other properties hold.",
	},
	linearizability.WordNoViolation: {
		"Nothing that clients saw in this run speaks against the lock.",
		"It is no proof. One run shows one interleaving on one machine; a mistake that needs another one was not met.",
	},
	linearizability.WordUnknown: {
		"The history could not be judged to its end.",
		"It says nothing for the lock, and nothing against it.",
	},
	linearizability.WordVacuous: {
		"No violation was seen, but too little happened for that to mean anything. What was missing is listed below.",
		"It says nothing for the lock, and nothing against it.",
	},
	WordFailed: {
		"The harness could not do its work. This is a mistake of the harness or of its surroundings.",
		"It says nothing for the lock, and nothing against it.",
	},
}

// paths say what a rarer way of the protocol is.
var paths = map[string]string{
	string(scenario.PathRaise):       "a majority granted different tokens, and the lower ones were raised",
	string(scenario.PathRepair):      "a renewal filled in a node that lacked the lock",
	string(scenario.PathLateGrant):   "a grant came after its attempt had ended, and was undone",
	string(scenario.PathReadmission): "a node that had lost its memory got its vote back",
	string(scenario.PathFenceTurn):   "a node dropped its oldest tokens and raised its mark above them",
	"retry-grant":                    "a node answered that the lock was this attempt's already",
	"new-view":                       "a client learnt of a newer membership and began again",
	"catch-up":                       "a node was told of a newer membership",
	"superseded":                     "a node refused a token that had been overtaken",
	"too-late":                       "a node refused a request that the network had held up",
}

// kinds say what a fault does.
var kinds = map[scenario.Kind]string{
	scenario.Kill:         "the server is killed and restarted with its memory",
	scenario.Amnesia:      "the server is killed and restarted with an empty disk",
	scenario.FlushAll:     "the server's memory is wiped while it runs",
	scenario.Freeze:       "the server's process is stopped and goes on later",
	scenario.PauseAll:     "every server is stopped at once",
	scenario.CutNode:      "a node is cut off from clients",
	scenario.Partition:    "a client is cut off from all nodes",
	scenario.LoseRequests: "requests vanish on their way",
	scenario.LoseReplies:  "requests are executed and their replies vanish",
	scenario.Hold:         "bytes are held back and delivered late",
	scenario.Delay:        "bytes take longer",
	scenario.Crash:        "a client is gone without a word",
	scenario.FreezeClient: "a client stands still and goes on later",
	scenario.WallJump:     "a client's wall clock jumps; only its hints come from there",
	scenario.Slew:         "a clock runs at another rate, within the drift that is allowed for",
	scenario.ClockRate:    "a clock runs faster or slower than the drift that is allowed for",
	scenario.ClockJump:    "a node's clock jumps",
	scenario.LostSecond:   "the server is killed and restarted without what it wrote in the last second",
	scenario.Replace:      "an empty server takes the name, and some clients still reach the old one",
	scenario.SameServer:   "two names lead to one server",
	scenario.Demote:       "the server becomes a replica, and a primary again",
	scenario.Attach:       "the server begins a new incarnation without any loss",
	scenario.Reset:        "connections are reset; what was sent is executed all the same",
	scenario.Duplicate:    "requests are executed twice",
	scenario.Rollback:     "the server goes back to an earlier state, unseen",
	scenario.Strand:       "what connections carry is held back and delivered late, while new connections work",
}

// The most runes that are shown of a name or error, and of an argument.
const (
	maxName  = 300
	maxWords = 4000
)

// plain makes a text from a file fit to be shown: what cannot be printed, or
// would change the direction of what follows, is written as an escape, and what
// is too long is cut off. Escaping for HTML comes later.
func plain(s string) string { return printable(s, maxName) }

// wordy is plain for a text that may be longer.
func wordy(s string) string { return printable(s, maxWords) }

func printable(s string, room int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > room {
			b.WriteString("…")
			break
		}
		if r == '\n' || r == '\t' {
			r = ' '
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
	return b.String()
}

// brief is plain for a place with room for n runes.
func brief(s string, n int) string {
	r := []rune(plain(s))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n-1]) + "…"
}

// at writes a time of the run in seconds, to the tenth of a millisecond.
func at(ns int64) string {
	if ns == linearizability.Never {
		return "never"
	}
	return strconv.FormatFloat(float64(ns)/1e9, 'f', 4, 64) + " s"
}

// long writes a length of time with three digits that count.
func long(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d < 0:
		return "−" + long(-ns)
	case d < time.Microsecond:
		return strconv.FormatInt(ns, 10) + " ns"
	case d < time.Millisecond:
		return strconv.FormatFloat(float64(d)/1e3, 'g', 3, 64) + " µs"
	case d < time.Second:
		return strconv.FormatFloat(float64(d)/1e6, 'g', 3, 64) + " ms"
	case d < 1000*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'g', 3, 64) + " s"
	}
	return d.Round(time.Second).String()
}

// count returns "1 thing" or "n things".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// and joins words as a sentence does.
func and(words []string) string {
	switch n := len(words); n {
	case 0:
		return "nobody"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
