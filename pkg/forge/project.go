package forge

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// Project is a project on a GitLab.
type Project struct {
	// Server is the GitLab's address, without a slash at its end: https://gitlab.example.org.
	Server string
	// Path names the project: group/subgroup/name.
	Path string
}

// URL is the project's page.
func (p Project) URL() string { return p.Server + "/" + p.Path }

// ErrNoProject says that a Git remote is no project of a GitLab.
var ErrNoProject = errors.New("no GitLab project")

// scpForm matches USER@HOST:PATH, Git's other way to write an ssh address.
var scpForm = regexp.MustCompile(`^(?:[^@/:]+@)?([^/:@]+):([^/].*)$`)

// pathForm matches the path of a project: a group at least, and a name.
var pathForm = regexp.MustCompile(`^[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)+$`)

// ProjectOf returns the project that a Git remote's URL means. In GitLab's own pipelines, CI_SERVER_URL tells the address of
// a GitLab that lives below a path or is reached over ssh, and CI_PROJECT_URL the project where the remote is a folder. Plain
// HTTP is accepted for this machine alone: the token would be sent in the clear.
func ProjectOf(remote string, getenv func(string) string) (Project, error) {
	found, err := projectOf(remote, strings.TrimRight(getenv("CI_SERVER_URL"), "/"), getenv("CI_PROJECT_URL"))
	if err != nil {
		return Project{}, fmt.Errorf("the Git remote %q is %w: %w; merge requests need one like https://gitlab.example.org/GROUP/PROJECT.git", withoutUser(remote), ErrNoProject, err)
	}
	return found, nil
}

func projectOf(remote, server, projectURL string) (Project, error) {
	parsed, err := url.Parse(remote)
	if scp := scpForm.FindStringSubmatch(remote); scp != nil && (err != nil || parsed.Host == "") {
		return sshProject(scp[1], scp[2], server)
	}
	if err != nil {
		return Project{}, errors.New("it cannot be parsed") // the cause would repeat it, with what it may hold
	}
	switch parsed.Scheme {
	case "https", "http":
		return webProject(parsed, server)
	case "ssh":
		return sshProject(parsed.Hostname(), strings.TrimPrefix(parsed.Path, "/"), server)
	case "", "file":
		if own, err := url.Parse(projectURL); err == nil && own.Host != "" {
			return webProject(own, server)
		}
		return Project{}, errors.New("it is a folder")
	default:
		return Project{}, fmt.Errorf("its scheme is %q", parsed.Scheme)
	}
}

func webProject(address *url.URL, server string) (Project, error) {
	if address.Scheme != "https" && !isLoopback(address.Hostname()) {
		return Project{}, errors.New("plain http would send the token in the clear")
	}
	path := address.Path
	own := address.Scheme + "://" + address.Host
	if below, isBelow := strings.CutPrefix(own+path, server+"/"); server != "" && isBelow {
		own, path = server, below
	}
	return project(own, path)
}

// sshProject takes the host for that of the web pages, unless the pipeline's own GitLab has it.
func sshProject(host, path, server string) (Project, error) {
	if known, err := url.Parse(server); err == nil && known.Hostname() == host && known.Scheme == "https" {
		return project(server, path)
	}
	return project("https://"+host, path)
}

func project(server, path string) (Project, error) {
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	if !pathForm.MatchString(path) {
		return Project{}, fmt.Errorf("%q is no GROUP/PROJECT", path)
	}
	return Project{Server: server, Path: path}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// withoutUser is a URL without the user and password in it.
func withoutUser(raw string) string {
	if scheme, rest, isURL := strings.Cut(raw, "://"); isURL {
		host, path, _ := strings.Cut(rest, "/")
		return scheme + "://" + host[strings.LastIndex(host, "@")+1:] + "/" + path
	}
	return raw
}
