package synthetic

import (
	"fmt"
	"os"
	"path/filepath"
)

// Size says how large a control repo is: every component has one release and runs on every cluster.
type Size struct {
	Clusters, Components int
}

// Releases is the number of releases over all clusters.
func (s Size) Releases() int { return s.Clusters * s.Components }

// Cluster is the name of a cluster.
func Cluster(number int) string { return fmt.Sprintf("cluster-%03d", number) }

// Component is the name of a component, of its release and of its chart.
func Component(number int) string { return fmt.Sprintf("component-%03d", number) }

// Write makes a control repo in dir, which need not exist. The same size gives the same files.
func Write(dir string, size Size) error {
	w := &writer{dir: dir}
	w.write(controlRepo(size), "tfgitops.yaml")
	for c := range size.Components {
		w.write(component(c), "components", Component(c), "component.yaml")
		w.write(values(c), "components", Component(c), "values", Component(c)+".yaml")
	}
	for k := range size.Clusters {
		w.writeCluster(k, size)
	}
	return w.err
}

// writer writes files below dir until the first error.
type writer struct {
	dir string
	err error
}

func (w *writer) writeCluster(number int, size Size) {
	cluster := Cluster(number)
	w.write(clusterFile(number), "clusters", cluster, "cluster.yaml")
	w.write(overlay, "clusters", cluster, "kustomization.yaml")
	for c := range size.Components {
		w.write(pin(c), "clusters", cluster, "pins", Component(c)+".yaml")
		if hasClusterValues(number, c) {
			w.write(clusterValues(number), "clusters", cluster, "values", Component(c)+".yaml")
		}
	}
}

// hasClusterValues says which releases have values of their own on a cluster: one in five, others on each cluster.
func hasClusterValues(cluster, component int) bool { return (cluster+component)%5 == 0 }

func (w *writer) write(content string, elements ...string) {
	if w.err != nil {
		return
	}
	name := filepath.Join(append([]string{w.dir}, elements...)...)
	if w.err = os.MkdirAll(filepath.Dir(name), 0o750); w.err == nil {
		w.err = os.WriteFile(name, []byte(content), 0o600)
	}
}
