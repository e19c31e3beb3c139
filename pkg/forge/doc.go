// Package forge talks to GitLab about merge requests: it opens them, finds the ones that are there, marks old ones
// superseded, sets them to merge, and keeps one note of a kind on each.
//
// It owns which project a Git remote means (project.go), the token (token.go), what is tried again and for how long
// (retry.go), merge requests (mergerequest.go, supersede.go, automerge.go) and notes (note.go). It knows nothing of control
// repos or pins: titles, descriptions and notes are handed in as Markdown that is harmless already.
//
// It depends on GitLab's own Go client. Nothing that it returns or prints holds the token, not even what a server sends back.
package forge
