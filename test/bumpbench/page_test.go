package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPage(t *testing.T) {
	t.Parallel()
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	got := string(page(results{
		Bumps: []bumped{
			{Repo: "small", Files: 4, Bump: ms(120), Git: ms(30), TargetsOver: ms(100)},
			{Repo: "large", Files: 2, Bump: ms(500), Git: ms(200), TargetsOver: ms(250)},
		},
		Listing: ms(80), Tags: 5000,
	}, 9, time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)))
	for _, want := range []string{
		"| small | 4 | 120 ms | 30 ms | 90 ms | at most 100 ms | yes |",
		"| large | 2 | 500 ms | 200 ms | 300 ms | at most 250 ms | **no** |",
		"Listing 5000 tags in pages of 1,000, from start to exit, with every one seen: 80 ms (target: under 1 s, met: yes).",
		"the median of 9 runs", "Measured on 2026-08-01",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q:\n%s", want, got)
		}
	}
}

// A bump in Toolforge's repo is measured, and so is a listing of which every tag was seen.
func TestMeasuresToolforge(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the program")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "tfgitops")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/tfgitops").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	measured, err := measureAll(t.Context(), options{root: root, tfgitops: program, runs: 1}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(measured.Bumps) != 1 || measured.Bumps[0].Files != 4 || measured.Bumps[0].Git <= 0 || measured.Tags <= tags {
		t.Errorf("%+v", measured)
	}
}
