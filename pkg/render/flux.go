package render

import (
	"fmt"
	"strconv"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// The ids of this package's rules.
const (
	RuleFluxVersion = "flux-version"
	RuleFluxField   = "flux-field"
)

// oldestFlux is the oldest Flux minor version that has what every release needs: install and upgrade strategies.
const oldestFlux = 7

// fluxMinor returns the minor version of a cluster's Flux 2.
func fluxMinor(cluster *control.Cluster) (int, error) {
	minor, isTwo := strings.CutPrefix(cluster.FluxVersion, "2.")
	n, err := strconv.Atoi(minor)
	if !isTwo || err != nil {
		return 0, fmt.Errorf("%q is no Flux version: write major and minor, such as \"2.9\"", cluster.FluxVersion)
	}
	if n < oldestFlux {
		return 0, fmt.Errorf("fluxVersion %s is older than 2.%d, the oldest whose retries do not uninstall", cluster.FluxVersion, oldestFlux)
	}
	return n, nil
}

// Fields that came with a Flux minor version. A default of ours is left out where the cluster lacks the field; what a
// person set is an error there. Sources: the release notes of Flux 2.8 and 2.9.
const (
	sinceChartNameChangeStrategy = 9
	sinceValuesFromLiteral       = 9
	sinceTrustedRoot             = 9
)

// Rules returns this package's rules.
func Rules() []control.Rule {
	return []control.Rule{
		{ID: RuleFluxVersion, Severity: control.Error, Finds: "a cluster whose Flux is older than 2.7", Because: "it lacks retries, and would uninstall what fails"},
		{ID: RuleFluxField, Severity: control.Error, Finds: "a setting that the cluster's Flux does not know yet", Because: "it would be dropped in silence"},
	}
}
