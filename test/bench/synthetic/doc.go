// Package synthetic writes control repos of any size, for measuring. It depends on nothing.
package synthetic
