// Package bump plans and applies changes of pins.
//
// A Request says what a person asked for. A Planner turns it into a Plan: for each cluster the pin before and after, what
// has to be said, and which safety rules refuse it. The Plan changes nothing. Stage turns it into the files that it means,
// pins and rendered objects alike, and a Workspace writes, commits or pushes those.
//
// It owns the choice of clusters (select.go), one file an operation (bump.go, promote.go, rollback.go, hold.go, fold.go),
// the table of safety rules (rules.go), pin files (pinfile.go), the record in Git history (history.go), messages
// (message.go) and the race with others who push (push.go). It depends on pkg/control and pkg/render for the repo, and on
// what it is handed for the world: registries, source repositories, Git, the clock.
package bump
