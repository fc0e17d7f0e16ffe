package mutants

import "time"

// live says how real servers convict a mutant, by its name.
var live = map[string]Live{
	"naive-deadline": {Story: "drift-1", Duration: 10 * time.Second, Needed: 4},
	"blind-del":      {Story: "late-unlock", Duration: 10 * time.Second, Needed: 4},
	"votes-at-once":  {Story: "amnesia", Duration: 10 * time.Second, Needed: 4},
	"plain-maximum":  {Story: "raise", Duration: 10 * time.Second, Needed: 4},
}
