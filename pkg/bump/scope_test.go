package bump

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// stages adds a third stage, and a cluster that is in none.
func stages(w *world) {
	w.files["tfgitops.yaml"] = object("ControlRepo", "example", strings.Replace(rootSpec, "  - {name: production, clusters: [prod]}",
		"  - {name: staging, clusters: [stage1, stage2]}\n  - {name: production, clusters: [prod]}", 1))
	for _, name := range []string{"stage1", "stage2", "alone"} {
		w.files["clusters/"+name+"/cluster.yaml"] = object("Cluster", name, betaSpec)
		w.pinTo(name, 1)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		scope Scope
		want  string // the clusters, or a part of the error
	}{
		{"the first stage with its followers", Scope{}, "beta local"},
		{"clusters, in the order of the stages", Scope{Clusters: []string{"alone", "prod", "beta", "prod"}}, "beta prod alone"},
		{"a stage", Scope{Stage: "staging"}, "stage1 stage2"},
		{"through a stage", Scope{Through: "staging"}, "beta local stage1 stage2"},
		{"all", Scope{All: true}, "beta local stage1 stage2 prod alone"},
		{"no such cluster", Scope{Clusters: []string{"nowhere"}}, `there is no cluster "nowhere": there are [alone beta`},
		{"no such stage", Scope{Stage: "nowhere"}, `there is no stage "nowhere": there are [test staging production]`},
		{"no such stage to go through", Scope{Through: "nowhere"}, `there is no stage "nowhere"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			stages(w)
			plan, err := w.plan(Request{Op: OpBump, Revision: commitID(2), Scope: c.scope})
			switch {
			case err != nil && (!errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), c.want)):
				t.Error(err)
			case err == nil && strings.Join(plan.Clusters(), " ") != c.want:
				t.Errorf("got %v, want %s", plan.Clusters(), c.want)
			}
		})
	}
}

func TestScopesOfBrokenRepos(t *testing.T) {
	t.Parallel()
	noClusters := newWorld(t)
	noClusters.files = map[string]string{
		"tfgitops.yaml":                 object("ControlRepo", "example", "stages: []"),
		"components/app/component.yaml": object("Component", "app", appSpec+"\n  - {name: extra, repository: charts}"),
	}
	stranger := newWorld(t)
	stranger.replace("tfgitops.yaml", "clusters: [beta]", "clusters: [beta, gone]")
	for _, request := range []Request{
		{Op: OpBump, Revision: "latest"},
		{Op: OpBump, Revision: "latest", Install: true},
		{Op: OpBump, Revision: "latest", Install: true, Scope: Scope{All: true}},
		{Op: OpPromote},
		{Op: OpPromote, Install: true},
		{Op: OpHold, Hold: v1alpha1.Hold{Reason: "x"}},
		{Op: OpRollback},
		{Op: OpUnhold},
		{Op: "nosuch"},
		{Op: OpBump, Revision: "latest", Component: "nosuch"},
	} {
		if _, err := noClusters.plan(request); err == nil {
			t.Errorf("no clusters: %+v is planned", request)
		}
	}
	if _, err := stranger.plan(Request{Op: OpBump, Revision: commitID(2)}); err == nil || !strings.Contains(err.Error(), `tfgitops.yaml names a cluster "gone"`) {
		t.Errorf("a stage with a cluster that is not there: %v", err)
	}
	plan, err := stranger.plan(Request{Op: OpPromote})
	if refused := refusedBy(plan, err); !slices.Contains(refused, "stage-order") {
		t.Errorf("promote: %v, %v", refused, err)
	}
	if _, err := stranger.plan(Request{Op: OpBump, Revision: commitID(2), Scope: Scope{Clusters: []string{"beta"}}}); err != nil {
		t.Errorf("it is in the way of another cluster: %v", err)
	}
}

func TestWhereAComponentIsNotInstalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	delete(w.files, "clusters/local/pins/app.yaml")
	plan, err := w.plan(Request{Op: OpBump, Revision: commitID(2)})
	if err != nil || !cmp.Equal(plan.Clusters(), []string{"beta"}) || !slices.Contains(plan.Said, "not installed on local: left alone") {
		t.Errorf("%v, %+v", err, plan)
	}
	_, err = w.plan(Request{Op: OpBump, Revision: commitID(2), Scope: Scope{Clusters: []string{"local"}}})
	if !errors.Is(err, ErrInapplicable) || !strings.Contains(err.Error(), "--install") {
		t.Error(err)
	}
	delete(w.files, "clusters/beta/pins/app.yaml")
	if _, err = w.plan(Request{Op: OpBump, Revision: commitID(2)}); !errors.Is(err, ErrInapplicable) {
		t.Error(err)
	}
	if _, err = w.plan(Request{Op: OpPromote}); !errors.Is(err, ErrInapplicable) {
		t.Error(err)
	}
	for _, op := range []Op{OpRollback, OpHold, OpUnhold} {
		_, err = w.plan(Request{Op: op, Scope: Scope{Clusters: []string{"local"}}, Hold: v1alpha1.Hold{Reason: "x"}})
		if !errors.Is(err, ErrUsage) {
			t.Errorf("%s: %v", op, err)
		}
	}
	for _, cluster := range []string{"prod"} {
		delete(w.files, "clusters/"+cluster+"/pins/app.yaml")
	}
	if _, err = w.plan(Request{Op: OpHold, Hold: v1alpha1.Hold{Reason: "x"}}); err == nil || !strings.Contains(err.Error(), "installed on no cluster") {
		t.Error(err)
	}
}

// --install renders the whole cluster: the component is new in its kustomization, and so may its namespace and repository be.
func TestInstallRendersTheWholeCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	delete(w.files, "clusters/beta/pins/app.yaml")
	w.start()
	plan := w.do(Request{Op: OpBump, Revision: commitID(2), Install: true, Scope: Scope{Clusters: []string{"beta"}}})
	if got := plan.Subject(); got != "app: install "+buildVersion(2)+" on beta" {
		t.Error(got)
	}
	for file, want := range map[string]string{
		"kustomization.yaml": "app.yaml", "_namespaces.yaml": "name: app", "_repositories.yaml": "beta.example", "app.yaml": buildVersion(2),
	} {
		if !strings.Contains(w.files["clusters/beta/manifests/"+file], want) {
			t.Errorf("%s does not contain %q:\n%s", file, want, w.files["clusters/beta/manifests/"+file])
		}
	}
	if _, there := w.files["clusters/prod/manifests/app.yaml"]; there {
		t.Error("another cluster was rendered")
	}
	if message := plan.Message(); !strings.Contains(message, "beta:\n  From: not installed\n  To:   "+buildVersion(2)) {
		t.Error(message)
	}
	mixed := newWorld(t)
	delete(mixed.files, "clusters/beta/pins/app.yaml")
	plan = mixed.do(Request{Op: OpBump, Revision: commitID(2), Install: true})
	if got := plan.Subject(); got != "app: bump to "+buildVersion(2) {
		t.Errorf("installed on beta, bumped on local: %s", got)
	}
}

// A component with several releases is installed whole: Flux would not have the others otherwise.
func TestInstallPinsTheOtherReleases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		setup func(*world)
		want  string
		says  string
	}{
		{"as another cluster", func(*world) {}, "3.0.0", "release extra was not pinned on beta: pinned to 3.0.0, as on local"},
		{"the latest", func(w *world) {
			delete(w.files, "clusters/local/pins/app.yaml")
			delete(w.files, "clusters/prod/pins/app.yaml")
		}, "3.13.1", "the latest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			secondRelease(w, "3.0.0", "3.13.1")
			c.setup(w)
			delete(w.files, "clusters/beta/pins/app.yaml")
			plan := w.do(Request{Op: OpBump, Revision: commitID(2), Install: true, Scope: Scope{Clusters: []string{"beta"}}})
			pin := w.pin("beta", "app")
			if pin.Releases["app"].Version != buildVersion(2) || pin.Releases["extra"].Version != c.want || pin.Releases["extra"].Digest == "" || pin.Commit != commitID(2) {
				t.Errorf("%+v", pin)
			}
			if !strings.Contains(strings.Join(plan.Said, "\n"), c.says) {
				t.Errorf("%q is not said: %q", c.says, plan.Said)
			}
		})
	}
}

// Whoever names no release is told which one was asked for, and the others.
func TestMissingRevisionNamesTheOtherReleases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secondRelease(w, "3.0.0")
	_, err := w.plan(Request{Op: OpBump, Revision: "3.0.0"})
	if want := `release "app" was asked for, which follows the component's source: for another write app/RELEASE with one of extra`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q in it", err, want)
	}
	if _, err := w.plan(Request{Op: OpBump, Release: "app", Revision: "3.0.0"}); err == nil || strings.Contains(err.Error(), "for another") {
		t.Errorf("a release that was named: %v", err)
	}
}

func TestInstallingTheOtherReleaseFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secondRelease(w, "3.0.0")
	delete(w.files, "clusters/beta/pins/app.yaml")
	w.do(Request{Op: OpBump, Release: "extra", Revision: "3.0.0", Install: true, Scope: Scope{Clusters: []string{"beta"}}})
	if pin := w.pin("beta", "app"); pin.Commit != commitID(1) || pin.Releases["app"].Version != buildVersion(1) {
		t.Errorf("%+v", pin)
	}
}

