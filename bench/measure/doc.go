// Package measure turns repetitions into figures: medians with their spread,
// ratios of two subjects taken repetition by repetition, targets, lines for
// benchstat, a page in Markdown and charts in SVG.
//
// It guarantees that the same figures give the same bytes. It runs nothing and
// knows no lock, so that what it prints cannot depend on who is measured.
package measure
