// Command gen writes a control repo of a given size: gen -clusters 200 -components 100 DIR.
package main