func TestChooseRelease(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, releases, release string
		want                    string // the release, or a part of the error
	}{
		{"the only one", "- {name: other, repository: charts}", "", "other"},
		{"named", "- {name: app, repository: apps}\n- {name: extra, repository: charts}", "extra", "extra"},
		{"the one that follows the source", "- {name: extra, repository: charts}\n- {name: app, repository: apps}", "", "app"},
		{"the one with a template", "- {name: extra, repository: charts}\n- {name: app, repository: charts, versionTemplate: \"0.0.0-{commit}\"}", "", "app"},
		{"two follow", "- {name: app, repository: apps}\n- {name: web, repository: apps}", "", "write app/RELEASE with one of app, web"},
		{"none follows", "- {name: a, repository: charts}\n- {name: b, repository: charts}", "", "write app/RELEASE with one of a, b"},
		{"none of that name", "- {name: app, repository: apps}", "web", `component "app" has no release "web": it has app`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.files["components/app/component.yaml"] = object("Component", "app", "source: {url: \"https://gitlab.example/group/app\"}\nnamespace: app\nreleases:\n"+c.releases)
			repo, findings := control.Load(t.Context(), w.fs(), control.Only{Components: []string{"app"}})
			if err := findings.Err(); err != nil {
				t.Fatal(err)
			}
			p := &planning{Planner: w.planner, repo: repo, component: repo.Components["app"], plan: &Plan{Request: Request{Release: c.release}}}
			got, err := p.chooseRelease([]string{"beta"})
			if err != nil && (!errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), c.want)) || err == nil && got.Name != c.want {
				t.Errorf("%q, %v", got.Name, err)
			}
		})
	}
}

