// Package campaign runs many simulated runs, one a seed, sums up what they came
// to, and shrinks what failed to a story that a person can follow.
//
// It guarantees that a campaign's result follows from its seeds and its setup
// alone: how many workers shared the seeds, how they were sharded over machines
// and in which order the shards were merged changes nothing but the time it
// took; that a campaign stopped early says which seeds it did; that results
// which do not belong together are refused rather than added; that whether
// enough happened is judged on the sum; and that a story which was shrunk still
// breaks the property that the unshrunk run broke, for it was run to see.
//
// It does not guarantee that a shrunk story is the shortest there is: delta
// debugging ends where no single part can be left out. Nor does a campaign
// without violation prove anything beyond its seeds.
//
// It deliberately knows nothing of the lock: it makes plans with scenario, has
// them run by sim, and reads verdicts. It imports neither the live harness nor
// servers, so that a campaign can be built and run anywhere.
package campaign
