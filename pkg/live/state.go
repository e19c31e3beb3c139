package live

import (
	"fmt"
	"slices"
	"strings"
)

// State is what there is to say of a component on a cluster, in one word.
type State string

// The states.
const (
	ArtifactMissing State = "artifact-missing"
	Failed          State = "failed"
	Drifting        State = "drifted"
	Unmanaged       State = "unmanaged"
	Suspended       State = "suspended"
	Unknown         State = "unknown"
	Stale           State = "stale"
	Pending         State = "pending"
	MRBuild         State = "mr-build"
	OK              State = "ok"
)

// StateInfo says what a state means.
type StateInfo struct {
	State State
	// Means is for the legend and the reference page.
	Means string
	// Glyph stands beside the word, so that colour is never the only sign.
	Glyph string
	// Runbook is the alert whose page says what to do; empty where there is nothing to do.
	Runbook string
}

// states are all of them, worst first.
var states = []StateInfo{
	{ArtifactMissing, "what is pinned is not in the registry: a node that must fetch it cannot", "∅", "TfgitopsPinnedArtifactMissing"},
	{Failed, "Flux could not install or upgrade it", "✖", "TfgitopsReleaseFailed"},
	{Drifting, "the cluster runs something other than the pin, or its objects were changed", "≠", "TfgitopsPinNotDeployed"},
	{Unmanaged, "the cluster runs it, and no pin says so", "?!", "TfgitopsResourceDrift"},
	{Suspended, "Flux was told to leave it alone", "‖", "TfgitopsSuspendedTooLong"},
	{Unknown, "nobody could say", "?", "TfgitopsBlind"},
	{Stale, "a merged change has waited for too long to be pinned", "△", "TfgitopsPinStale"},
	{Pending, "the pin is new, and Flux is at work", "…", ""},
	{MRBuild, "it runs the build of an unmerged change", "±", ""},
	{OK, "the cluster runs what is pinned", "✔", ""},
}

// States returns every state, worst first.
func States() []StateInfo { return slices.Clone(states) }

// rank is a state's place in States: the lower, the worse.
func (s State) rank() int {
	return slices.IndexFunc(states, func(info StateInfo) bool { return info.State == s })
}

// worse returns the worse of two states.
func worse(a, b State) State {
	if b.rank() < a.rank() {
		return b
	}
	return a
}

// ParseStates reads the names of states.
func ParseStates(names []string) ([]State, error) {
	var found []State
	for _, name := range names {
		if State(name).rank() < 0 {
			return nil, fmt.Errorf("there is no state %q: there are %s", name, strings.Join(stateNames(), ", "))
		}
		found = append(found, State(name))
	}
	return found, nil
}

func stateNames() []string {
	var names []string
	for _, info := range states {
		names = append(names, string(info.State))
	}
	return names
}
