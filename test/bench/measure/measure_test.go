package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/bench/synthetic"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	got := median([]cost{{wall: 9, cpu: 1, rss: 4}, {wall: 1, cpu: 5, rss: 6}, {wall: 3, cpu: 2, rss: 5}})
	if want := (cost{wall: 3, cpu: 2, rss: 5}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := median([]cost{{wall: 2}, {wall: 4}}).wall; got != 3 {
		t.Errorf("of an even number: got %d, want 3", got)
	}
}

func TestRepeatDropsTheFirst(t *testing.T) {
	t.Parallel()
	prepared, runs := 0, 0
	got, err := repeat(3, func() error { prepared++; return nil }, func() (cost, error) {
		runs++
		if runs == 1 {
			return cost{wall: time.Hour}, nil
		}
		return cost{wall: time.Duration(runs)}, nil
	})
	if err != nil || got.wall != 3 || prepared != 4 || runs != 4 {
		t.Errorf("got %v, %v after %d preparations and %d runs", got.wall, err, prepared, runs)
	}
}

func TestProcessCountsWhatItRan(t *testing.T) {
	t.Parallel()
	got, err := process(t.Context(), nil, t.TempDir(), "sh", "-c", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo done")
	if err != nil {
		t.Fatal(err)
	}
	if got.wall <= 0 || got.cpu <= 0 || got.rss <= 0 {
		t.Errorf("got %+v", got)
	}
}

func TestProcessShowsWhyItFailed(t *testing.T) {
	t.Parallel()
	_, err := process(t.Context(), nil, t.TempDir(), "sh", "-c", "echo the reason >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("got %v", err)
	}
}

func TestTogether(t *testing.T) {
	t.Parallel()
	got, err := together(4, 2, func(n int) (cost, error) { return cost{cpu: 10, rss: int64(n)}, nil })
	if err != nil || got.cpu != 40 || got.rss != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
	broken := errors.New("broken")
	if _, err := together(2, 2, func(int) (cost, error) { return cost{}, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of a process", err)
	}
}

func TestRemoveManifestsLeavesTheRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := synthetic.Write(dir, synthetic.Size{Clusters: 1, Components: 1}); err != nil {
		t.Fatal(err)
	}
	manifests := filepath.Join(dir, "clusters", synthetic.Cluster(0), "manifests")
	if err := os.Mkdir(manifests, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := removeManifests(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(manifests); !os.IsNotExist(err) {
		t.Errorf("manifests is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "clusters", synthetic.Cluster(0), "cluster.yaml")); err != nil {
		t.Error(err)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	second := cost{wall: time.Second, cpu: 2 * time.Second, rss: 300 << 20}
	r := &results{toolforge: cost{wall: 75 * time.Millisecond}, oneCluster: cost{wall: 150 * time.Millisecond}, kustomize: cost{wall: 6 * time.Second}}
	for _, size := range sizes {
		r.generated = append(r.generated, sized{Size: size, first: second, check: second})
	}
	content, err := (&report{Runs: 5, Machine: "A machine.", Targets: targets(r), Measured: measured(r), Growth: growth(r)}).page()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"the median of 5 runs",
		"| Toolforge, full `render --check` | under 150 ms | 75 ms | yes, 0.50 of it |",
		"| 200 clusters × 100 components, first `render` | under 600 MiB | 300 MiB | yes, 0.50 of it |",
		"| 200 clusters × 100 components, `render --check` of one cluster | under 150 ms | 150 ms | **no**, 1.00 of it |",
		"| 200 clusters × 100 components, first `render` against `kustomize build` | 3 times faster | 6.0 times | yes, 2.00 of it |",
		"| 20000 releases, `kustomize build` of all 200 overlays | 6.00 s | 0 ms | 0 MiB |",
		"| 2000 | 20 | 1.00 s | 500 µs | 1.00 s | 500 µs | 300 MiB |",
	} {
		if !strings.Contains(string(content), want) {
			t.Errorf("the page lacks %q:\n%s", want, content)
		}
	}
}

func TestDiffPage(t *testing.T) {
	t.Parallel()
	r := &diffResults{one: cost{wall: 300 * time.Millisecond}, all: cost{wall: time.Second, rss: 300 << 20}, allKept: cost{wall: 2 * time.Second, rss: 200 << 20}, helmAll: cost{wall: 6 * time.Second}}
	content, err := fill(diffPage, newDiffReport(options{runs: 5}, r))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"of charts with 20 to 60 templates",
		"| one component on three clusters, `diff --charts`, where the overlays add nothing | under 400 ms | 300 ms | yes, 0.75 of it |",
		"| everything changed, `diff --charts` | under 500 MiB | 300 MiB | yes, 0.60 of it |",
		"| everything changed, `diff --charts`, against `helm template` | 5 times faster | 6.0 times | yes, 1.20 of it |",
		"| everything changed, `diff --charts`, rendered before, against `helm template` | 10 times faster | 3.0 times | **no**, 0.30 of it |",
		"| 180 times `helm template` | 6.00 s | 0 ms | 0 MiB |",
	} {
		if !strings.Contains(string(content), want) {
			t.Errorf("the page lacks %q:\n%s", want, content)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	if got, want := load("1.50 2.25 3.00 1/200 4242"), "load 2.25 in the last five minutes"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := load(""); got != "" {
		t.Errorf("got %q of nothing", got)
	}
}

func TestParseKnowsWhatToMeasure(t *testing.T) {
	t.Parallel()
	if _, err := parse([]string{"-what", "everything"}); err == nil {
		t.Error("an unknown thing to measure is accepted")
	}
}

func TestProgramsNamesTheVersion(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got := programs(self); !strings.HasPrefix(got, "Of measure.test ") {
		t.Errorf("got %q", got)
	}
}

func TestBenchmarkLines(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "go.txt")
	output := "goos: linux\npkg: a\nPASS\nok a 1s\npkg: b\nBenchmarkX-2 \t 5 ns/op\nPASS\npkg: c\nPASS\n"
	if err := os.WriteFile(name, []byte(output), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := benchmarkLines(name)
	if want := "pkg: b\nBenchmarkX-2 \t 5 ns/op"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