// A template needs no listing: the registry is asked for that very version only.
func TestVersionTemplate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replace("components/app/component.yaml", "repository: apps", `repository: apps, versionTemplate: "1.0.0-g{commit:12}"`)
	version := "1.0.0-g" + commitID(2)[:12]
	w.registries.add("oci://beta.example/apps", "app", version, commitID(2))
	w.do(Request{Op: OpBump, Revision: commitID(2)[:7]})
	if got := w.pin("beta", "app"); got.Releases["app"].Version != version || got.Commit != commitID(2) {
		t.Errorf("%+v", got)
	}
	if slices.Contains(w.registries.calls, "resolve") {
		t.Error("the registry was asked for a listing")
	}
	w.sourceErr = errors.New("gone")
	_, err := w.plan(Request{Op: OpBump, Revision: commitID(3)[:7]})
	if err == nil || !strings.Contains(err.Error(), `{commit:12}: "`+commitID(3)[:7]+`" has 7 characters`) {
		t.Errorf("too few digits, and nobody who knows the rest: %v", err)
	}
}

func TestExpandTemplate(t *testing.T) {
	t.Parallel()
	values := map[string]string{"commit": "0123456789", "version": "1.2.3"}
	for template, want := range map[string]string{
		"": "", "plain": "plain", "{commit}": "0123456789", "a{commit:4}b{version}c": "a0123b1.2.3c", "}": "}",
	} {
		if got, err := expandTemplate(template, values); got != want || err != nil {
			t.Errorf("%q: %q, %v", template, got, err)
		}
	}
	for _, template := range []string{"{", "{commit", "{nosuch}", "{commit:}", "{commit:0}", "{commit:-1}", "{commit:11}", "{commit:4x}", "{}", "{commit:4:4}"} {
		if got, err := expandTemplate(template, values); err == nil {
			t.Errorf("%q gives %q", template, got)
		}
	}
}

