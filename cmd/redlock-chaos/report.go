package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/quorumlock/quorumlock/chaos/report"
)

// reportCommand makes the page and the summary of earlier runs again. It ends
// in 0 where that was done, whatever the runs' verdicts are.
func reportCommand(args []string, stdout io.Writer) (int, error) {
	fs := flags("report", "DIR…", stdout)
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	if fs.NArg() == 0 {
		return 0, &usageError{Value: "report", Reason: "the folder of a run is needed"}
	}
	for _, dir := range fs.Args() {
		res, err := report.Build(dir)
		if err != nil {
			return 0, err
		}
		fmt.Fprintf(stdout, "%s: %s\n", filepath.Join(dir, report.PageFile), res.Word)
	}
	return 0, nil
}

// stepSummary appends the run in short to the file that a job of GitHub Actions
// shows on its page. Elsewhere it does nothing.
func stepSummary(res *report.Result) error {
	path := os.Getenv("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("the summary of the job: %w", err)
	}
	return errors.Join(res.WriteMarkdown(f), f.Close())
}
