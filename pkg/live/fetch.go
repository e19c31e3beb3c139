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
)

// maxSnapshot bounds a snapshot that is fetched: one of 200 clusters with 100 releases each is a tenth of it.
const maxSnapshot = 256 << 20

// ErrSnapshot says that a place has no snapshot that can be used.
var ErrSnapshot = errors.New("no usable snapshot")

// Fetch reads a snapshot that an exporter serves. The token is sent in the Authorization header, and only over https or to
// this machine; a redirect is not followed.
func Fetch(ctx context.Context, client *http.Client, address, token string) (*Snapshot, error) {
	target, err := url.Parse(address)
	if err != nil || !isSafe(target) {
		return nil, fmt.Errorf("%w: write the https:// address of an exporter", ErrSnapshot)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.JoinPath("snapshot").String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: the address cannot be used", ErrSnapshot)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	straight := *client
	straight.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := straight.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w at %s: %s", ErrSnapshot, target.Host, clean(err.Error()))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w at %s: it answered %d%s", ErrSnapshot, target.Host, response.StatusCode, hint(response.StatusCode))
	}
	return decodeSnapshot(target.Host, response.Body)
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

func decodeSnapshot(host string, body io.Reader) (*Snapshot, error) {
	limited := &io.LimitedReader{R: body, N: maxSnapshot}
	var snapshot Snapshot
	if err := json.NewDecoder(limited).Decode(&snapshot); err != nil {
		return nil, fmt.Errorf("%w at %s: it is not the JSON of a snapshot: %s", ErrSnapshot, host, clean(err.Error()))
	}
	if snapshot.Version != SnapshotVersion {
		return nil, fmt.Errorf("%w at %s: it is of version %d, and this program reads %d", ErrSnapshot, host, snapshot.Version, SnapshotVersion)
	}
	snapshot.clean()
	return &snapshot, nil
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
		for i := range cluster.Sources {
			cluster.Sources[i].Ready.clean()
		}
		for i := range cluster.Kustomizations {
			cluster.Kustomizations[i].Ready.clean()
		}
		s.Clusters[name] = cluster
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
