package helmfile

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/strictyaml"
)

// construct says what becomes of a key of helmfile's.
type construct struct {
	status Status
	text   string // what it became, or why it has no meaning
	help   string
}

// The words that many constructs share.
const (
	fluxAlways   = "Flux has no such switch: it always gives a release all its values"
	onlySelects  = "it only selects releases on helmfile's command line"
	onlyHelmfile = "it changes how helmfile works, not what it deploys"
	overlay      = "patch the HelmRelease in clusters/<cluster>/kustomization.yaml: spec.postRenderers there, as people's own patch; then import with --accept "
)

// rootKeys are those of a helmfile.
var rootKeys = map[string]construct{
	"environments":             {Mapped, "each environment is a cluster", ""},
	"values":                   {Mapped, "read for the templates", ""},
	"releases":                 {Mapped, "", ""},
	"repositories":             {Mapped, "repositories in tfgitops.yaml", ""},
	"helmDefaults":             {Mapped, "", ""},
	"bases":                    {Mapped, "read", ""},
	"templates":                {Mapped, "releases that inherit one have its settings", ""},
	"defaultInherit":           {Mapped, "releases have the settings of these templates", ""},
	"helmfiles":                {Mapped, "each is a component", ""},
	"missingFileHandler":       {Mapped, "read", ""},
	"missingFileHandlerConfig": {Dropped, onlyHelmfile, ""},
	"namespace":                {Mapped, "the namespace of every release", ""},
	"commonLabels":             {Dropped, onlySelects, ""},
	"kubeVersion":              {Dropped, "the cluster's version is in cluster.yaml", ""},
	"apiVersions":              {Todo, "", "write what the cluster has beyond Kubernetes' own into apiVersions of cluster.yaml"},
	"hooks":                    {Todo, "Flux runs no commands around a deployment", "move what it does into the chart (a Helm hook), or into what merges or tests"},
	"kubeContext":              {Todo, "", "write it into context: of cluster.yaml"},
	"helmBinary":               {Dropped, onlyHelmfile, ""},
	"kustomizeBinary":          {Dropped, onlyHelmfile, ""},
	"lockFilePath":             {Dropped, "pins are exact", ""},
	"lockFile":                 {Dropped, "pins are exact", ""},
	"context":                  {Dropped, onlyHelmfile, ""},
	"charts":                   {Failed, "", "an old name of releases:"},
	"llm":                      {Dropped, onlyHelmfile, ""},
}

// environmentKeys are those of an environment.
var environmentKeys = map[string]construct{
	"values":                   {Mapped, "read for the templates", ""},
	"missingFileHandler":       {Mapped, "read", ""},
	"missingFileHandlerConfig": {Dropped, onlyHelmfile, ""},
	"kubeContext":              {Mapped, "context: of cluster.yaml", ""},
	"secrets":                  {Todo, "encrypted values are never read", "templates that use them fail: give what they need with --state-values-set, and what are secrets by a Secret"},
	"mergeStrategy":            {Failed, "", "only the order of files that version 0 knows is understood: order them so that later ones win"},
}

// repositoryKeys are those of a chart repository.
var repositoryKeys = map[string]construct{
	"name":            {Mapped, "", ""},
	"url":             {Mapped, "", ""},
	"oci":             {Mapped, "oci:// in its URL", ""},
	"plainHttp":       {Mapped, "insecure: true", ""},
	"username":        {Todo, "secretRef names the Secret for it", "create that Secret, with username and password"},
	"password":        {Todo, "secretRef names the Secret for it", "create that Secret, with username and password; if the password is in the helmfile in clear text, change it"},
	"caFile":          {Todo, "certSecretRef names the Secret for it", "create that Secret, with ca.crt"},
	"certFile":        {Todo, "certSecretRef names the Secret for it", "create that Secret, with tls.crt"},
	"keyFile":         {Todo, "certSecretRef names the Secret for it", "create that Secret, with tls.key"},
	"verify":          {Todo, "", "write verify: of the repository in tfgitops.yaml"},
	"keyring":         {Todo, "", "write verify: of the repository in tfgitops.yaml"},
	"passCredentials": {Todo, "Flux gives credentials to the repository's own host only", "serve the charts from the same host"},
	"skipTLSVerify":   {Todo, "Flux checks certificates", "give it the certificate's authority, with certSecretRef"},
	"registryConfig":  {Todo, "", "put the credentials into a Secret: secretRef in tfgitops.yaml"},
	"managed":         {Todo, "", "write provider: of the repository in tfgitops.yaml"},
}

