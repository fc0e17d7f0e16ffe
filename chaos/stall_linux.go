package chaos

import (
	"fmt"
	"os"
	"time"
)

// threadWaits reads from the kernel how long each thread of this process has
// stood in the queue for a processor. It is empty where the kernel was built
// without those figures.
func threadWaits() map[string]time.Duration {
	const tasks = "/proc/self/task/"
	list, err := os.ReadDir(tasks)
	if err != nil {
		return nil
	}
	waits := make(map[string]time.Duration, len(list))
	for _, thread := range list {
		data, err := os.ReadFile(tasks + thread.Name() + "/schedstat")
		if err != nil {
			continue // it has ended meanwhile
		}
		var ran, waited, slices int64 // ns, ns, count
		if _, err := fmt.Sscan(string(data), &ran, &waited, &slices); err == nil {
			waits[thread.Name()] = time.Duration(waited)
		}
	}
	return waits
}
