package mutants

import "time"

// live says how real servers convict a mutant, by its name. The stories are told
// again and again for as long as the run lasts, but for those that end with a
// dead client.
var live = map[string]Live{
	// exclusion
	"half-quorum":         {Story: "halves", Duration: 6 * time.Second, Needed: 4},
	"extend-minority":     {Story: "minority", Duration: 8 * time.Second, Needed: 4},
	"extend-resurrects":   {Story: "resurrection", Duration: 9 * time.Second, Needed: 4},
	"no-drift":            {Story: "slewed", Duration: 12 * time.Second, Needed: 4},
	"naive-deadline":      {Story: "drift-1", Duration: 10 * time.Second, Needed: 4},
	"blind-del":           {Story: "late-unlock", Duration: 10 * time.Second, Needed: 4},
	"server-twice":        {Story: "same-server", Duration: 6 * time.Second, Needed: 4},
	"votes-at-once":       {Story: "amnesia", Duration: 10 * time.Second, Needed: 4},
	"short-quarantine":    {Story: "amnesia", Duration: 10 * time.Second, Needed: 4},
	"incarnation-ignored": {Story: "copied-node", Duration: 12 * time.Second, Needed: 4},
	"nonce-without-time":  {Story: "twice-probed", Duration: 9 * time.Second, Needed: 4},
	// validity
	"acquire-from-reply": {Story: "slow-acquire", Duration: 9 * time.Second, Needed: 4},
	"no-recheck":         {Story: "slow-acquire", Duration: 9 * time.Second, Needed: 4},
	"cancelled-held":     {Story: "cancelled", Duration: 6 * time.Second, Needed: 4},
	// loss
	"valid-from-memory": {Story: "expiry", Duration: 7 * time.Second, Needed: 4},
	"loss-on-failure":   {Story: "expiry", Duration: 7 * time.Second, Needed: 4},
	// order
	"plain-maximum":      {Story: "raise", Duration: 10 * time.Second, Needed: 4},
	"counter-deleted":    {Story: "raise", Duration: 6 * time.Second, Needed: 4},
	"hint-not-above":     {Story: "raise", Duration: 6 * time.Second, Needed: 4},
	"token-truncated":    {Story: "large-tokens", Duration: 8 * time.Second, Needed: 4},
	"no-seed":            {Story: "forgotten", Duration: 8 * time.Second, Needed: 4},
	"incarnation-run-id": {Story: "copied-node", Duration: 12 * time.Second, Needed: 4},
	"bootstrap-at-now":   {Story: "new-beginning", Duration: 8 * time.Second, Needed: 4},
	// orphans
	"release-where-granted": {Story: "lost-replies", Duration: 7 * time.Second, Needed: 4},
	"renewer-outlives":      {Story: "renewer", Duration: 7 * time.Second, Needed: 4},
	"late-set":              {Story: "late-request", Duration: 9 * time.Second, Needed: 4},
	"extend-recreates":      {Story: "late-extend", Duration: 10 * time.Second, Needed: 4},
	"fence-where-key-stood": {Story: "late-extend", Duration: 10 * time.Second, Needed: 4},
	"publish-first":         {Story: "no-channel", Duration: 8 * time.Second, Needed: 4},
	// fenced
	"no-fence":    {Story: "partition", Duration: 9 * time.Second, Needed: 4},
	"equal-token": {Story: "large-tokens", Duration: 8 * time.Second, Needed: 4},
	// liveness
	"setnx-then-expire": {Story: "crash-between", Duration: 8 * time.Second, Needed: 4},
}
