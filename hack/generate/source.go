package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
)

// comment is what a doc comment says: to people, and to controller-gen in lines that start with a plus.
type comment struct {
	text    string
	markers []string // without the plus
}

// source holds the comments of Go packages by "package path.Type" and "package path.Type.Field".
type source map[string]comment

// readSource parses the packages at the import paths, as the module in the current directory sees them.
func readSource(importPaths ...string) (source, error) {
	s := source{}
	for _, importPath := range importPaths {
		pkg, err := build.Import(importPath, ".", 0)
		if err != nil {
			return nil, fmt.Errorf("finding the source of %q: %w", importPath, err)
		}
		for _, name := range pkg.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(pkg.Dir, name), nil, parser.ParseComments)
			if err != nil {
				return nil, err
			}
			s.addFile(importPath, file)
		}
	}
	return s, nil
}

func (s source) addFile(importPath string, file *ast.File) {
	for _, declaration := range file.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range general.Specs {
			if typeSpec, ok := spec.(*ast.TypeSpec); ok {
				s.addType(importPath+"."+typeSpec.Name.Name, general, typeSpec)
			}
		}
	}
}

func (s source) addType(name string, declaration *ast.GenDecl, spec *ast.TypeSpec) {
	doc := spec.Doc
	if doc == nil {
		doc = declaration.Doc
	}
	s[name] = readComment(doc)
	structure, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range structure.Fields.List {
		for _, fieldName := range field.Names {
			s[name+"."+fieldName.Name] = readComment(field.Doc)
		}
	}
}

func readComment(group *ast.CommentGroup) comment {
	var c comment
	var words []string
	for line := range strings.Lines(group.Text()) {
		line = strings.TrimSpace(line)
		if marker, isMarker := strings.CutPrefix(line, "+"); isMarker {
			c.markers = append(c.markers, marker)
			continue
		}
		words = append(words, strings.Fields(line)...)
	}
	c.text = strings.Join(words, " ")
	return c
}

// describe returns the comment on a field, or on its type where the field has none; with no field, that on the type.
func (s source) describe(t reflect.Type, field string) string {
	if field == "" {
		return s[typeKey(t)].text
	}
	if text := s[typeKey(t)+"."+field].text; text != "" {
		return text
	}
	if f, ok := t.FieldByName(field); ok {
		return s[typeKey(element(f.Type))].text
	}
	return ""
}

func (s source) markers(t reflect.Type, field string) []string {
	return s[typeKey(t)+"."+field].markers
}

func typeKey(t reflect.Type) string { return t.PkgPath() + "." + t.Name() }

// element is the type that a pointer points to, and any other type itself.
func element(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
