// Renders a Helm chart as `helm template` does, as far as this one needs it: Go templates with Sprig's functions, the
// chart's values with those of a file over them. Tests use it, since the program itself is not a Debian package.
//
//	render CHART [VALUES]
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := render(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func render(chart string, more []string) error {
	var about map[string]interface{}
	values := map[string]interface{}{}
	if err := read(filepath.Join(chart, "Chart.yaml"), &about); err != nil {
		return err
	}
	for _, file := range append([]string{filepath.Join(chart, "values.yaml")}, more...) {
		over := map[string]interface{}{}
		if err := read(file, &over); err != nil {
			return err
		}
		merge(values, over)
	}
	set := template.New("chart").Option("missingkey=zero")
	functions := sprig.TxtFuncMap()
	functions["include"] = func(name string, data interface{}) (string, error) {
		var out bytes.Buffer
		err := set.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	functions["toYaml"] = func(value interface{}) (string, error) {
		out, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(out), "\n"), err
	}
	set.Funcs(functions)
	files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if _, err := set.New(filepath.Base(file)).Parse(string(text)); err != nil {
			return err
		}
	}
	data := map[string]interface{}{
		"Chart":   map[string]interface{}{"Name": about["name"], "Version": about["version"]},
		"Release": map[string]interface{}{"Name": "test", "Namespace": "default"},
		"Values":  values,
	}
	for _, file := range files {
		if !strings.HasSuffix(file, ".yaml") {
			continue
		}
		fmt.Println("---")
		if err := set.ExecuteTemplate(os.Stdout, filepath.Base(file), data); err != nil {
			return err
		}
	}
	return nil
}

func read(file string, into interface{}) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(text, into)
}

func merge(into, over map[string]interface{}) {
	for name, value := range over {
		below, isMap := value.(map[string]interface{})
		there, wasMap := into[name].(map[string]interface{})
		if isMap && wasMap {
			merge(there, below)
		} else {
			into[name] = value
		}
	}
}
