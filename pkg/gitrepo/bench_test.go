package gitrepo

import (
	"fmt"
	"testing"
)

// benchFiles is a work tree of n files.
func benchFiles(n int) map[string]string {
	files := make(map[string]string, n)
	for i := range n {
		files[fmt.Sprintf("clusters/c%d/pins/p%d.yaml", i%50, i)] = fmt.Sprintf("version: %d\n", i)
	}
	return files
}

// What `git add` and `git commit` of the same files take is the floor.
func BenchmarkCommit(b *testing.B) {
	dir := newRepo(b, benchFiles(20000))
	paths := []string{"clusters/c1/pins/p1.yaml", "clusters/c2/pins/p2.yaml", "clusters/c3/pins/new.yaml"}
	repo := openRepo(b, dir)
	n := 0
	change := func() {
		n++
		for _, path := range paths {
			write(b, dir, map[string]string{path: fmt.Sprint(n)})
		}
	}
	b.Run("git", func(b *testing.B) {
		for b.Loop() {
			change()
			runGit(b, dir, append([]string{"add", "--"}, paths...)...)
			runGit(b, dir, "commit", "-q", "-m", "m")
		}
	})
	b.Run("Commit", func(b *testing.B) {
		for b.Loop() {
			change()
			if _, err := repo.Commit(b.Context(), paths, "m", CommitOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("CommitOnto", func(b *testing.B) {
		for b.Loop() {
			n++
			change := []FileChange{{Path: paths[0], Content: fmt.Append(nil, n)}}
			if _, err := repo.CommitOnto(b.Context(), "HEAD", change, "m", CommitOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkFS(b *testing.B) {
	dir := newRepo(b, benchFiles(5000))
	runGit(b, dir, "gc", "-q")
	for b.Loop() {
		repo, err := Open(b.Context(), dir)
		if err != nil {
			b.Fatal(err)
		}
		fsys, err := repo.FS(b.Context(), "HEAD")
		if err != nil {
			b.Fatal(err)
		}
		for i := range 5000 {
			if _, err := fsys.ReadFile(fmt.Sprintf("clusters/c%d/pins/p%d.yaml", i%50, i)); err != nil {
				b.Fatal(err)
			}
		}
		repo.Close()
	}
}

func BenchmarkHistory(b *testing.B) {
	repo := openRepo(b, longRepo(b, 5000))
	for b.Loop() {
		if commits := collect(b.Context(), b, repo, "HEAD", HistoryOptions{Paths: []string{"clusters/tools"}}); len(commits) != 5000 {
			b.Fatal(len(commits))
		}
	}
}
