package bump

import (
	"context"
	"errors"
	"fmt"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// ErrNotDeployed says that the main branch has no commit which brought a version.
var ErrNotDeployed = errors.New("the main branch does not have it")

// DeployedBy returns the commit of the remote's main branch that brought a component on a cluster to the version that it has
// there now. Where the main branch pins another version, the error is ErrNotDeployed.
func (ws *Workspace) DeployedBy(ctx context.Context, component, cluster string, pin *v1alpha1.PinSpec) (string, error) {
	main, _, err := ws.Git.RemoteHead(ctx, ws.Remote)
	if err != nil {
		return "", err
	}
	planner := *ws.Planner
	if planner.Head, err = ws.Git.Fetch(ctx, ws.Remote, main); err != nil {
		return "", err
	}
	found, err := planner.record(ctx, component, cluster)
	if err != nil {
		return "", err
	}
	commit := ""
	for _, entry := range found.entries {
		if !sameVersion(entry.After, pin) {
			break
		}
		commit = entry.Commit
	}
	if commit == "" {
		return "", fmt.Errorf("%w: no commit on %s brought %s on %s to %s", ErrNotDeployed, main, component, cluster, Describe(pin))
	}
	return commit, nil
}
