// Package report tells people and programs what a run came to: results.json,
// the page report.html, summary.md, and the words on the terminal.
//
// It guarantees that the page and the summary follow from results.json and
// history.jsonl alone, so that they can be made again at any time and come out
// the same; that files which do not belong together, are torn, or are of
// another version are refused with the file, the line and the reason, and
// nothing is overwritten then; that whatever stands in those files is shown as
// text and never executed, loaded or followed; and that a page stays small
// however long the history is, by merging what is too short to be seen.
//
// It does not judge: verdicts are taken from results.json as they stand.
//
// It deliberately imports neither the lock nor the servers, so that a report
// can be made anywhere, and long after the run.
package report
