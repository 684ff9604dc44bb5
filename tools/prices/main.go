// Command prices writes internal/price/generated.tsv from the model list that it is built with.
//
// Usage: go run ./prices > ../internal/price/generated.tsv
package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"strconv"

	"charm.land/catwalk/pkg/catwalk"
	"charm.land/catwalk/pkg/embedded"
)

// vendors are the list's providers that are kinds of ours, by the list's names.
var vendors = map[string]string{
	"openai": "openai", "anthropic": "anthropic", "gemini": "gemini", "azure": "azure-openai", "bedrock": "bedrock",
	"bedrock-europe": "bedrock", "vertexai": "vertex", "xai": "xai", "zai": "zai", "zhipu": "zhipu", "groq": "groq",
	"openrouter": "openrouter", "cerebras": "cerebras", "venice": "venice", "chutes": "chutes", "huggingface": "huggingface",
	"deepseek": "deepseek", "fireworks": "fireworks", "minimax": "minimax", "moonshot": "moonshot", "nebius": "nebius",
	"scaleway": "scaleway", "vercel": "vercel", "baseten": "baseten", "alibaba-singapore": "alibaba",
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintln(out, "# Written by tools/prices from charm.land/catwalk v0.52.1 (MIT), 2026-11. Do not edit: corrections go into own.tsv.")
	var lines []string
	for _, p := range embedded.GetAll() {
		vendor := vendors[string(p.ID)]
		if vendor == "" {
			continue
		}
		for i := range p.Models {
			if line := row(vendor, &p.Models[i]); line != "" {
				lines = append(lines, line)
			}
		}
	}
	sort.Strings(lines)
	for _, l := range lines {
		fmt.Fprintln(out, l)
	}
}

// row is one model. The list has two prices for what a cache gives and takes, in an order that differs from
// provider to provider: what costs less than plain input is read from a cache, what costs more is written to it.
func row(vendor string, m *catwalk.Model) string {
	if m.CostPer1MIn <= 0 && m.CostPer1MOut <= 0 {
		return ""
	}
	line := vendor + "\t" + m.ID + "\tin=" + num(m.CostPer1MIn) + " out=" + num(m.CostPer1MOut)
	read, write := 0.0, 0.0
	for _, c := range []float64{m.CostPer1MInCached, m.CostPer1MOutCached} {
		if c > 0 && c < m.CostPer1MIn && (read == 0 || c < read) {
			read = c
		}
	}
	if c := m.CostPer1MInCached; c > m.CostPer1MIn && c <= 2*m.CostPer1MIn {
		write = c
	}
	if read > 0 {
		line += " cached=" + num(read)
	}
	if write > 0 {
		line += " write=" + num(write)
	}
	if m.ContextWindow > 0 {
		line += " context=" + strconv.FormatInt(m.ContextWindow, 10)
	}
	if m.CanReason {
		line += " reasoning"
	}
	if m.SupportsImages {
		line += " vision"
	}
	return line
}

func num(f float64) string {
	s := strconv.FormatFloat(f, 'f', 6, 64)
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}
