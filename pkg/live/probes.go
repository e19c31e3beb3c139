package live

import (
	"maps"
	"strings"
	"time"
)

// The targets of probes; each cluster is another, named cluster/NAME.
const (
	probeRepo       = "control-repo"
	probeSources    = "sources"
	probeRegistries = "registries"
	probeCluster    = "cluster/"
)

// Probes remember when each source of a view was read last. What was never read counts as read when they began, so that
// it grows old as well: a target without a number would never alert anybody.
type Probes struct {
	began time.Time
	last  map[string]time.Time
}

// NewProbes begins with what the exporter reads: the control repo, and, where it is to ask them, sources and registries.
func NewProbes(began time.Time, upstream bool) *Probes {
	p := &Probes{began: began, last: map[string]time.Time{probeRepo: began}}
	if upstream {
		p.last[probeSources], p.last[probeRegistries] = began, began
	}
	return p
}

// Last are the targets with their times.
func (p *Probes) Last() map[string]time.Time { return maps.Clone(p.last) }

// Repo notes that the control repo was read, with these clusters: those that it does not have any more are forgotten.
func (p *Probes) Repo(now time.Time, clusters []string) {
	p.last[probeRepo] = now
	declared := map[string]bool{}
	for _, name := range clusters {
		target := probeCluster + name
		declared[target] = true
		if _, known := p.last[target]; !known {
			p.last[target] = p.began
		}
	}
	maps.DeleteFunc(p.last, func(target string, _ time.Time) bool {
		return strings.HasPrefix(target, probeCluster) && !declared[target]
	})
}

// Snapshot notes the clusters that answered; nil: none was asked.
func (p *Probes) Snapshot(snapshot *Snapshot) {
	if snapshot == nil {
		return
	}
	for name, cluster := range snapshot.Clusters {
		if _, declared := p.last[probeCluster+name]; declared && cluster.Error == "" {
			p.last[probeCluster+name] = cluster.Time
		}
	}
}

// Upstream notes sources and registries as read where any of them answered, or none was to be asked: one that is away has no
// numbers of its own. Its errors are named after a component, or after what was asked of a registry.
func (p *Probes) Upstream(now time.Time, upstream *Upstream, components []string) {
	ofSources := 0
	for _, name := range components {
		if upstream.Errors[name] != "" {
			ofSources++
		}
	}
	if len(upstream.Waiting) > 0 || ofSources == 0 {
		p.last[probeSources] = now
	}
	if len(upstream.Present) > 0 || len(upstream.Errors) == ofSources {
		p.last[probeRegistries] = now
	}
}