// settingKeys are those that helmDefaults and releases share.
var settingKeys = map[string]construct{
	"timeout":                               {Mapped, "timeout", ""},
	"atomic":                                {Mapped, "remediation: rollback", ""},
	"rollbackOnFailure":                     {Mapped, "remediation: rollback", ""},
	"skipCRDs":                              {Mapped, "crds: Skip", ""},
	"createNamespace":                       {Mapped, "every namespace is rendered, and never pruned", ""},
	"wait":                                  {Dropped, "Flux always waits for what it deploys", ""},
	"waitForJobs":                           {Dropped, "Flux always waits for what it deploys", ""},
	"waitRetries":                           {Dropped, "Flux always waits for what it deploys", ""},
	"force":                                 {Dropped, "Flux never deletes to replace: an immutable field is an error to look at", ""},
	"recreatePods":                          {Dropped, "Helm itself dropped it", ""},
	"cleanupOnFail":                         {Dropped, "a failed upgrade is tried again, in place", ""},
	"historyMax":                            {Dropped, "Flux keeps five", ""},
	"devel":                                 {Dropped, "pins are exact", ""},
	"disableValidation":                     {Dropped, "it only concerns helm diff", ""},
	"disableValidationOnInstall":            {Dropped, "it only concerns helm diff", ""},
	"disableOpenAPIValidation":              {Todo, "Flux validates what it applies", "make the chart's objects valid"},
	"skipSchemaValidation":                  {Todo, "Flux checks values against the chart's schema", "make the values valid"},
	"verify":                                {Todo, "", "write verify: of the repository in tfgitops.yaml"},
	"keyring":                               {Todo, "", "write verify: of the repository in tfgitops.yaml"},
	"enableDNS":                             {Todo, "Flux's templates look nothing up", "write the addresses into the values"},
	"reuseValues":                           {Todo, fluxAlways, "look at what the live release has (helm get values), and write it into the values"},
	"takeOwnership":                         {Dropped, "Flux is told not to take objects over from others", ""},
	"forceConflicts":                        {Dropped, "it only concerns one way of applying", ""},
	"serverSide":                            {Dropped, "Flux goes on as the release was installed", ""},
	"insecureSkipTLSVerify":                 {Todo, "Flux checks certificates", "give it the certificate's authority, with certSecretRef"},
	"plainHttp":                             {Todo, "", "write insecure: true of the repository in tfgitops.yaml"},
	"postRenderer":                          {Failed, "it changes what is applied, and is not in this format", overlay},
	"postRendererArgs":                      {Failed, "it changes what is applied, and is not in this format", overlay},
	"kubeContext":                           {Todo, "", "a release goes to the cluster whose pin it has: check that this is the one"},
	"args":                                  {Todo, "arguments of helm", "look at each: most are settings of Flux's"},
	"syncArgs":                              {Todo, "arguments of helm", "look at each: most are settings of Flux's"},
	"diffArgs":                              {Dropped, "it only concerns helm diff", ""},
	"templateArgs":                          {Dropped, onlyHelmfile, ""},
	"skipDeps":                              {Dropped, "charts come from repositories, with their dependencies", ""},
	"skipRefresh":                           {Dropped, onlyHelmfile, ""},
	"cascade":                               {Dropped, "it only concerns deleting", ""},
	"deleteWait":                            {Dropped, "it only concerns deleting", ""},
	"deleteTimeout":                         {Dropped, "it only concerns deleting", ""},
	"suppressOutputLineRegex":               {Dropped, onlyHelmfile, ""},
	"suppressDiff":                          {Dropped, onlyHelmfile, ""},
	"syncReleaseLabels":                     {Dropped, onlySelects, ""},
	"disableAutoDetectedKubeVersionForDiff": {Dropped, "it only concerns helm diff", ""},
	"trackMode":                             {Dropped, onlyHelmfile, ""},
	"helmStuckGrace":                        {Dropped, onlyHelmfile, ""},
	"tillerless":                            {Dropped, "of Helm 2", ""},
	"tillerNamespace":                       {Dropped, "of Helm 2", ""},
	"tls":                                   {Dropped, "of Helm 2", ""},
}

