// Checks scrapes, rules and expressions with Prometheus' own code: reads a question as JSON from stdin, writes the
// answer as JSON to stdout.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb/chunks"
)

type scrape struct {
	At   int64  `json:"at"`
	Text string `json:"text"`
}

type question struct {
	Rules       string   `json:"rules"`
	Scrapes     []scrape `json:"scrapes"`
	Expressions []string `json:"expressions"`
}

type sample struct {
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
}

type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type answer struct {
	Problems []string            `json:"problems"`
	Rules    []rule              `json:"rules"`
	Results  map[string][]sample `json:"results"`
}

func main() {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	given := answer{Problems: []string{}, Rules: []rule{}, Results: map[string][]sample{}}
	expressions := parser.NewParser(parser.Options{})
	given.readRules(asked.Rules, expressions)
	series := given.readScrapes(asked.Scrapes)
	for _, expression := range asked.Expressions {
		given.evaluate(expression, series, asked.Scrapes, expressions)
	}
	if err := json.NewEncoder(os.Stdout).Encode(given); err != nil {
		os.Exit(1)
	}
}

func (a *answer) problem(format string, values ...any) {
	a.Problems = append(a.Problems, fmt.Sprintf(format, values...))
}

func (a *answer) readRules(file string, expressions parser.Parser) {
	if file == "" {
		return
	}
	groups, errs := rulefmt.ParseFile(file, false, model.UTF8Validation, expressions, slog.New(slog.DiscardHandler))
	for _, err := range errs {
		a.problem("%s: %v", file, err)
	}
	if groups == nil {
		return
	}
	for _, group := range groups.Groups {
		for _, one := range group.Rules {
			a.Rules = append(a.Rules, rule{one.Alert, one.Expr, one.For.String(), one.Labels, one.Annotations})
		}
	}
}

type collected struct {
	labels  labels.Labels
	samples []chunks.Sample
}

type point struct {
	at    int64
	value float64
}

// readScrapes passes each text to the strict parser, to promtool's linter, and to the parser that Prometheus scrapes
// with.
func (a *answer) readScrapes(scrapes []scrape) map[string]*collected {
	all := map[string]*collected{}
	for _, one := range scrapes {
		strict := expfmt.NewTextParser(model.UTF8Validation)
		if _, err := strict.TextToMetricFamilies(bytes.NewBufferString(one.Text)); err != nil {
			a.problem("scrape: %v", err)
		}
		hints, err := promlint.New(bytes.NewBufferString(one.Text)).Lint()
		if err != nil {
			a.problem("scrape: %v", err)
		}
		for _, hint := range hints {
			a.problem("%s: %s", hint.Metric, hint.Text)
		}
		a.collect(one, all)
	}
	return all
}

func (a *answer) collect(one scrape, all map[string]*collected) {
	seen := map[string]bool{}
	lines := textparse.NewPromParser([]byte(one.Text), labels.NewSymbolTable(), false)
	for {
		entry, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			a.problem("scrape: %v", err)
			return
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, _, value := lines.Series()
		var of labels.Labels
		lines.Labels(&of)
		key := of.String()
		if seen[key] {
			a.problem("scrape: %s is there twice", key)
		}
		seen[key] = true
		if all[key] == nil {
			all[key] = &collected{labels: of}
		}
		all[key].samples = append(all[key].samples, point{one.At, value})
	}
}

func (a *answer) evaluate(expression string, series map[string]*collected, scrapes []scrape, expressions parser.Parser) {
	last := int64(0)
	for _, one := range scrapes {
		last = max(last, one.At)
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1_000_000, Timeout: time.Minute, Parser: expressions})
	query, err := engine.NewInstantQuery(context.Background(), &queryable{series}, nil, expression, time.UnixMilli(last))
	if err != nil {
		a.problem("%s: %v", expression, err)
		return
	}
	result := query.Exec(context.Background())
	if result.Err != nil {
		a.problem("%s: %v", expression, result.Err)
		return
	}
	found := []sample{}
	if vector, err := result.Vector(); err == nil {
		for _, each := range vector {
			found = append(found, sample{each.Metric.Map(), each.F})
		}
	}
	a.Results[expression] = found
}
