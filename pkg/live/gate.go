package live

import (
	"context"
	"fmt"
	"sync"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// Gates answers a stage's gates from what clusters run. It asks each cluster once, when it is first asked about.
type Gates struct {
	// Read reads one cluster.
	Read func(ctx context.Context, cluster string) (Cluster, error)

	mu   sync.Mutex
	read map[string]Cluster
}

// Open reports whether Flux reports every release of a pin Ready on exactly the pinned version. What a cluster does not say
// for sure (it cannot be read, a release is suspended, Flux has not looked yet) is an error: it could not be asked. So is
// every other gate.
func (g *Gates) Open(ctx context.Context, gate v1alpha1.Gate, cluster, _ string, pin *v1alpha1.PinSpec) (bool, error) {
	if gate != v1alpha1.GateReady {
		return false, fmt.Errorf("clusters do not say whether %s passed", gate)
	}
	if len(pin.Releases) == 0 {
		return false, fmt.Errorf("plain manifests have no release that could be ready")
	}
	read, err := g.cluster(ctx, cluster)
	if err != nil {
		return false, err
	}
	for _, name := range sortedKeys(pin.Releases) {
		status := expectation{name: name, pinned: pin.Releases[name]}.compare(read, read.release(name))
		if status.State == Suspended || status.State == Unknown {
			return false, fmt.Errorf("release %s on %s: %s", name, cluster, orText(status.Note, string(status.State)))
		}
		if !status.ready() {
			return false, nil
		}
	}
	return true, nil
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func (g *Gates) cluster(ctx context.Context, name string) (Cluster, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	read, known := g.read[name]
	if !known {
		var err error
		if read, err = g.Read(ctx, name); err != nil {
			return Cluster{}, err
		}
		if g.read == nil {
			g.read = map[string]Cluster{}
		}
		g.read[name] = read
	}
	if read.Error != "" {
		return Cluster{}, fmt.Errorf("cluster %s: %s", name, read.Error)
	}
	return read, nil
}
