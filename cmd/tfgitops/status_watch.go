package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/live"
)

// watch shows the report again and again, until the context ends. Only what cannot be read the first time is an error: later
// it may come back.
func (q *statusQuery) watch(ctx context.Context, every time.Duration, show func(io.Writer, live.Report) error) error {
	report, err := q.report(ctx)
	if err != nil {
		return err
	}
	if terminalOf(q.cmd.OutOrStdout()) != nil {
		fmt.Fprint(q.cmd.OutOrStdout(), "\x1b[2J") // clear the screen, once: what follows is written over itself
	}
	if err := q.redraw(*report, show); err != nil {
		return err
	}
	for (artifact.SystemClock{}).Sleep(ctx, every) == nil {
		newer := q.reportAgain(ctx)
		if newer == nil {
			continue
		}
		if err := q.update(*report, *newer, show); err != nil {
			return err
		}
		report = newer
	}
	return nil
}

// reportAgain reads a newer report. One that cannot be read is told, and is nil: it is tried again. So is one that the end of
// the watch cut short.
func (q *statusQuery) reportAgain(ctx context.Context) *live.Report {
	report, err := q.report(ctx)
	switch {
	case err == nil:
		return report
	case ctx.Err() == nil:
		fmt.Fprintln(q.cmd.ErrOrStderr(), "not read, and tried again:", errorText(err))
	}
	return nil
}

// update shows a newer report: on a terminal the whole of it, in a log what changed.
func (q *statusQuery) update(before, after live.Report, show func(io.Writer, live.Report) error) error {
	if out := q.cmd.OutOrStdout(); terminalOf(out) == nil {
		return writeTransitions(out, before, after)
	}
	return q.redraw(after, show)
}

func writeTransitions(out io.Writer, before, after live.Report) error {
	for _, line := range live.Transitions(before, after) {
		if _, err := fmt.Fprintf(out, "%s %s\n", after.Time.Format("15:04:05Z"), line); err != nil {
			return err
		}
	}
	return nil
}

// redraw writes the table; on a terminal over the one before, as far as it fits: the worst is at the top.
func (q *statusQuery) redraw(report live.Report, show func(io.Writer, live.Report) error) error {
	var page bytes.Buffer
	if err := show(&page, report); err != nil {
		return err
	}
	out := q.cmd.OutOrStdout()
	terminal := terminalOf(out)
	if terminal == nil {
		_, err := page.WriteTo(out)
		return err
	}
	width, height, err := term.GetSize(int(terminal.Fd()))
	if err != nil {
		width, height = 0, 0
	}
	const home, clearLine, clearBelow = "\x1b[H", "\x1b[K", "\x1b[J"
	_, err = io.WriteString(out, home+strings.ReplaceAll(fit(page.String(), width, height), "\n", clearLine+"\n")+clearBelow)
	return err
}

// terminalOf returns the terminal that is written to, or nil.
func terminalOf(out io.Writer) *os.File {
	file, isFile := out.(*os.File)
	if !isFile || !isTerminal(file) {
		return nil
	}
	return file
}

// fit cuts a text to a screen, and says so in the last line. Without a size it is left as it is.
func fit(text string, width, height int) string {
	if width <= 0 || height <= 1 {
		return text
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if left := len(lines) - (height - 1); left > 0 {
		lines = append(lines[:height-2], fmt.Sprintf("… %d more lines", left+1))
	}
	for i, line := range lines {
		lines[i] = cutVisible(line, width)
	}
	return strings.Join(lines, "\n") + "\n"
}

// cutVisible cuts a line to so many characters that are seen: colours are not, and stay.
func cutVisible(line string, width int) string {
	var out strings.Builder
	seen, inColour, cut := 0, false, false
	for _, r := range line {
		switch {
		case r == '\x1b':
			inColour = true
		case inColour:
			inColour = r != 'm'
			out.WriteRune(r)
			continue
		default:
			seen++
		}
		if seen < width || r == '\x1b' {
			out.WriteRune(r)
		} else if !cut {
			cut = true
			out.WriteRune('…')
		}
	}
	if seen <= width {
		return line
	}
	return out.String()
}
