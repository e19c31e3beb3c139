package gitrepo

import (
	"strings"
)

// droppedVariables would make Git work on another repository, read paths
// another way or show secrets. Git sets the first group for hooks
// (`git rev-parse --local-env-vars`). Variables that carry configuration
// (GIT_CONFIG_*), identity, askpass programs and SSH commands stay.
var droppedVariables = map[string]bool{
	"GIT_ALTERNATE_OBJECT_DIRECTORIES": true,
	"GIT_OBJECT_DIRECTORY":             true,
	"GIT_DIR":                          true,
	"GIT_WORK_TREE":                    true,
	"GIT_IMPLICIT_WORK_TREE":           true,
	"GIT_GRAFT_FILE":                   true,
	"GIT_INDEX_FILE":                   true,
	"GIT_INTERNAL_SUPER_PREFIX":        true,
	"GIT_PREFIX":                       true,
	"GIT_SHALLOW_FILE":                 true,
	"GIT_COMMON_DIR":                   true,
	"GIT_NAMESPACE":                    true,
	"GIT_QUARANTINE_PATH":              true,
	"GIT_REPLACE_REF_BASE":             true,
	"GIT_NO_REPLACE_OBJECTS":           true,

	"GIT_LITERAL_PATHSPECS": true,
	"GIT_GLOB_PATHSPECS":    true,
	"GIT_NOGLOB_PATHSPECS":  true,
	"GIT_ICASE_PATHSPECS":   true,
	"GIT_EXTERNAL_DIFF":     true,
	"GIT_DIFF_OPTS":         true,
	"GIT_TRACE_REDACT":      true,
	"GIT_FLUSH":             true,

	"LC_ALL":      true, // replaced below
	"LC_MESSAGES": true,
	"LANGUAGE":    true,
}

// gitEnv turns the environment of this process into the one git runs with:
// messages in English, which this package reads, in the character set that the
// person's hooks expect; and never a prompt.
func gitEnv(environ []string) []string {
	env := make([]string, 0, len(environ)+4)
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if name == "LC_ALL" && value != "" {
			env = append(env, "LC_CTYPE="+value)
		}
		if !droppedVariables[name] {
			env = append(env, entry)
		}
	}
	return append(env, "LC_MESSAGES=C", "GIT_TERMINAL_PROMPT=0", "GIT_EDITOR=:", "GIT_PAGER=cat")
}

// hasVariable reports whether env sets one of the names to something.
func hasVariable(env []string, names ...string) bool {
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		for _, want := range names {
			if name == want && value != "" {
				return true
			}
		}
	}
	return false
}
