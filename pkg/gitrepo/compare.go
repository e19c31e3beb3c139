package gitrepo

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// CompareLink is where a source's host shows what lies between two commits, for the hosts whose addresses are known; "" for
// others, and for a URL with a password in it.
func CompareLink(source, old, new string) string {
	parsed, err := url.Parse(source)
	if err != nil || parsed.Scheme != "https" || parsed.User != nil {
		return ""
	}
	parsed.RawQuery, parsed.Fragment = "", ""
	base := strings.TrimSuffix(strings.TrimRight(parsed.String(), "/"), ".git")
	switch {
	case strings.HasPrefix(parsed.Host, "gitlab."):
		return fmt.Sprintf("%s/-/compare/%s...%s", base, old, new)
	case parsed.Host == "github.com":
		return fmt.Sprintf("%s/compare/%s...%s", base, old, new)
	default:
		return ""
	}
}

// taskForm is what a task's name looks like.
var taskForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*[-#]?[0-9]+$`)

// IsTask reports whether text has the form of a task's name, as T123456 has. Other text is not copied where tasks are named.
func IsTask(text string) bool { return taskForm.MatchString(text) }

// Tasks are those that the commit's Bug trailers name.
func (c *Commit) Tasks() []string {
	var tasks []string
	for _, task := range c.Trailer("Bug") {
		if IsTask(task) {
			tasks = append(tasks, task)
		}
	}
	return tasks
}
