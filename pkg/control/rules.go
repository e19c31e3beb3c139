package control

// Rule describes one rule for the reference page and for people who silence it.
type Rule struct {
	// ID is stable.
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	// Finds says what the rule finds.
	Finds string `json:"finds"`
	// Because says what would happen otherwise.
	Because string `json:"because"`
}

// The ids of this package's rules.
const (
	RuleInvalidFile         = "invalid-file"
	RuleUnreadable          = "unreadable-file"
	RuleInvalidName         = "invalid-name"
	RuleUnknownRepository   = "unknown-repository"
	RuleInvalidRepository   = "invalid-repository"
	RuleUnknownComponent    = "unknown-component"
	RuleUnknownCluster      = "unknown-cluster"
	RuleUnknownRelease      = "unknown-release"
	RuleStages              = "stages"
	RuleInvalidComponent    = "invalid-component"
	RulePinWithoutComponent = "pin-without-component"
	RulePinRelease          = "pin-release"
	RulePinManifests        = "pin-manifests"
	RuleManifestsChanged    = "manifests-changed"
	RuleDependencyCycle     = "dependency-cycle"
	RuleDependencyAbsent    = "dependency-absent"
	RuleDuplicateRelease    = "duplicate-release"
	RuleInvalidVersion      = "invalid-version"
	RuleInvalidCommit       = "invalid-commit"
	RuleMissingDigest       = "missing-digest"
	RuleMissingNamespace    = "missing-namespace"
	RuleStrayFile           = "stray-file"
	RuleOutsideRepo         = "outside-repo"
	RuleChartLabel          = "chart-label"
	RuleInlineTarget        = "inline-target"
	RuleNumberLikeCommit    = "number-like-commit"
	RuleKubeVersion         = "kube-version"
	RuleFreezeWindow        = "freeze-window"
)

// Rules returns this package's rules, in the order of their ids above.
func Rules() []Rule {
	return []Rule{
		{RuleInvalidFile, Error, "a file that is not of its kind's form: unknown or duplicate keys, wrong types, unquoted numbers in string fields, two documents", "a slip would be read as something else, or not at all"},
		{RuleUnreadable, Error, "a file that is missing, too large, or cannot be read", "nothing can be said of what is not read"},
		{RuleInvalidName, Error, "a name that is no DNS label, or a release name of more than 53 characters", "Kubernetes or Helm would refuse it"},
		{RuleUnknownRepository, Error, "a chart repository that tfgitops.yaml does not have", "the release could not be rendered"},
		{RuleInvalidRepository, Error, "a repository without a usable URL or versionPattern, or with settings that its kind does not have", "Flux would refuse it, or ignore the setting"},
		{RuleUnknownComponent, Error, "a dependency on a component that there is not", "Flux would wait for it forever"},
		{RuleUnknownCluster, Error, "a stage with a cluster that there is not", "promotion would skip it in silence"},
		{RuleUnknownRelease, Error, "a dependency on, or an override for, a release that there is not", "the override would change nothing"},
		{RuleStages, Error, "a cluster in two stages, two stages of one name, or a cluster in no stage (a warning)", "promotion could not tell where a version comes from"},
		{RuleInvalidComponent, Error, "a component that is not exactly one of releases, plain manifests and external", "it could not be deployed"},
		{RulePinWithoutComponent, Error, "a pin for a component that there is not", "nothing says what it pins"},
		{RulePinRelease, Error, "a pin that names a release that the component lacks, or lacks one that it has", "Flux would uninstall what is not pinned"},
		{RulePinManifests, Error, "a pin of plain manifests that are not in the repo, or of the other kind", "there would be nothing to deploy"},
		{RuleManifestsChanged, Error, "manifests whose content is not what the pin's digest says", "a cluster would change without its pin"},
		{RuleDependencyCycle, Error, "components or releases that depend on each other in a circle", "Flux would never deploy any of them"},
		{RuleDependencyAbsent, Error, "a dependency that is not pinned on a cluster where the dependent is", "Flux would wait for it forever"},
		{RuleDuplicateRelease, Error, "a release name that stands twice in the control repo", "HelmReleases live in one namespace: one would overwrite the other"},
		{RuleInvalidVersion, Error, "a version that is a range, no semantic version, or in an OCI registry v-prefixed", "the chart would change by surprise, or not be found"},
		{RuleInvalidCommit, Error, "a commit that is not hexadecimal, or that the version contradicts", "people would be told that something else runs"},
		{RuleMissingDigest, Error, "a release that is pinned by digest and has none", "it could not be rendered"},
		{RuleMissingNamespace, Error, "a release without a namespace", "it would land in Flux's own"},
		{RuleStrayFile, Error, "a file in a folder for pins or values that belongs to nothing", "what it says would have no effect"},
		{RuleOutsideRepo, Error, "a symbolic link among the files of components and clusters", "Flux does not follow links, and one may lead out of the repo"},
		{RuleChartLabel, Error, "a chart name and version of more than 63 characters together", "Kubernetes refuses longer labels"},
		{RuleInlineTarget, Error, "a value written where valuesFrom has a targetPath", "the written value would win over the Secret's, in silence"},
		{RuleNumberLikeCommit, Error, "an unquoted value that looks like a commit id and that Helm reads as a number", "Helm would deploy another tag"},
		{RuleKubeVersion, Error, "a release that does not run on the cluster's Kubernetes version, or a version that is none", "Helm would refuse it at night"},
		{RuleFreezeWindow, Error, "a freeze that ends before it starts", "it would freeze nothing"},
	}
}
