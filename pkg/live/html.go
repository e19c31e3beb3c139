package live

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"
)

//go:embed dashboard.html
var dashboardPage string

//go:embed dashboard.css
var dashboardStyle string

// oldData is the age from which what was read is shown as old, and taken for unknown where it comes from elsewhere. The alert
// Blind has the same.
const oldData = 30 * time.Minute

// DefaultRunbooks is where this project's own runbooks are read.
const DefaultRunbooks = "https://gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/-/blob/main/docs/runbooks/" + alertInURL + ".md"

// WriteHTML writes the report as one self-contained page: no script, nothing fetched, and a policy that holds a browser to
// that. What others wrote is escaped.
func WriteHTML(out io.Writer, report Report) error { return WritePage(out, report, report.Time) }

// WritePage writes the page of a report as it is at a later moment: ages are as of then, and a report that is old by then
// says so before anything else.
func WritePage(out io.Writer, report Report, now time.Time) error {
	page, err := template.New("dashboard").Funcs(template.FuncMap{
		"age":   func(at time.Time) string { return age(at, now) },
		"when":  func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04Z") },
		"short": func(commit string) string { return commit[:min(len(commit), shortCommit)] },
	}).Parse(dashboardPage)
	if err != nil {
		return fmt.Errorf("the dashboard's template: %w", err)
	}
	return page.Execute(out, newDashboard(report, now))
}

// Policy is the page's Content-Security-Policy, for a server's header too: the page's own style, and nothing else.
func Policy() string {
	sum := sha256.Sum256([]byte(dashboardStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// dashboard is what the template shows.
type dashboard struct {
	Report
	Now time.Time
	// Old says that the report is.
	Old      bool
	Style    template.CSS
	Policy   string
	Info     StateInfo
	Counts   []stateCount
	States   []StateInfo
	Columns  []string
	Matrix   []matrixRow
	Waiting  []Lane
	Failures []failure
	Data     []dataAge
}

type stateCount struct {
	StateInfo
	Count int
}

type matrixRow struct {
	Component string
	Cells     []cell
}

type cell struct {
	*Row
	StateInfo
	// Pinned and Live hide those of the Row: what is shown of them.
	Pinned, Live string
	CommitURL    template.URL
	CompareURL   template.URL
	Waits        string
	// Since is for how long it has been pinned; empty where that is not known.
	Since string
}

type failure struct {
	*Row
	StateInfo
	// Runbook hides the state's own: drift has two.
	Runbook, RunbookURL string
}

type dataAge struct {
	ClusterStatus
	Texts []string
	Old   bool
}

func newDashboard(report Report, now time.Time) dashboard {
	page := dashboard{
		Report: report, Now: now, Old: now.Sub(report.Time) > oldData, Style: template.CSS(dashboardStyle), Policy: Policy(), //nolint:gosec // our own file
		Info: info(report.Verdict), States: states,
	}
	for _, state := range states {
		if count := countState(report.Rows, state.State); count > 0 {
			page.Counts = append(page.Counts, stateCount{state, count})
		}
	}
	page.matrix()
	for _, lane := range report.Lanes {
		if !lane.WaitingSince.IsZero() || differs(lane) {
			page.Waiting = append(page.Waiting, lane)
		}
	}
	for i := range report.Rows {
		if row := &report.Rows[i]; row.State.rank() <= Suspended.rank() {
			runbook := row.runbook()
			page.Failures = append(page.Failures, failure{row, info(row.State), runbook, runbookURL(DefaultRunbooks, runbook)})
		}
	}
	for _, cluster := range report.Clusters {
		old := cluster.Error != "" || now.Sub(cluster.Read) > oldData
		page.Data = append(page.Data, dataAge{cluster, cluster.Lines(now), old})
	}
	return page
}

// runbook is the page for a row: that of its state, but for drift that is none of the version.
func (r Row) runbook() string {
	if r.State == Drifting && !slices.Contains(r.Drift, driftPin) {
		return info(Unmanaged).Runbook
	}
	return info(r.State).Runbook
}

func differs(lane Lane) bool {
	return slices.ContainsFunc(lane.Steps, func(s LaneStep) bool { return s.Version != lane.Steps[0].Version })
}

func info(state State) StateInfo { return states[state.rank()] }

func countState(rows []Row, state State) int {
	count := 0
	for _, row := range rows {
		if row.State == state {
			count++
		}
	}
	return count
}

// matrix puts the rows into one line a component and one column a cluster.
func (d *dashboard) matrix() {
	for _, cluster := range d.Clusters {
		d.Columns = append(d.Columns, cluster.Name)
	}
	byComponent := map[string]map[string]*Row{}
	for i := range d.Rows {
		row := &d.Rows[i]
		if byComponent[row.Component] == nil {
			byComponent[row.Component] = map[string]*Row{}
		}
		if there := byComponent[row.Component][row.Cluster]; there == nil || row.State.rank() < there.State.rank() {
			byComponent[row.Component][row.Cluster] = row
		}
	}
	for _, component := range sortedKeys(byComponent) {
		line := matrixRow{Component: component}
		for _, cluster := range d.Columns {
			line.Cells = append(line.Cells, d.cell(byComponent[component][cluster]))
		}
		d.Matrix = append(d.Matrix, line)
	}
}

func (d *dashboard) cell(row *Row) cell {
	if row == nil {
		return cell{}
	}
	shown := cell{Row: row, StateInfo: info(row.State), Live: row.LiveText()}
	if shown.Live == "-" {
		shown.Live = "nothing, or it is not known what"
	}
	if row.Pinned != nil {
		shown.Pinned = shortVersion(row.Pinned.Version, row.Pinned.Commit)
		shown.CommitURL = commitURL(row.Source, row.Pinned.Commit)
		if !row.Pinned.Since.IsZero() {
			shown.Since = age(row.Pinned.Since, d.Now)
		}
	}
	if row.Behind != nil && row.Behind.Commits > 0 {
		shown.Waits = waitsText(*row.Behind, d.Now)
	}
	if row.Live != nil && row.Pinned != nil && row.Live.Commit != "" && row.Pinned.Commit != "" && shown.Live != shown.Pinned {
		shown.CompareURL = compareURL(row.Source, row.Live.Commit, row.Pinned.Commit)
	}
	return shown
}

func waitsText(behind Behind, now time.Time) string {
	if behind.Commits == 1 {
		return "1 commit waits, for " + age(behind.Oldest, now)
	}
	return fmt.Sprintf("%d commits wait, the oldest for %s", behind.Commits, age(behind.Oldest, now))
}

// commitURL is where GitLab shows a commit. The address was checked to be https, and a commit is hexadecimal.
func commitURL(source, commit string) template.URL {
	if source == "" || commit == "" {
		return ""
	}
	return template.URL(source + forgePath(source) + "commit/" + commit) //nolint:gosec // see above
}

func compareURL(source, from, to string) template.URL {
	if source == "" {
		return ""
	}
	return template.URL(source + forgePath(source) + "compare/" + from + "..." + to) //nolint:gosec // see above
}

// forgePath is what GitLab puts between a project and its pages; GitHub puts nothing there.
func forgePath(source string) string {
	if strings.HasPrefix(source, "https://github.com/") {
		return "/"
	}
	return "/-/"
}
