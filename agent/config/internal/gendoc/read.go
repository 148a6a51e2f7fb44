package main

import (
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// manual is what the comments say, in the order of the file.
type manual struct {
	text     *comment.Doc // about the whole file
	sections []section
}

type section struct {
	name string
	text *comment.Doc
	keys []key
}

type key struct {
	name  string
	kind  string // of its value, in words
	text  *comment.Doc
	brief *comment.Doc // text without its last sentence, if that says nothing but the value
	value string       // the default or an example, in TOML
	given bool         // an example of a key that a first configuration sets
}

// first are the keys that a first configuration sets. All others are comments in the example.
var first = map[string]bool{
	"station.site": true, "station.line": true, "station.name": true,
	"camera.source": true, "model.keys": true, "mqtt.broker": true,
}

// kinds are the types of keys.
var kinds = map[string]string{
	"string": "text", "Source": "text", "Size": "text", "verdict.Rule": "text", "verdict.Encoding": "text",
	"int": "whole number", "*int": "whole number", "float64": "number", "bool": "true or false",
	"Duration": "duration", "[]string": "list of texts", "[]int": "list of whole numbers",
}

// read finds the struct Config and the structs of its fields in a Go file.
func read(path string) (manual, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return manual{}, err
	}
	types := map[string]*ast.GenDecl{}
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
			types[g.Specs[0].(*ast.TypeSpec).Name.Name] = g
		}
	}
	m := manual{text: parse(strings.Replace(types["Config"].Doc.Text(), "Config", "station.toml", 1))}
	for _, f := range fields(types["Config"]) {
		typ := types[typeName(f.Type)]
		s := section{name: tomlName(f), text: parse(typ.Doc.Text())}
		for _, f := range fields(typ) {
			k, err := readKey(s.name, f)
			if err != nil {
				return manual{}, err
			}
			s.keys = append(s.keys, k)
		}
		m.sections = append(m.sections, s)
	}
	return m, nil
}

func fields(d *ast.GenDecl) []*ast.Field {
	return d.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType).Fields.List
}

// Where a comment says the default or an example.
var (
	valueOf   = regexp.MustCompile(`\b(?:Default|Example)\s(\[[^\]]*\]|"[^"]*"|true|false|[0-9]+(?:\.[0-9]+)?)`)
	onlyValue = regexp.MustCompile(`\s` + valueOf.String() + `\.\s*$`)
)

func readKey(section string, f *ast.Field) (key, error) {
	k := key{name: tomlName(f)}
	where := section + "." + k.name
	var known bool
	if k.kind, known = kinds[typeName(f.Type)]; !known {
		return k, fmt.Errorf("%s: no words for type %s", where, typeName(f.Type))
	}
	text, ok := strings.CutPrefix(f.Doc.Text(), f.Names[0].Name+" ")
	if !ok {
		return k, fmt.Errorf("%s: the comment must begin with %s", where, f.Names[0].Name)
	}
	found := valueOf.FindAllStringSubmatch(text, -1)
	if len(found) != 1 {
		return k, fmt.Errorf("%s: the comment says `Default VALUE` or `Example VALUE` %d times, want once",
			where, len(found))
	}
	text = k.name + " " + text
	k.text, k.brief = parse(text), parse(onlyValue.ReplaceAllString(text, ""))
	k.value, k.given = found[0][1], first[where]
	return k, nil
}

// parse takes no word in brackets for a link: [log] is a section, not a package.
func parse(text string) *comment.Doc {
	p := comment.Parser{LookupPackage: func(string) (string, bool) { return "", false }}
	return p.Parse(text)
}

func tomlName(f *ast.Field) string {
	tag, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		panic("internal error: struct tag of a file that compiles: " + err.Error())
	}
	return reflect.StructTag(tag).Get("toml")
}

func typeName(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.StarExpr:
		return "*" + typeName(t.X)
	case *ast.ArrayType:
		return "[]" + typeName(t.Elt)
	case *ast.SelectorExpr:
		return typeName(t.X) + "." + t.Sel.Name
	}
	return fmt.Sprintf("%T", t)
}
