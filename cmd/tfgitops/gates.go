package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/live"
)

// gateTimeout is short: somebody waits, and a gate that cannot be asked is refused by the rule "unverified", which can be
// overridden.
const gateTimeout = 5 * time.Second

// gateFlags say whether clusters are asked for the gates of stages. Nobody is unless a person says so: most people reach no
// cluster, and a change made in an emergency must not wait for one.
type gateFlags struct {
	ask        bool
	kubeconfig string
	from       string
}

func (f *gateFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.ask, "live", false, "ask the clusters whether the gate \"ready\" of a stage is open, for 5 seconds at most")
	cmd.Flags().StringVar(&f.kubeconfig, "kubeconfig", "", "the kubeconfig `FILE` to ask them with (implies --live; default: as kubectl finds it)")
	cmd.Flags().StringVar(&f.from, "from", "", "ask the exporter at this `URL` instead (implies --live); its read token is taken from "+tokenVariable)
	cmd.MarkFlagsMutuallyExclusive("kubeconfig", "from")
}

// gates returns what answers the gates, or nil where clusters are not to be asked.
func (f *gateFlags) gates(o *options, root fs.FS) bump.Gates {
	if !f.ask && f.kubeconfig == "" && f.from == "" {
		return nil
	}
	flags := liveFlags{kubeconfig: f.kubeconfig, from: f.from, timeout: gateTimeout}
	return &live.Gates{Read: func(ctx context.Context, name string) (live.Cluster, error) {
		repo, findings := control.Load(ctx, root, control.Only{Clusters: []string{name}, Components: []string{}})
		if err := findings.Err(); err != nil {
			return live.Cluster{}, err
		}
		return flags.one(ctx, o, repo.Clusters[name])
	}}
}

// one reads one cluster, or what an exporter has read of it.
func (f *liveFlags) one(ctx context.Context, o *options, cluster *control.Cluster) (live.Cluster, error) {
	snapshot, err := f.snapshot(ctx, o, []*control.Cluster{cluster})
	switch {
	case err != nil:
		return live.Cluster{}, err
	case snapshot == nil:
		return live.Cluster{}, fmt.Errorf("the kubeconfig has no context %q for cluster %s; name another with --kubeconfig FILE, or an exporter with --from URL", cluster.Context, cluster.Name)
	}
	read, asked := snapshot.Clusters[cluster.Name]
	if !asked {
		return live.Cluster{}, errors.New("the exporter knows no cluster " + cluster.Name)
	}
	return read, nil
}