func TestLatest(t *testing.T) {
	t.Parallel()
	t.Run("of builds: the newest time, whatever the counter", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		newest := "0.0.1-20261231000000-" + commitID(9)[:8]
		w.registries.add("oci://beta.example/apps", "app", newest, commitID(9))
		w.registries.add("oci://beta.example/apps", "app", "0.0.99-dev-mr-34", "")
		w.do(Request{Op: OpBump, Revision: "latest", Scope: Scope{Clusters: []string{"beta"}}})
		if got := w.version("beta"); got != newest {
			t.Errorf("got %s", got)
		}
	})
	t.Run("of charts: the highest stable one", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		chartOnly(w, "v1.9.0", "v1.20.3")
		w.registries.add(chartsURL, "app", "v1.21.0-rc.1", "")
		w.do(Request{Op: OpBump, Revision: "latest"})
		if got := w.version("beta"); got != "v1.20.3" {
			t.Errorf("got %s", got)
		}
	})
}

// An index.yaml need not say digests.
func TestHTTPRepositoryWithoutDigests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	chartOnly(w, "1.0.0", "1.1.0")
	w.planner.Registries = noDigests{w.registries}
	plan := w.do(Request{Op: OpBump, Revision: "1.1.0"})
	if got := w.pin("beta", "app").Releases["app"]; got.Version != "1.1.0" || got.Digest != "" {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(strings.Join(plan.Said, "\n"), "https://charts.example does not say the digest of app 1.1.0") {
		t.Errorf("%q", plan.Said)
	}
}

// Builds of merge requests go where people deploy by hand, and to followers.
func TestUnmergedBuilds(t *testing.T) {
	t.Parallel()
	const unmerged = "0.0.82-dev-mr-34"
	for _, c := range []struct {
		name  string
		setup func(*world)
		scope Scope
		want  error
	}{
		{"a follower", func(w *world) { w.replace("clusters/local/cluster.yaml", "allowApply: true", "allowApply: false") }, Scope{Clusters: []string{"local"}}, nil},
		{"a follower with allowApply", func(*world) {}, Scope{Clusters: []string{"local"}}, nil},
		{"a gating cluster", func(*world) {}, Scope{Clusters: []string{"beta"}}, artifact.ErrUnmerged},
		{"a gating cluster with allowApply", func(w *world) { w.files["clusters/beta/cluster.yaml"] += "  allowApply: true\n" }, Scope{Clusters: []string{"beta"}}, nil},
		{"both", func(*world) {}, Scope{}, artifact.ErrUnmerged},
		{"in no stage", stages, Scope{Clusters: []string{"alone"}}, artifact.ErrUnmerged},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.setup(w)
			w.registries.add("oci://beta.example/apps", "app", unmerged, "")
			plan, err := w.plan(Request{Op: OpBump, Revision: unmerged, Scope: c.scope})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err == nil && plan.Changed()[0].To() != unmerged {
				t.Error(plan.Changed())
			}
		})
	}
}

// The same version with another digest is a change.
func TestRebuiltUnderTheSameVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	w.registries.digests["oci://beta.example/apps/app:"+buildVersion(1)] = sha256Of("rebuilt")
	plan := w.do(Request{Op: OpBump, Revision: buildVersion(1), Scope: Scope{Clusters: []string{"beta"}}})
	if !cmp.Equal(plan.Clusters(), []string{"beta"}) || w.pin("beta", "app").Releases["app"].Digest != sha256Of("rebuilt") {
		t.Errorf("%+v", plan.Changes)
	}
	if !strings.Contains(plan.Message(), "beta: still "+buildVersion(1)) {
		t.Error(plan.Message())
	}
}

func TestAlreadyThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	for _, revision := range []string{commitID(1), commitID(1)[:4], buildVersion(1), "image-" + buildVersion(1)} {
		plan, err := w.plan(Request{Op: OpBump, Revision: revision})
		if err != nil || len(plan.Changed()) > 0 || plan.Changes[0].Unchanged != "already pinned to "+buildVersion(1) {
			t.Errorf("%s: %v, %+v", revision, err, plan)
		}
	}
}

func withImages(w *world) {
	w.files["components/app/component.yaml"] = object("Component", "app", appSpec[:len(appSpec)-1]+`, images: [{name: app/web, tag: "image-{version}"}, {name: docker.io/library/redis, tag: "7"}]}`)
}

func TestImagesArePinnedByDigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	withImages(w)
	w.start()
	w.do(Request{Op: OpBump, Revision: commitID(2)})
	tag := "image-" + buildVersion(2)
	want := []v1alpha1.PinnedImage{
		{Name: "beta.example/app/web", Tag: tag, Digest: sha256Of("beta.example/app/web:" + tag)},
		{Name: "docker.io/library/redis", Tag: "7", Digest: sha256Of("docker.io/library/redis:7")},
	}
	if diff := cmp.Diff(want, w.pin("beta", "app").Images); diff != "" {
		t.Error(diff)
	}
	// The template changes after the bump: promotion copies the tag that was tested, under the name that it has there.
	w.replace("components/app/component.yaml", "image-{version}", "other-{version}")
	w.do(Request{Op: OpPromote})
	want[0] = v1alpha1.PinnedImage{Name: "prod.example/app/web", Tag: tag, Digest: sha256Of("prod.example/app/web:" + tag)}
	if diff := cmp.Diff(want, w.pin("prod", "app").Images); diff != "" {
		t.Errorf("promoted:\n%s", diff)
	}
	// An image that is declared no longer is pinned no longer.
	w.replace("components/app/component.yaml", `, {name: docker.io/library/redis, tag: "7"}`, "")
	w.bump(3, "beta")
	if images := w.pin("beta", "app").Images; len(images) != 1 || images[0].Tag != "other-"+buildVersion(3) {
		t.Errorf("%+v", images)
	}
}

// What the registry would not say must not stop a fix, nor deploy the wrong image.
func TestImagesWithTheirRegistryDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	withImages(w)
	w.start()
	w.bump(2, "beta")
	w.registries.errs["beta.example"] = unreachable("beta.example")
	w.registries.errs["oci://beta.example/apps"] = unreachable("beta.example")
	plan := w.do(Request{Op: OpBump, Revision: buildVersion(3), Scope: Scope{Clusters: []string{"beta"}}, Overrides: map[string]string{RuleUnverified: "all is down"}})
	pin := w.pin("beta", "app")
	if len(pin.Images) != 1 || pin.Images[0].Name != "docker.io/library/redis" || pin.Releases["app"].Digest != "" {
		t.Errorf("%+v", pin)
	}
	if !strings.Contains(plan.Refusals[0].Message, "(left to the chart)") {
		t.Error(plan.Refusals)
	}
	missing := newWorld(t)
	withImages(missing)
	missing.registries.anyImage = false
	if _, err := missing.plan(Request{Op: OpBump, Revision: commitID(2)}); !errors.Is(err, artifact.ErrMissing) {
		t.Errorf("an image that is not there: %v", err)
	}
}

// Every image that the chart renders is looked up in the cluster's registry, for the declared platforms.
func TestRenderedImagesAreLookedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment()
	w.registries.anyImage = false
	_, err := w.plan(Request{Op: OpBump, Revision: commitID(2)})
	if !errors.Is(err, artifact.ErrMissing) || !strings.Contains(err.Error(), "img.example/app:1") {
		t.Error(err)
	}
	w.registries.images["img.example/app:1"] = sha256Of("img")
	if _, err = w.plan(Request{Op: OpBump, Revision: commitID(2)}); err != nil {
		t.Error(err)
	}
	// The same version with other values is rendered again.
	w.bump(2, "beta")
	w.registries.files["app"]["templates/pod.yaml"] = strings.Replace(w.registries.files["app"]["templates/pod.yaml"], "img.example/app:1", `{{ .Values.image | default "img.example/app:1" }}`, 1)
	_, err = w.plan(Request{Op: OpBump, Revision: commitID(2), Scope: Scope{Clusters: []string{"beta"}}, Values: control.Values{"image": "img.example/app:2"}})
	if !errors.Is(err, artifact.ErrMissing) || !strings.Contains(err.Error(), "img.example/app:2") {
		t.Errorf("other values: %v", err)
	}
}