// releaseKeys are those of a release, beside settingKeys.
var releaseKeys = map[string]construct{
	"name":                     {Mapped, "the release's name", ""},
	"namespace":                {Mapped, "where it is installed, and where Helm keeps its record", ""},
	"chart":                    {Mapped, "chart and repository", ""},
	"directory":                {Mapped, "chart and repository", ""},
	"version":                  {Mapped, "the pin", ""},
	"values":                   {Mapped, "values files", ""},
	"valuesTemplate":           {Mapped, "values files", ""},
	"set":                      {Mapped, "values files", ""},
	"setString":                {Mapped, "values files", ""},
	"setTemplate":              {Mapped, "values files", ""},
	"secrets":                  {Mapped, "a Secret", ""},
	"needs":                    {Mapped, "dependsOn", ""},
	"inherit":                  {Mapped, "the release has the template's settings", ""},
	"installed":                {Mapped, "a release that is not installed has no pin", ""},
	"installedTemplate":        {Mapped, "a release that is not installed has no pin", ""},
	"condition":                {Mapped, "a release whose condition does not hold has no pin", ""},
	"conditionTemplate":        {Mapped, "a release whose condition does not hold has no pin", ""},
	"missingFileHandler":       {Mapped, "read", ""},
	"missingFileHandlerConfig": {Dropped, onlyHelmfile, ""},
	"valuesPathPrefix":         {Mapped, "read", ""},
	"labels":                   {Dropped, onlySelects, ""},
	"description":              {Dropped, "it is only shown", ""},
	"kubeVersion":              {Dropped, "the cluster's version is in cluster.yaml", ""},
	"apiVersions":              {Todo, "", "write what the cluster has beyond Kubernetes' own into apiVersions of cluster.yaml"},
	"hooks":                    {Todo, "Flux runs no commands around a deployment", "move what it does into the chart (a Helm hook), or into what merges or tests"},
	"env":                      {Failed, "", "an old way of setting values from environment variables: write them into the values"},
	"waitTemplate":             {Dropped, "Flux always waits for what it deploys", ""},
	"verifyTemplate":           {Todo, "", "write verify: of the repository in tfgitops.yaml"},
	"updateStrategy":           {Dropped, "Flux never uninstalls to upgrade", ""},
	"unitTests":                {Dropped, "tests of the chart belong to it", ""},
	"adopt":                    {Dropped, "the objects are the release's by now", ""},
	"forceNamespace":           {Failed, "it changes what is applied, and is not in this format", overlay},
	"forceGoGetter":            {Dropped, onlyHelmfile, ""},
	"dependencies":             {Failed, "it adds charts to the chart, and is not in this format", "make it a release of its own, or a dependency in Chart.yaml"},
	"jsonPatches":              {Failed, "it changes what is applied, and is not in this format", overlay},
	"strategicMergePatches":    {Failed, "it changes what is applied, and is not in this format", overlay},
	"transformers":             {Failed, "it changes what is applied, and is not in this format", overlay},
	"rendered":                 {Dropped, onlyHelmfile, ""},
}

// nestedKeys are those of an entry of helmfiles.
var nestedKeys = map[string]construct{
	"path":               {Mapped, "a component", ""},
	"values":             {Mapped, "read for the templates", ""},
	"selectors":          {Todo, "it deploys a part of the nested helmfile only, which is not imported", "select by installed: or condition: there"},
	"selectorsInherited": {Dropped, onlySelects, ""},
	"inherits":           {Todo, "the nested helmfile is not imported", "write what it inherits into the nested helmfile, or into a base of both"},
}

// noteKeys reports each key of a mapping.
func (r *reader) noteKeys(known map[string]construct, prefix string, node *yaml.Node) {
	for i := 0; node != nil && i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		found, isKnown := known[key.Value]
		if !isKnown && (prefix == "releases[]." || prefix == "helmDefaults.") {
			found, isKnown = settingKeys[key.Value]
		}
		if !isKnown && strings.HasPrefix(key.Value, "x-") {
			found, isKnown = construct{Dropped, "a key of people's own", ""}, true
		}
		if !isKnown {
			found = construct{Todo, "not a key that helmfile is known to have" + strictyaml.Suggest(key.Value, keysOf(known)), "helmfile may have ignored it, too"}
		}
		if isOff(value) && found.status != Mapped {
			found = construct{Dropped, "it is off", ""}
		}
		r.noteConstruct(prefix+key.Value, key, found)
	}
}

func (r *reader) noteConstruct(name string, at *yaml.Node, c construct) {
	item := Item{Position: r.position(at), Construct: name, Status: c.status, Text: c.text, Help: c.help}
	if c.help == overlay {
		item.Help += name
	}
	if item.Status == Failed && slices.Contains(r.options.Accept, name) {
		item.Status = Todo
	}
	r.notes.add(item)
}

func keysOf(known map[string]construct) []string {
	var names []string
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// isOff reports whether a setting is written and says nothing.
func isOff(n *yaml.Node) bool {
	return isEmptyNode(n) || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && (n.Value == "false" || n.Value == "no")
}

// noteState reports each key of a helmfile outside of its releases.
func (r *reader) noteState(s state) {
	r.noteKeys(rootKeys, "", s.node)
	r.noteKeys(map[string]construct{}, "helmDefaults.", child(s.node, "helmDefaults"))
	environments := child(s.node, "environments")
	for i := 0; environments != nil && i+1 < len(environments.Content); i += 2 {
		r.noteKeys(environmentKeys, "environments.", environments.Content[i+1])
	}
	for _, repository := range contentOf(child(s.node, "repositories")) {
		r.noteKeys(repositoryKeys, "repositories[].", repository)
	}
	for _, nested := range contentOf(child(s.node, "helmfiles")) {
		if nested.Kind == yaml.MappingNode {
			r.noteKeys(nestedKeys, "helmfiles[].", nested)
		}
	}
}
