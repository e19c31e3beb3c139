package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxSnapshot bounds a snapshot that is fetched: one of 200 clusters with 100 releases each is a tenth of it.
const maxSnapshot = 256 << 20

// ErrSnapshot says that a place has no snapshot that can be used.
var ErrSnapshot = errors.New("no usable snapshot")

// Fetch reads a snapshot that an exporter serves. The token is sent in the Authorization header, and only over https or to
// this machine; a redirect is not followed. What was read of a cluster too long before now is as good as nothing.
func Fetch(ctx context.Context, client *http.Client, address, token string, now time.Time) (*Snapshot, error) {
	var snapshot Snapshot
	if err := fetch(ctx, client, address, "snapshot", token, &snapshot); err != nil {
		return nil, err
	}
	snapshot.clean()
	snapshot.forget(now)
	return &snapshot, known(snapshot.Version, SnapshotVersion)
}

// forget leaves of a cluster whose data is old nothing but when it was read: an exporter that cannot refresh goes on serving
// what it had, and gates would be opened by it.
func (s *Snapshot) forget(now time.Time) {
	for name, cluster := range s.Clusters {
		if cluster.Error == "" && now.Sub(cluster.Time) > oldData {
			s.Clusters[name] = Cluster{Time: cluster.Time, Error: "the exporter read it " + age(cluster.Time, now) + " ago, and not since"}
		}
	}
}

// FetchUpstream reads what an exporter was told by sources and registries, in the same way.
func FetchUpstream(ctx context.Context, client *http.Client, address, token string) (*Upstream, error) {
	var upstream Upstream
	if err := fetch(ctx, client, address, "upstream", token, &upstream); err != nil {
		return nil, err
	}
	upstream.clean()
	return &upstream, known(upstream.Version, UpstreamVersion)
}

func known(version, want int) error {
	if version != want {
		return fmt.Errorf("%w: it is of version %d, and this program reads %d", ErrSnapshot, version, want)
	}
	return nil
}

func fetch(ctx context.Context, client *http.Client, address, what, token string, into any) error {
	target, err := url.Parse(address)
	if err != nil || !isSafe(target) {
		return fmt.Errorf("%w: write the https:// address of an exporter", ErrSnapshot)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.JoinPath(what).String(), nil)
	if err != nil {
		return fmt.Errorf("%w: the address cannot be used", ErrSnapshot)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	straight := *client
	straight.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := straight.Do(request)
	if err != nil {
		return fmt.Errorf("%w at %s: %s", ErrSnapshot, target.Host, clean(err.Error()))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w at %s: it answered %d%s", ErrSnapshot, target.Host, response.StatusCode, hint(response.StatusCode))
	}
	if err := json.NewDecoder(&io.LimitedReader{R: response.Body, N: maxSnapshot}).Decode(into); err != nil {
		return fmt.Errorf("%w at %s: it is not the JSON of a %s: %s", ErrSnapshot, target.Host, what, clean(err.Error()))
	}
	return nil
}

func hint(code int) string {
	if code == http.StatusUnauthorized || code == http.StatusForbidden {
		return ": put the exporter's read token into TFGITOPS_TOKEN"
	}
	return ""
}

func isSafe(target *url.URL) bool {
	ip := net.ParseIP(target.Hostname())
	local := target.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return target.User == nil && target.Host != "" && (target.Scheme == "https" || target.Scheme == "http" && local)
}

// clean makes the words of another program safe to show, as those of an API server are.
func (s *Snapshot) clean() {
	for name, cluster := range s.Clusters {
		cluster.Error, cluster.KubeVersion, cluster.FluxVersion = clean(cluster.Error), clean(cluster.KubeVersion), clean(cluster.FluxVersion)
		for kind, text := range cluster.Incomplete {
			cluster.Incomplete[kind] = clean(text)
		}
		for i := range cluster.Releases {
			release := &cluster.Releases[i]
			release.Name, release.Component = clean(release.Name), clean(release.Component)
			for j := range release.History {
				release.History[j].Version = clean(release.History[j].Version)
			}
			for _, c := range []*Condition{release.Ready, release.Drifted, release.Stalled} {
				c.clean()
			}
		}
		sortReleases(cluster.Releases) // they are looked up by name
		for i := range cluster.Sources {
			cluster.Sources[i].Ready.clean()
		}
		for i := range cluster.Kustomizations {
			cluster.Kustomizations[i].Ready.clean()
		}
		s.Clusters[name] = cluster
	}
}

func (u *Upstream) clean() {
	for _, component := range u.Waiting {
		for _, commits := range component {
			for i := range commits {
				commits[i].Author, commits[i].Subject = clean(commits[i].Author), clean(commits[i].Subject)
				for j := range commits[i].Tasks {
					commits[i].Tasks[j] = clean(commits[i].Tasks[j])
				}
			}
		}
	}
	for _, versions := range u.Versions {
		for i := range versions {
			versions[i].Version = clean(versions[i].Version)
		}
	}
	for what, text := range u.Errors {
		u.Errors[what] = clean(text)
	}
}

func (c *Condition) clean() {
	if c != nil {
		c.Reason, c.Message = clean(c.Reason), clean(c.Message)
	}
}

// Applied returns, by cluster, the control repo's commit that Flux applied last, where that is known.
func (s *Snapshot) Applied() map[string]string {
	applied := map[string]string{}
	for name, cluster := range s.Clusters {
		if own := cluster.kustomization(name); own != nil && appliedCommit(own.Applied) != "" {
			applied[name] = appliedCommit(own.Applied)
		}
	}
	return applied
}
