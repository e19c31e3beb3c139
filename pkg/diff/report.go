package diff

// Report is how two sides of a control repo differ. Nothing in it is a secret, and all its lists are sorted: the same two
// sides give the same report, however many workers made it.
type Report struct {
	// Base and Head name the sides, for people.
	Base string `json:"base"`
	Head string `json:"head"`
	// Charts says whether HelmReleases were expanded into what Helm applies.
	Charts bool `json:"charts"`
	// Clusters are all that were looked at, by name.
	Clusters []Cluster `json:"clusters"`
	// Components are those with a change, by name. The last may have no name: it holds what belongs to no component.
	Components []Component `json:"components"`
	// Risks are what reviewers should look at first, the gravest first.
	Risks []Risk `json:"risks"`
	// Silenced are the risks that the component's file takes out, with the reason given there.
	Silenced []Risk `json:"silenced"`
	// Problems are what could not be compared. What they name may have changed or not.
	Problems []Problem `json:"problems"`
	Summary  Summary   `json:"summary"`
}

// Differs reports whether anything differs, or may.
func (r *Report) Differs() bool { return len(r.Components) > 0 || len(r.Problems) > 0 }

// Cluster is one cluster that was looked at.
type Cluster struct {
	Name  string `json:"name"`
	State State  `json:"state"`
}

// State is what became of a cluster.
type State string

// The states of a cluster.
const (
	Same    State = "same"
	Changed State = "changed"
	Added   State = "added"
	Removed State = "removed"
	Unknown State = "unknown" // a problem says why
)

// Component is one component with a change.
type Component struct {
	// Name is empty for what belongs to no component: namespaces, chart repositories, people's own objects.
	Name string `json:"name"`
	// Pins are the headline: what was pinned and is pinned now.
	Pins []Pin `json:"pins"`
	// Blocks are the changed objects, those of the same clusters together.
	Blocks []Block `json:"blocks"`
}

// Pin is one change of a component's pin, on the clusters that have the same one.
type Pin struct {
	Clusters []string `json:"clusters"`
	// Action is Added, Removed or Changed.
	Action    Action    `json:"action"`
	OldCommit string    `json:"oldCommit,omitempty"`
	NewCommit string    `json:"newCommit,omitempty"`
	Versions  []Version `json:"versions"`
	// Notes say what else changed: a hold, values that belong to the version.
	Notes []string `json:"notes"`
	// Changelog is nil where the commit is the same or the source is not known.
	Changelog *Changelog `json:"changelog,omitempty"`
}

// Version is the version of one release, or of the component's manifests (Release is empty then).
type Version struct {
	Release string `json:"release,omitempty"`
	Old     string `json:"old,omitempty"`
	New     string `json:"new,omitempty"`
}

// Changelog is what a component's source says of the commits between two.
type Changelog struct {
	// Compare is the address of the source's own comparison, empty where it is not known.
	Compare string `json:"compare,omitempty"`
	// Undone says that the commits are taken back: the new commit comes before the old one.
	Undone bool `json:"undone,omitempty"`
	// Commits are the newest; More counts those left out.
	Commits []Commit `json:"commits"`
	More    int      `json:"more"`
	// Tasks are those that the commits name, each once.
	Tasks []string `json:"tasks"`
}

// Commit is one commit of a component's source.
type Commit struct {
	ID      string `json:"id"`
	Subject string `json:"subject"`
	Author  string `json:"author"`
}

// Block is the objects that change in the same way on the same clusters.
type Block struct {
	Clusters []string `json:"clusters"`
	Objects  []Object `json:"objects"`
}

// Layer says who applies an object.
type Layer string

// The layers.
const (
	Flux Layer = "flux" // built by kustomize, applied by Flux
	Helm Layer = "helm" // expanded from a chart, applied by Helm
)

// Action is what happens to an object.
type Action string

// The actions.
const (
	ActionAdded   Action = "added"
	ActionRemoved Action = "removed"
	ActionChanged Action = "changed"
	ActionRenamed Action = "renamed" // the old one is removed, and one much like it added
)

// Object is one changed object.
type Object struct {
	Layer      Layer  `json:"layer"`
	Release    string `json:"release,omitempty"` // of the HelmRelease that it comes from; empty in the layer flux
	Action     Action `json:"action"`
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	OldName    string `json:"oldName,omitempty"` // of a renamed object
	Hook       bool   `json:"hook,omitempty"`    // Helm makes it around an action, and it is no part of the release
	// Restarts says that pods restart: their template changed.
	Restarts bool `json:"restarts,omitempty"`
	// Fields are what to read; Noise are changes that follow from others, each with its reason.
	Fields []Field `json:"fields"`
	Noise  []Field `json:"noise"`
}

// Op is what happened to a field.
type Op string

// The operations.
const (
	OpAdded     Op = "added"
	OpRemoved   Op = "removed"
	OpChanged   Op = "changed"
	OpReordered Op = "reordered"
)

// Field is one changed field. Old and New are JSON values with numbers as json.Number; secrets in them are fingerprints.
type Field struct {
	// Path is as in spec.containers[name=app].image; it ends in [] for an entry of a list without a name, and is empty for
	// the whole object.
	Path string `json:"path"`
	Op   Op     `json:"op"`
	Old  any    `json:"old,omitempty"`
	New  any    `json:"new,omitempty"`
	// Noise is the reason why the field need not be read.
	Noise Noise `json:"noise,omitempty"`
}

// Noise is why a change need not be read.
type Noise string

// The kinds of noise.
const (
	NoiseChecksum    Noise = "checksum"
	NoiseChartLabel  Noise = "chart label"
	NoiseCertificate Noise = "certificate"
	NoiseProvenance  Noise = "provenance"
	NoiseEncryption  Noise = "encryption"
)

// Risk is one thing that a rule found.
type Risk struct {
	Rule      string   `json:"rule"`
	Severity  Severity `json:"severity"`
	Component string   `json:"component,omitempty"`
	Clusters  []string `json:"clusters"`
	// Object is KIND NAMESPACE/NAME, empty where the risk is not in one object.
	Object  string `json:"object,omitempty"`
	Message string `json:"message"`
	// Because is why it matters, as the table of rules says.
	Because string `json:"because"`
	// File is where it comes from, relative to the control repo's root.
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	// Silenced is the reason given in the component's file.
	Silenced string `json:"silenced,omitempty"`
}

// Problem is something that could not be compared.
type Problem struct {
	// Clusters are those where it is the same; none where it is about the whole side.
	Clusters []string `json:"clusters,omitempty"`
	Release  string   `json:"release,omitempty"`
	// Side is base or head.
	Side    string `json:"side"`
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
}

// Summary counts. Folded changes count once for each cluster.
type Summary struct {
	Components int `json:"components"`
	Clusters   int `json:"clusters"`
	Added      int `json:"added"`
	Removed    int `json:"removed"`
	Changed    int `json:"changed"` // renamed ones included
	NoiseOnly  int `json:"noiseOnly"`
	Restarts   int `json:"restarts"`
	High       int `json:"high"`
	Medium     int `json:"medium"`
	Low        int `json:"low"`
	Silenced   int `json:"silenced"`
	Problems   int `json:"problems"`
	// Unjudged says that no risk rule looked at it.
	Unjudged bool `json:"unjudged,omitempty"`
}