// A chart that states another commit than its version does is refused; one of another source may state what it likes.
func TestStatedCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registries.revision["oci://beta.example/apps/app:"+buildVersion(2)] = commitID(7)
	if _, err := w.plan(Request{Op: OpBump, Revision: commitID(2)}); !errors.Is(err, artifact.ErrMismatch) {
		t.Error(err)
	}
	// With the source gone, the chart tells the rest of the digits.
	w.sourceErr = errors.New("gone")
	plan, err := w.plan(Request{Op: OpBump, Revision: buildVersion(3)})
	if err != nil || plan.Changes[0].New.Commit != commitID(3) {
		t.Errorf("%v, %+v", err, plan)
	}
	w = newWorld(t)
	secondRelease(w, "3.0.0", "3.13.1")
	w.do(Request{Op: OpBump, Release: "extra", Revision: "3.13.1"})
	if got := w.pin("beta", "app"); got.Releases["extra"].Version != "3.13.1" || got.Commit != commitID(1) {
		t.Errorf("%+v", got)
	}
}

func manifests(w *world) {
	w.files["components/gateway/component.yaml"] = object("Component", "gateway", "namespace: gateway")
	for _, version := range []string{"1.9.0", "1.10.0", "1.10.0-rc.1"} {
		dir := "components/gateway/manifests/" + version + "/"
		w.files[dir+"kustomization.yaml"] = "resources: [config.yaml]\n"
		w.files[dir+"config.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gateway, namespace: default}\ndata: {version: \"" + version + "\"}\n"
	}
	for _, cluster := range []string{"beta", "prod"} {
		digest, err := control.ManifestsDigest(w.fs(), control.ManifestsDir("gateway", "1.9.0"))
		if err != nil {
			w.t.Fatal(err)
		}
		w.setPin(cluster, "gateway", &v1alpha1.PinSpec{Manifests: &v1alpha1.PinnedManifests{Version: "1.9.0", Digest: digest}})
	}
}

func TestPlainManifests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	manifests(w)
	w.start()
	plan := w.do(Request{Op: OpBump, Component: "gateway", Revision: "latest"})
	if got := w.pin("beta", "gateway").Manifests.Version; got != "1.10.0" {
		t.Errorf("latest is %s", got)
	}
	if !strings.Contains(w.files["clusters/beta/manifests/kustomization.yaml"], "../../../components/gateway/manifests/1.10.0") {
		t.Error(w.files["clusters/beta/manifests/kustomization.yaml"])
	}
	if plan.Subject() != "gateway: bump to 1.10.0" {
		t.Error(plan.Subject())
	}
	if plan, err := w.plan(Request{Op: OpBump, Component: "gateway", Revision: "1.9.0"}); !cmp.Equal(refusedBy(plan, err), []string{"downgrade on beta"}) {
		t.Errorf("%v, %v", refusedBy(plan, err), err)
	}
	w.do(Request{Op: OpPromote, Component: "gateway"})
	if diff := cmp.Diff(w.pin("beta", "gateway"), w.pin("prod", "gateway")); diff != "" {
		t.Error(diff)
	}
	w.do(Request{Op: OpRollback, Component: "gateway", Scope: Scope{Clusters: []string{"prod"}}, Hold: v1alpha1.Hold{Reason: "x"}})
	if got := w.pin("prod", "gateway"); got.Manifests.Version != "1.9.0" || !cmp.Equal(got.Hold.Refuse, []string{"1.10.0"}) {
		t.Errorf("%+v", got)
	}
	if len(w.registries.calls) > 0 {
		t.Errorf("registries were asked: %v", w.registries.calls)
	}
	for _, request := range []Request{
		{Op: OpBump, Component: "gateway", Revision: "2.0.0"},
		{Op: OpBump, Component: "gateway", Revision: "1.10.0", Release: "x"},
		{Op: OpBump, Component: "gateway", Revision: "1.10.0", Values: control.Values{"a": "b"}},
	} {
		if _, err := w.plan(request); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: %v", request, err)
		}
	}
}

