package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// yamlFile reads the tree of a YAML file by hand, so that every error has its
// place and nothing but maps, lists and plain values exists: there are no
// anchors, aliases, tags or merge keys, and so nothing that could unfold.
type yamlFile struct{ path string }

// entry is a key with its value.
type entry struct {
	key   string
	at    ast.Node // the key, for errors
	value ast.Node
}

func (f yamlFile) parse(text []byte) (ast.Node, error) {
	if err := checkConfigShape(f.path, text); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		var ye yaml.Error
		if errors.As(err, &ye) && ye.GetToken() != nil {
			return nil, f.errorAt(ye.GetToken(), "%s", oneLine(ye.GetMessage()))
		}
		return nil, &configError{f.path, 1, 1, oneLine(err.Error())}
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			return nil, f.errorf(doc.Body, "a second document")
		}
		body = doc.Body
	}
	return body, nil
}

// errorf makes the error about a node.
func (f yamlFile) errorf(n ast.Node, format string, args ...any) error {
	return f.errorAt(startOf(n), format, args...)
}

func (f yamlFile) errorAt(t *token.Token, format string, args ...any) error {
	line, column := 1, 1
	if t != nil && t.Position != nil {
		line, column = max(t.Position.Line, 1), max(t.Position.Column, 1)
	}
	return &configError{f.path, line, column, fmt.Sprintf(format, args...)}
}

// startOf is the token with which a node begins; that of a map would be the
// colon behind its first key.
func startOf(n ast.Node) *token.Token {
	switch n := n.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		if len(n.Values) > 0 && !n.IsFlowStyle {
			return startOf(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return startOf(n.Key)
	}
	return n.GetToken()
}

// entries reads a map whose keys are free.
func (f yamlFile) entries(n ast.Node, what string) (list []entry, err error) {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return nil, f.errorf(n, "want %s", what)
	}
	seen := map[string]bool{}
	for _, v := range values {
		key, err := f.scalar(v.Key, "a key")
		if err != nil {
			return nil, err
		}
		if seen[key] {
			return nil, f.errorf(v.Key, "%s stands here twice", quote(key))
		}
		seen[key] = true
		list = append(list, entry{key, v.Key, v.Value})
	}
	return list, nil
}

// known is entries with the only keys that may be.
func (f yamlFile) known(n ast.Node, what, keys string) ([]entry, error) {
	list, err := f.entries(n, what+" with "+keys)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if !strings.Contains(" "+strings.ReplaceAll(keys, ",", "")+" ", " "+e.key+" ") || strings.Contains(e.key, " ") {
			return nil, f.errorf(e.at, "unknown key %s; there are %s", quote(e.key), keys)
		}
	}
	return list, nil
}

// list reads a list; where oneIsEnough a single value is a list of one.
func (f yamlFile) list(n ast.Node, what string, oneIsEnough bool) ([]ast.Node, error) {
	s, ok := n.(*ast.SequenceNode)
	switch {
	case ok && len(s.Values) == 0:
		return nil, f.errorf(n, "the list is empty")
	case ok:
		return s.Values, nil
	case oneIsEnough:
		return []ast.Node{n}, nil
	}
	return nil, f.errorf(n, "want a list of %s", what)
}

// scalar reads a plain or quoted value, as it was written: 023471 is a name.
func (f yamlFile) scalar(n ast.Node, what string) (string, error) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, f.checkText(n, n.Value, what)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, f.checkText(n, n.GetToken().Value, what)
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return "", f.errorf(n, "anchors, aliases, tags and merge keys are not read here")
	}
	return "", f.errorf(n, "want %s", what)
}

func (f yamlFile) checkText(n ast.Node, s, what string) error {
	if s == "" || len(s) > 256 || oneLine(s) != s {
		return f.errorf(n, "want %s: 1 to 256 printable characters", what)
	}
	return nil
}

// scalars reads one value or a list of them.
func (f yamlFile) scalars(n ast.Node, what string, take func(at ast.Node, s string) error) error {
	list, err := f.list(n, what, true)
	for _, v := range list {
		s, err := f.scalar(v, what)
		if err != nil {
			return err
		}
		if err := take(v, s); err != nil {
			return err
		}
	}
	return err
}

// quote quotes foreign text for an error message, in bounded length.
func quote(s string) string {
	if len(s) > 48 {
		return fmt.Sprintf("%+q...", s[:48])
	}
	return fmt.Sprintf("%+q", s)
}
