package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
)

// root is the repository's.
const root = "../.."

// The variables that widen what runs.
const (
	fluxBin       = "FLUX_BIN"
	anyKubeconfig = "E2E_KUBECONFIG"
)

// env is what the tests share: the run, and one API server with kustomize-controller that starts when a test first asks.
var env environment

type environment struct {
	mu      sync.Mutex
	run     *harness.Run
	cluster *harness.Cluster
	failed  error // why there is no cluster: a second try would cost each test the time that the first one took
	skipped []string
}

func TestMain(m *testing.M) {
	os.Exit(harness.Main(func() int {
		if err := env.start(); err != nil {
			fmt.Println("starting the run:", err)
			return 1
		}
		return env.close(m.Run())
	}))
}

// start makes the run. Its temporary folder becomes everyone's here, so that what a killed test leaves goes with it.
func (e *environment) start() error {
	tools, err := filepath.Abs("tools")
	if err != nil {
		return err
	}
	cache, err := filepath.Abs(cacheDir())
	if err != nil {
		return err
	}
	programs := harness.Programs{Tools: tools, Cache: cache, Flux: os.Getenv(fluxBin), Now: time.Now, Log: os.Stderr}
	if e.run, err = harness.NewRun(context.Background(), programs); err != nil {
		return err
	}
	return os.Setenv("TMPDIR", e.run.Temporary())
}

// close ends what was started, and says what was skipped and where the logs of a failure are.
func (e *environment) close(code int) int {
	fmt.Print(skipNote(e.skipped, os.Getenv(anyKubeconfig) != ""))
	logs, err := e.run.Close(code != 0)
	if logs != "" {
		fmt.Println("logs of the API server and of the controllers:", logs)
	}
	if err != nil {
		fmt.Println("ending the run:", err)
		return max(code, 1)
	}
	return code
}

// skipNote says which tests were skipped for want of a whole Flux, and how to run them: in a cluster that somebody lends,
// these are those that need controllers of their own.
func skipNote(skipped []string, lent bool) string {
	if len(skipped) == 0 {
		return ""
	}
	tests, without, kubeconfig := "tests", "", fmt.Sprintf("  %s=FILE runs them in a cluster that has Flux\n", anyKubeconfig)
	if len(skipped) == 1 {
		tests = "test"
	}
	if lent {
		without, kubeconfig = " and no "+anyKubeconfig, ""
	}
	return fmt.Sprintf("\nSkipped, for want of a whole Flux, %d %s: %s.\n"+
		"  %s=DIR%s runs them with source-controller and helm-controller from DIR\n%sdocs/testing.md says more.\n",
		len(skipped), tests, strings.Join(skipped, ", "), fluxBin, without, kubeconfig)
}

// cacheDir is where built programs and the logs of failures are kept.
func cacheDir() string {
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "tfgitops-e2e")
	}
	return filepath.Join(root, ".cache", "e2e")
}

// sharedCluster returns the API server with kustomize-controller that the tests take turns with. It has no Flux objects,
// and loses those that the test makes.
func sharedCluster(t *testing.T) *harness.Cluster {
	t.Helper()
	env.mu.Lock()
	defer env.mu.Unlock()
	if env.cluster == nil && env.failed == nil {
		started := time.Now()
		cluster, err := env.run.NewCluster(t.Context(), "shared")
		if err == nil {
			err = cluster.StartKustomizeController(t.Context())
		}
		t.Logf("API server and kustomize-controller are up after %s", since(started))
		env.cluster, env.failed = cluster, err
	}
	if env.failed != nil {
		t.Fatal(env.failed)
	}
	afterwards(t, env.cluster.Empty)
	return env.cluster
}

// afterwards does something when the test is over, with a context that is not.
func afterwards(t *testing.T, do func(context.Context) error) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := do(ctx); err != nil {
			t.Error(err)
		}
	})
}

func since(started time.Time) time.Duration { return time.Since(started).Round(10 * time.Millisecond) }

// within bounds a step of a test, on a machine that may be busy with other things.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// repository is the file system of this repository: Toolforge's control repo.
func repository(t *testing.T) fs.FS {
	t.Helper()
	dir, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dir.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return dir.FS()
}