// A folder of manifests that was edited under the same version is a change.
func TestEditedManifests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	manifests(w)
	w.files["components/gateway/manifests/1.9.0/config.yaml"] += "# edited\n"
	plan, err := w.plan(Request{Op: OpBump, Component: "gateway", Revision: "1.9.0"})
	if err != nil || len(plan.Changed()) != 1 {
		t.Errorf("%v, %+v", err, plan)
	}
}

func TestExternalComponents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files["components/cli/component.yaml"] = object("Component", "cli", "external: Debian package toolforge-cli")
	for _, op := range ops() {
		_, err := w.plan(Request{Op: op, Component: "cli", Revision: "latest", Hold: v1alpha1.Hold{Reason: "x"}})
		if !errors.Is(err, ErrInapplicable) || !strings.Contains(err.Error(), "delivered outside Kubernetes: Debian package toolforge-cli") {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// The values of a bump belong to its version: they go with it.
func TestValuesGoWithTheVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	values := control.Values{"big": mustNumber("9007199254740993"), "text": "12e4567"}
	w.do(Request{Op: OpBump, Revision: commitID(2), Values: values})
	w.do(Request{Op: OpPromote})
	if got := string(w.pin("prod", "app").Releases["app"].Values.Raw); got != `{"big":9007199254740993,"text":"12e4567"}` {
		t.Error(got)
	}
	if !strings.Contains(w.files["clusters/prod/manifests/app.yaml"], "big: 9007199254740993") {
		t.Error(w.files["clusters/prod/manifests/app.yaml"])
	}
	// One digit more is another value, though not another float64.
	plan := w.do(Request{Op: OpBump, Revision: commitID(2), Scope: Scope{Clusters: []string{"beta"}}, Values: control.Values{"big": mustNumber("9007199254740992"), "text": "12e4567"}})
	if len(plan.Changed()) != 1 {
		t.Errorf("%+v", plan.Changes)
	}
	w.do(Request{Op: OpBump, Revision: commitID(3), Scope: Scope{Clusters: []string{"beta"}}})
	if w.pin("beta", "app").Releases["app"].Values == nil {
		t.Error("a bump without --values drops those of before")
	}
	w.do(Request{Op: OpBump, Revision: commitID(3), Scope: Scope{Clusters: []string{"beta"}}, Values: control.Values{}})
	if got := w.pin("beta", "app").Releases["app"].Values; got != nil {
		t.Errorf("empty values leave %s", got.Raw)
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files["components/app/values/app.yaml"] = "# ours\nnested:\n  kept: true # why\n  changed: old\nlist: [1]\n"
	w.files["clusters/prod/values/app.yaml"] = "nested: {kept: false}\n"
	w.start()
	values := control.Values{"nested": map[string]any{"changed": "09895639", "gone": nil}, "list": []any{"x"}, "new": false}
	w.do(Request{Op: OpBump, Revision: commitID(2), Values: values})
	if _, err := w.plan(Request{Op: OpFold}); err == nil || !strings.Contains(err.Error(), "clusters local and prod have different values in their pins of release \"app\"") {
		t.Error(err)
	}
	w.do(Request{Op: OpPromote})
	before := [2]string{w.files["clusters/beta/manifests/app.yaml"], w.files["clusters/prod/manifests/app.yaml"]}
	plan := w.do(Request{Op: OpFold})
	if after := [2]string{w.files["clusters/beta/manifests/app.yaml"], w.files["clusters/prod/manifests/app.yaml"]}; after != before {
		t.Errorf("fold changes what is rendered:\n%s", cmp.Diff(before, after))
	}
	if got := w.files["components/app/values/app.yaml"]; !strings.Contains(got, "kept: true # why") || !strings.HasPrefix(got, "# ours\n") {
		t.Error(got)
	}
	if w.pin("beta", "app").Releases["app"].Values != nil || plan.Subject() != "app: fold the values of the pins into the component" {
		t.Errorf("%+v", plan)
	}
	if plan := w.do(Request{Op: OpFold}); len(plan.Changed()) > 0 || len(plan.Folded) > 0 {
		t.Errorf("folding twice: %+v", plan)
	}
}
