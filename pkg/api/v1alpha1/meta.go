package v1alpha1

// APIVersion is the apiVersion of every kind in this package.
const APIVersion = "tfgitops.toolforge.org/v1alpha1"

// Kind names one of the kinds of file in a control repo.
type Kind string

// The kinds.
const (
	KindControlRepo Kind = "ControlRepo"
	KindComponent   Kind = "Component"
	KindCluster     Kind = "Cluster"
	KindPin         Kind = "Pin"
)

// Kinds returns every kind, in the order in which they build on each other.
func Kinds() []Kind { return []Kind{KindControlRepo, KindComponent, KindCluster, KindPin} }

// TypeMeta is the head of every file: which kind it is, and of which version.
type TypeMeta struct {
	// APIVersion is tfgitops.toolforge.org/v1alpha1.
	APIVersion string `json:"apiVersion" jsonschema:"required"`
	// Kind is the kind of the file: ControlRepo, Component, Cluster or Pin.
	Kind Kind `json:"kind" jsonschema:"required"`
}

// Metadata names the object in a file.
type Metadata struct {
	// Name is the object's name: for a Component its folder in components/, for a Cluster its folder in clusters/, for a
	// Pin the component that it pins. A DNS label.
	Name string `json:"name" jsonschema:"required,minLength=1,maxLength=63,pattern=^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"`
}
