package scenario

// Story is a directed sequence of steps: the shortest known way to one effect,
// so that no path is left to luck. Its clients do nothing else, and its key
// and links are its own.
//
// The runner tells it again, up to Tries times, when a step does not end as it
// must, which happens on a machine that stalls.
type Story struct {
	Name    string   `json:"name"`
	Why     string   `json:"why"` // which mistake it is there to show
	At      Duration `json:"at"`  // earliest start
	Need    Duration `json:"need"`
	Tries   int      `json:"tries"`
	After   bool     `json:"after,omitempty"` // only once the stories before it have ended: it costs a node
	Clients []string `json:"clients"`
	Key     string   `json:"key"`
	Path    Path     `json:"path,omitempty"` // what it must be seen to do
	Steps   []Step   `json:"steps"`
}

// Verb says what a Step does.
type Verb string

// The verbs.
const (
	DoFault  Verb = "fault"  // begin the fault As: Kind on Nodes, or on each pair of Clients and Nodes
	DoHeal   Verb = "heal"   // end the fault As
	DoLock   Verb = "lock"   // Client acquires Key within Within and calls the lease As
	DoRefuse Verb = "refuse" // Client tries to acquire Key, again and again for Within, and should never get it
	DoUnlock Verb = "unlock" // release the lease As, whatever comes of it
	DoWrite  Verb = "write"  // work on the guarded resource with the token of the lease As, held or not
	DoEnd    Verb = "end"    // wait until the lease As has ended by itself
	DoPause  Verb = "pause"  // let Within pass
	DoPath   Verb = "path"   // wait until Client has taken the story's path since the story began
	DoAdmit  Verb = "admit"  // wait until Nodes are admitted
	DoCrash  Verb = "crash"  // Client dies: its links are cut, its leases are abandoned, it never comes back
	DoExtend Verb = "extend" // extend the lease As by For, or by the plan's ttl, whatever comes of it

	// DoBootstrap has an operator bootstrap the cluster, on the word that no lock
	// is held. No simulator knows it.
	DoBootstrap Verb = "bootstrap"
)

// The verbs that only a simulator knows.
const (
	DoStart   Verb = "start"   // Client begins to acquire Key, as DoLock, and the story goes on at once; As names the lease
	DoAwait   Verb = "await"   // wait until the acquire As that was started has ended
	DoMessage Verb = "message" // the next Count calls of Op from Client to each of Nodes, or to all, meet with Fate
)

// live tells whether a live run knows the verb.
func (v Verb) live() bool {
	switch v {
	case DoStart, DoAwait, DoMessage:
		return false
	}
	return true
}

// Fate is what befalls single messages.
type Fate string

// The fates.
const (
	FateLose      Fate = "lose"       // the request is never executed
	FateLoseReply Fate = "lose-reply" // it is executed, and its reply is lost
	FateLate      Fate = "late"       // the request arrives Latency later
	FateLateReply Fate = "late-reply" // the reply arrives Latency later
	FateTwice     Fate = "twice"      // it is executed twice, the second time Latency later
)

// Step is one step of a story. Which fields count depends on Do.
type Step struct {
	Do        Verb      `json:"do"`
	As        string    `json:"as,omitempty"`
	Client    string    `json:"client,omitempty"`
	Clients   []string  `json:"clients,omitempty"`
	Nodes     []string  `json:"nodes,omitempty"`
	Kind      Kind      `json:"kind,omitempty"`
	Direction Direction `json:"direction,omitempty"`
	Latency   Duration  `json:"latency,omitempty"`
	Within    Duration  `json:"within,omitempty"`
	Renew     bool      `json:"renew,omitempty"` // lock: renew automatically
	Once      bool      `json:"once,omitempty"`  // lock: one attempt only
	Fail      bool      `json:"fail,omitempty"`  // lock: the acquire should fail, and whether it does is not checked
	Keep      bool      `json:"keep,omitempty"`  // lock with Fail: if it succeeds, keep the lease
	Hint      bool      `json:"hint,omitempty"`  // lock, start: with the hint on; in stories it is off otherwise
	By        Duration  `json:"by,omitempty"`    // fault: as in Fault
	Rate      int64     `json:"rate,omitempty"`  // fault: as in Fault
	Force     bool      `json:"force,omitempty"` // fault: as in Fault
	For       Duration  `json:"for,omitempty"`   // extend: the new ttl

	// For a simulator alone.
	Op    string `json:"op,omitempty"`    // message: the script's name in lower case; empty for any
	Fate  Fate   `json:"fate,omitempty"`  // message
	Count int    `json:"count,omitempty"` // message: how many; 0 for all from now on
	Key   string `json:"key,omitempty"`   // lock, start, refuse: another key than the story's
}
