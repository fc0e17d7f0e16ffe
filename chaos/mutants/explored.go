package mutants

// explored says in which scope the explorer convicts a mutant, by its name, and
// at which depth an independent model did.
var explored = map[string]Explore{
	// exclusion
	"blind-del":         {Scope: "three"},
	"half-quorum":       {Scope: "two"},
	"extend-minority":   {Scope: "extend"},
	"extend-from-reply": {Scope: "extend", Known: 14},
	"no-elapsed-check":  {Scope: "two", Known: 10},
	"extend-deletes":    {Scope: "fences", Known: 14},
	"names-in-part":     {Scope: "names", Known: 7},
	// votes
	"votes-at-once":    {Scope: "rejoin", Known: 14},
	"short-quarantine": {Scope: "rejoin", Known: 15},
	"wait-before-seal": {Scope: "second", Known: 18},
	"no-nonce":         {Scope: "admitted-twice", Known: 22},
	"no-view-check":    {Scope: "second", Known: 15},
	"own-seal-taken":   {Scope: "second-catch-up", Known: 16},
	"own-seal-tie":     {Scope: "five-both", Known: 19},
	"last-seal-wins":   {Scope: "five-tie", Known: 18},
	"two-views":        {Scope: "second-extend", Known: 21},
	"view-not-joined":  {Scope: "five-views", Known: 27},
	"retired-seal":     {Scope: "five-retired", Known: 26},
	"few-seals":        {Scope: "four-seals", Known: 23},
	// bootstrap
	"single-probe":     {Scope: "half-probed", Known: 21},
	"prepare-any-pair": {Scope: "late-prepare", Known: 21},
	"mark-overwritten": {Scope: "two-marks", Known: 27},
	"admit-early":      {Scope: "half-prepared", Known: 25},
	"rejoin-prepared":  {Scope: "prepared-rejoin", Known: 30},
	"recover-at-once":  {Scope: "by-clock-two", Known: 24},
	// order
	"plain-maximum":     {Scope: "three", Known: 10},
	"raise-not-awaited": {Scope: "three", Known: 10},
	"raise-any":         {Scope: "leaps", Known: 14},
	"raise-not-mine":    {Scope: "sent-again", Known: 18},
	"counter-deleted":   {Scope: "three", Known: 9},
	"absent-is-zero":    {Scope: "fences-order", Known: 5},
	"turn-without-mark": {Scope: "fences-order", Known: 2},
	"raise-forgets-hw":  {Scope: "forgotten-raise", Known: 8},
	"hint-not-above":    {Scope: "three", Known: 9},
	"extend-own-key":    {Scope: "one-node", Known: 17},
	"first-name-only":   {Scope: "names", Known: 14},
	// memory
	"no-seed":           {Scope: "rejoin", Known: 16},
	"seed-without-seal": {Scope: "rejoin", Known: 16},
	"seed-from-one":     {Scope: "rejoin", Known: 15},
	// orphans
	"fence-where-key-stood": {Scope: "extend-stays", Known: 8},
	"extend-recreates":      {Scope: "extend-stays", Known: 15},
	// liveness
	"own-key-blocks": {Scope: "two"},
}
