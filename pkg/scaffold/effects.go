package scaffold

import (
	"fmt"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// effects say what Flux does once the removal is merged.
func (r *remover) effects() []string {
	var effects []string
	for _, cluster := range r.clusters {
		effects = append(effects, r.effectsOn(cluster)...)
	}
	return effects
}

func (r *remover) effectsOn(cluster string) []string {
	deployment, _ := r.repo.Deployment(cluster, r.options.Component)
	switch {
	case deployment == nil:
		return []string{fmt.Sprintf("on %s Flux will uninstall: %s", cluster, or(strings.Join(r.releases(cluster), ", "), "what the pin named"))}
	case deployment.ManifestsDir != "":
		return []string{fmt.Sprintf("on %s Flux will delete the objects of %s, except CRDs and what disables pruning", cluster, deployment.ManifestsDir)}
	case r.protected():
		return []string{fmt.Sprintf("on %s Flux will leave the protected HelmReleases as they are; to uninstall them: kubectl --namespace %s delete helmrelease %s",
			cluster, deployment.Cluster.FluxNamespaceName(), strings.Join(r.releases(cluster), " "))}
	}
	var effects []string
	for _, release := range deployment.Releases {
		effects = append(effects, releaseEffect(cluster, release))
	}
	return effects
}

// releaseEffect says what helm-controller does when the HelmRelease goes: it uninstalls, unless it is suspended.
func releaseEffect(cluster string, release control.Release) string {
	if release.Suspend != nil && *release.Suspend {
		return fmt.Sprintf("on %s Flux will forget the suspended release %s and leave it in namespace %s", cluster, release.Name, release.Namespace)
	}
	return fmt.Sprintf("on %s Flux will uninstall the release %s %s from namespace %s; the namespace stays", cluster, release.Name, release.Version, release.Namespace)
}

// message is a commit message whose trailers tell an intended removal from an accident.
func (r *remover) message() string {
	subject, trailers := r.options.Component+": remove", []string{"Tfgitops-Op: remove", "Tfgitops-Component: " + r.options.Component}
	if !r.options.AllClusters {
		subject += " from " + strings.Join(r.clusters, ", ")
	}
	for _, cluster := range r.clusters {
		trailers = append(trailers, "Tfgitops-Cluster: "+cluster)
	}
	if r.protected() {
		trailers = append(trailers, fmt.Sprintf("Tfgitops-Override: %s (%s)", RuleProtect, strings.Join(strings.Fields(r.options.Reason), " ")))
	}
	return subject + "\n\n" + strings.Join(trailers, "\n") + "\n"
}
