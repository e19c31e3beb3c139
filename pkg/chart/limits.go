package chart

import "cmp"

// Limits bounds what a chart may cost to read. A field left 0 has its default.
type Limits struct {
	// Compressed is the size of the archive in bytes: 32 MiB.
	Compressed int64
	// Unpacked is the size of all files together, archives within the archive
	// counted unpacked: 100 MiB, as in Helm.
	Unpacked int64
	// File is the size of one file: 16 MiB.
	File int64
	// Files is the number of entries, directories included: 10000.
	Files int
	// Depth is how many charts may lie within each other: 10.
	Depth int
}

const mebibyte = 1 << 20

func (l Limits) withDefaults() Limits {
	return Limits{
		Compressed: cmp.Or(l.Compressed, 32*mebibyte),
		Unpacked:   cmp.Or(l.Unpacked, 100*mebibyte),
		File:       cmp.Or(l.File, 16*mebibyte),
		Files:      cmp.Or(l.Files, 10000),
		Depth:      cmp.Or(l.Depth, 10),
	}
}
