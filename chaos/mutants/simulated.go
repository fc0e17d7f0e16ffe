package mutants

// simulated says how the simulator convicts a mutant, by its name: by a story
// that is told to it, or by what it draws from the seeds.
var simulated = map[string]Simulate{
	// exclusion
	"blind-del":           {Args: told("late-unlock", "1..5")},
	"no-drift":            {Args: told("slewed", "1..5")},
	"naive-deadline":      {Args: drawn("1..20")},
	"half-quorum":         {Args: told("halves", "1..5")},
	"extend-minority":     {Args: told("lonely-extend", "1..5")},
	"extend-resurrects":   {Args: told("resurrect", "1..200")},
	"extend-from-reply":   {Args: told("slow-extend", "1..5")},
	"no-elapsed-check":    {Args: told("frozen-acquire", "1..5")},
	"server-twice":        {Args: told("borrowed-name", "1..5")},
	"votes-at-once":       {Args: told("amnesia", "1..5")},
	"short-quarantine":    {Args: told("amnesia", "1..20")},
	"incarnation-ignored": {Args: told("old-file", "1..5")},
	"recover-at-once":     {Args: told("recovery", "1..5")},
	"nonce-without-time":  {Args: told("twice-admitted", "1..5")},
	// validity
	"acquire-from-reply": {Args: told("slow-replies", "1..5")},
	"returned-expired":   {Args: told("frozen-acquire", "1..20")},
	"no-recheck":         {Args: told("slow-raise", "1..5")},
	"cancelled-held":     {Args: told("cancelled", "1..5")},
	// loss
	"valid-from-memory": {Args: told("expiry", "1..5")},
	"loss-on-failure":   {Args: told("expiry", "1..5")},
	// order
	"plain-maximum":    {Args: told("raise", "1..5")},
	"counter-deleted":  {Args: drawn("1..20")},
	"hint-not-above":   {Args: drawn("1..20")},
	"token-truncated":  {Args: told("large-tokens", "1..5")},
	"no-seed":          {Args: told("forgotten", "1..20")},
	"bootstrap-at-now": {Args: told("recovery", "1..5")},
	// orphans
	"release-where-granted": {Args: drawn("1..20")},
	"renewer-outlives":      {Args: told("stray-extend", "1..5")},
	"late-set":              {Args: told("late-set", "1..5")},
	"fence-where-key-stood": {Args: told("stray-extend", "1..5")},
	"extend-recreates":      {Args: told("stray-extend", "1..5")},
	// fenced
	"no-fence":    {Args: drawn("1..20")},
	"equal-token": {Args: drawn("1..20")},
	// liveness
	"turn-never-ends":   {Args: drawn("1..60")},
	"setnx-then-expire": {Args: told("dead-holder", "1..5")},
	"own-key-blocks":    {Args: append(drawn("42..50"), "--hint", "off", "--nodes", "5", "--clients", "12", "--keys", "1")},
	// set-ups
	"wall-clock":   {Args: told("wall-clock", "1..5"), Control: told("wall-step", "1..5")},
	"jumped-clock": {Args: told("clock-trusted", "1..5"), Control: told("clock-step", "1..5")},
}

// drawn are the arguments for runs in which everything is drawn from the seeds.
func drawn(seeds string) []string { return []string{"--seeds", seeds} }

// told are the arguments for runs in which one story is told.
func told(story, seeds string) []string { return []string{"--story", story, "--seeds", seeds} }
